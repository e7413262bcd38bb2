// What the page says, in words.

import type { State } from "./state";

/** A fault as Shaka gives it. */
export interface Fault {
  category: number;
  code: number;
  data: unknown[];
}

export function isFault(error: unknown): error is Fault {
  return typeof error === "object" && error !== null && "category" in error && "code" in error;
}

const NETWORK = 1;
const MEDIA = 3;
const MANIFEST = 4;
const BAD_HTTP_STATUS = 1001;
const HTTP_ERROR = 1002;
const TIMEOUT = 1003;
const LOAD_INTERRUPTED = 7000;

/** The status of the answer that a fault is about. */
export function statusOf(fault: Fault): number | undefined {
  const status = fault.code === BAD_HTTP_STATUS ? fault.data[1] : undefined;
  return typeof status === "number" ? status : undefined;
}

/** Not there, or not for this viewer. */
export function isRefusal(fault: Fault): boolean {
  const status = statusOf(fault);
  return status === 401 || status === 403 || status === 404 || status === 410;
}

/** Another try may go well: the way there failed, or the permission is to be had anew. */
export function mayPass(fault: Fault): boolean {
  const status = statusOf(fault);
  if (status !== undefined) return status === 401 || status === 403 || status === 429 || status >= 500;
  return fault.code === HTTP_ERROR || fault.code === TIMEOUT;
}

/** Ended by a newer load: nobody's trouble. */
export function isInterruption(error: unknown): boolean {
  return isFault(error) && error.code === LOAD_INTERRUPTED;
}

export function inWords(error: unknown): string {
  if (!isFault(error)) return "The player could not be started.";
  const status = statusOf(error);
  if (status === 401 || status === 403) return "This link does not allow watching any more.";
  if (status === 404 || status === 410) return "This video is not there any more.";
  if (status === 429) return "Too many requests came from here. Wait a moment, then try again.";
  if (status !== undefined) return "The server has trouble with this video at the moment.";
  if (error.category === NETWORK) return "The connection to the video was lost.";
  if (error.category === MEDIA) return "This browser cannot play the video: it does not understand its format.";
  if (error.category === MANIFEST) return "This browser supports none of the formats the video is there in.";
  return `The player failed (${error.code}).`;
}

export interface Sentence {
  text: string;
  progress: number | null;
}

/** What there is to say about how far the video is; nothing when all is well. */
export function situation(state: State, showing: "nothing" | "file" | "adaptive"): Sentence | undefined {
  const { progress } = state;
  switch (state.state) {
    case "processing":
    case "playable":
      if (showing === "adaptive") return { text: "More quality levels are on their way.", progress };
      if (showing === "nothing") return { text: "Being prepared. It can be played here in a moment.", progress };
      return {
        text: "Being prepared for every screen and connection. Until then the file plays as it was uploaded.",
        progress,
      };
    case "failed": {
      const why = state.error?.message ?? "";
      const rest = showing === "file" ? " The file plays as it was uploaded." : "";
      return { text: `It could not be prepared for playing. ${why}${rest}`, progress: null };
    }
    default:
      return undefined;
  }
}
