// What states and settings are called.

import { percent } from "../shared/format";
import type { Asset, AssetState, Role, Visibility } from "./api/types";
import type { Option, Tone } from "./ui/basics";
import type { IconName } from "./ui/icons";

export const VISIBILITIES: Option<Visibility>[] = [
  { value: "private", label: "Private: only you" },
  { value: "unlisted", label: "Unlisted: who has the link" },
  { value: "public", label: "Public: everyone" },
];

export const VISIBILITY_SHORT: Record<Visibility, { label: string; icon: IconName }> = {
  private: { label: "Private", icon: "lock" },
  unlisted: { label: "Unlisted", icon: "link" },
  public: { label: "Public", icon: "globe" },
};

export const ROLES: Option<Role>[] = [
  { value: "viewer", label: "Viewer" },
  { value: "uploader", label: "Uploader" },
  { value: "admin", label: "Administrator" },
];

/** What a video is at, in a word or two. */
export function stateWords(state: AssetState, progress?: number | null): { text: string; tone: Tone } {
  const share = typeof progress === "number" ? ` ${percent(progress)}` : "";
  switch (state) {
    case "uploaded":
      return { text: "File only", tone: "plain" };
    case "processing":
      return { text: `Being prepared${share}`, tone: "busy" };
    case "playable":
      return { text: `Playable${share}`, tone: "busy" };
    case "ready":
      return { text: "Ready", tone: "good" };
    case "failed":
      return { text: "Failed", tone: "bad" };
  }
}

/** What people call a video. */
export function titleOf({ title, name }: Pick<Asset, "title" | "name">): string {
  return title === null || title === undefined || title === "" ? name : title;
}
