// What this browser remembers of uploads that are not through, so that they go on after a reload or another day: which
// file it was, what was written about it, and, where the browser can give it, a handle to open the file again with.

import type { Draft, Said } from "./items";

export interface Remembered {
  name: string;
  size: number;
  modified: number;
  type: string;
  draft: Draft;
  /** All of it where this is missing. */
  said?: Said;
}

type All = Record<string, Remembered>;

/** A handle as Chromium has it; others may lack the permission's part. */
export type Handle = FileSystemFileHandle & {
  queryPermission?: (wish: { mode: "read" }) => Promise<PermissionState>;
  requestPermission?: (wish: { mode: "read" }) => Promise<PermissionState>;
};

const MOST = 500;
const DATABASE = "tidegate";
const HANDLES = "handles";

let owner = "";

/** Whose uploads are remembered. */
export function of(account: string): void {
  owner = account;
}

function place(): string {
  return `tidegate-uploads-${owner}`;
}

export function all(): All {
  try {
    return JSON.parse(localStorage.getItem(place()) ?? "{}") as All;
  } catch {
    return {};
  }
}

/** What was begun of this very file. */
export function begun({ name, size, lastModified }: File): [string, Remembered][] {
  return Object.entries(all()).filter(([, it]) => it.name === name && it.size === size && it.modified === lastModified);
}

export function remember(id: string, what: Remembered): void {
  const kept = Object.entries({ ...all(), [id]: what }).slice(-MOST);
  store(Object.fromEntries(kept));
}

export function forget(id: string): void {
  const { [id]: _, ...rest } = all();
  store(rest);
  void withHandles("readwrite", (handles) => handles.delete(id)).catch(() => {});
}

function store(what: All): void {
  try {
    localStorage.setItem(place(), JSON.stringify(what));
  } catch {
    // No room, or not allowed: the file has to be found by its name and size then.
  }
}

export async function keepHandle(id: string, handle: Handle): Promise<void> {
  await withHandles("readwrite", (handles) => handles.put(handle, id)).catch(() => {});
}

export async function handleOf(id: string): Promise<Handle | undefined> {
  return (await withHandles("readonly", (handles) => handles.get(id)).catch(() => undefined)) as Handle | undefined;
}

/** The file behind a handle, if the browser lets us have it; asking someone takes a press of a button. */
export async function fileOf(handle: Handle, mayAsk: boolean): Promise<File | undefined> {
  try {
    let state = (await handle.queryPermission?.({ mode: "read" })) ?? "granted";
    if (state === "prompt" && mayAsk) state = (await handle.requestPermission?.({ mode: "read" })) ?? "denied";
    return state === "granted" ? await handle.getFile() : undefined;
  } catch {
    // Moved or deleted meanwhile.
    return undefined;
  }
}

function withHandles<T>(mode: IDBTransactionMode, deed: (handles: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(HANDLES);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const request = deed(database.transaction(HANDLES, mode).objectStore(HANDLES));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      request.transaction?.addEventListener("complete", () => database.close());
    };
  });
}
