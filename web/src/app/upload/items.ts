// What is being uploaded from this tab, as pages show it. Small: the uploader itself is loaded when it is needed.

import { Store } from "../store";
import type { AssetState, Visibility } from "../api/types";

/** What people say of a video before it is there. */
export interface Draft {
  title: string;
  description: string;
  visibility: Visibility;
  tags: string[];
}

/** What of a draft was said in this browser. The rest stays as the server has it. */
export type Said = (keyof Draft)[];

export const WHOLE: Said = ["title", "description", "visibility", "tags"];

export type Stage =
  | "waiting"
  | "uploading"
  | "paused"
  /** No connection, or the server is away: it goes on by itself. */
  | "interrupted"
  /** The session has ended: it goes on after log-in. */
  | "locked-out"
  | "failed"
  | "done";

export interface Item {
  /** The uploader's name for the file. */
  key: string;
  /** The upload's id, and the asset's once it is there. */
  id: string | undefined;
  name: string;
  folder: string;
  size: number;
  stage: Stage;
  sent: number;
  /** Bytes a second, lately. */
  rate: number;
  error: string | undefined;
  draft: Draft;
  said: Said;
  draftState: "kept" | "saving" | "saved" | "failed";
  asset: { state: AssetState; progress: number | null | undefined; error: string | undefined } | undefined;
}

export const items = new Store<Item[]>([]);

export function change(key: string, by: Partial<Item> | ((item: Item) => Partial<Item>)): void {
  items.update((all) => all.map((item) => (item.key === key ? { ...item, ...(typeof by === "function" ? by(item) : by) } : item)));
}

export function find(key: string): Item | undefined {
  return items.value.find((item) => item.key === key);
}

/** Whether leaving the page would interrupt something. */
export function isBusy(all: Item[] = items.value): boolean {
  return all.some(({ stage }) => stage === "uploading" || stage === "waiting" || stage === "interrupted" || stage === "locked-out");
}

/** Seconds until it is through; nothing while nobody can say. */
export function secondsLeft({ sent, size, rate, stage }: Item): number | undefined {
  return stage === "uploading" && rate > 0 ? (size - sent) / rate : undefined;
}
