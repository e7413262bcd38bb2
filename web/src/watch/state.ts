// What the origin says of the video, asked for again while that may change.

/** The answer of `state.json`; it also stands in the page. */
export interface State {
  /** The type the file was uploaded as. */
  content_type: string;
  state: "uploaded" | "processing" | "playable" | "ready" | "failed";
  /** How much is made, 0 to 1. */
  progress: number | null;
  duration_s: number | null;
  error: { code: string; message: string } | null;
  /** What all addresses below begin with: the edge, and the grant where there is one. */
  base: string;
  /** The file as it was uploaded. */
  source: string;
  playback: { hls: string | null; dash: string | null; poster: string | null; storyboard: string | null };
  width: number | null;
  height: number | null;
  /** The rungs that play, from the lowest. */
  rungs: { width: number; height: number }[];
  captions: { src: string; language: string; label: string }[];
}

const FIRST_MS = 1_000;
const LONGEST_MS = 15_000;
const GROWTH = 1.4;
/** Someone may have it tried again. */
const AFTER_FAILURE_MS = 30_000;

/** The origin's refusal. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
  ) {
    super(title);
  }
}

/** Asks once. */
export async function ask(url: string): Promise<State> {
  const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } });
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => ({}))) as { title?: string };
    throw new Refused(answer.status, problem.title ?? answer.statusText);
  }
  return (await answer.json()) as State;
}

/**
 * Asks until nothing more is to come, less and less often while nothing changes, and not while nobody looks; or until
 * the returned function is called.
 */
export function follow(url: string, first: State, changed: (state: State) => void): () => void {
  let isOver = false;
  let last = JSON.stringify(first);
  let state = first;
  let pause = FIRST_MS;
  const again = () => {
    if (isOver || isFinal(state)) return;
    const wait = state.state === "failed" ? AFTER_FAILURE_MS : pause;
    pause = Math.min(pause * GROWTH, LONGEST_MS);
    setTimeout(look, wait);
  };
  const look = async () => {
    if (isOver) return;
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => void look(), { once: true });
      return;
    }
    try {
      state = await ask(url);
      if (isOver) return;
      const text = JSON.stringify(state);
      if (text !== last) {
        last = text;
        pause = FIRST_MS;
        changed(state);
      }
    } catch (error) {
      // Deleted, private by now, or the link is over: there is nothing to wait for.
      if (error instanceof Refused && error.status < 500 && error.status !== 429) return;
    }
    again();
  };
  again();
  return () => (isOver = true);
}

function isFinal(state: State): boolean {
  return state.state === "ready" || state.state === "uploaded";
}
