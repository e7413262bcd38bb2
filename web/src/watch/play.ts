// Tells the origin that somebody watches: one play from the first picture on, through pauses, until the page is left.

export interface Watched {
  asset: string;
  /** What permits to watch it, where the address does. */
  grant?: string | undefined;
}

const FALLBACK_S = 10;
/** Between two looks at the clock, more than this was a seek or a nap. */
const LONGEST_STEP_S = 2;

export class Play {
  readonly #video: HTMLVideoElement;
  readonly #what: Watched;
  readonly #stops = new AbortController();
  #id: string | undefined;
  #isAsked = false;
  #everyS = FALLBACK_S;
  #beatenAt = 0;
  #lastAt: number | undefined;
  #watchedS = 0;
  #wishedAt: number | undefined;
  #startS: number | undefined;
  #stalls = 0;
  #isStalled = false;

  constructor(video: HTMLVideoElement, what: Watched) {
    this.#video = video;
    this.#what = what;
    const { signal } = this.#stops;
    const on = (name: string, deed: () => void) => video.addEventListener(name, deed, { signal });
    on("play", () => (this.#wishedAt ??= performance.now()));
    on("playing", () => this.#playing());
    on("waiting", () => this.#waiting());
    on("timeupdate", () => this.#tick());
    on("pause", () => this.#beat());
    on("ended", () => this.#beat(true));
    addEventListener("pagehide", () => this.#beat(), { signal });
  }

  /** The page shows something else now. */
  close(): void {
    this.#beat();
    this.#stops.abort();
  }

  #playing(): void {
    if (this.#startS === undefined && this.#wishedAt !== undefined) this.#startS = (performance.now() - this.#wishedAt) / 1000;
    this.#isStalled = false;
    this.#lastAt = performance.now();
    void this.#begin();
  }

  #waiting(): void {
    // Before the first picture it is the start that is slow, and a seek waits by nature.
    if (this.#startS === undefined || this.#video.seeking || this.#isStalled) return;
    this.#isStalled = true;
    this.#stalls += 1;
  }

  async #begin(): Promise<void> {
    if (this.#isAsked) return;
    this.#isAsked = true;
    try {
      const answer = await send("/api/v1/plays", this.#what);
      if (!answer.ok) return;
      const { id, every_s } = (await answer.json()) as { id: string; every_s?: number };
      this.#id = id;
      this.#everyS = every_s ?? FALLBACK_S;
      this.#beat();
    } catch {
      // Whether it is counted is no viewer's trouble.
    }
  }

  #tick(): void {
    const now = performance.now();
    if (this.#lastAt !== undefined && !this.#video.paused) {
      const step = (now - this.#lastAt) / 1000;
      if (step < LONGEST_STEP_S) this.#watchedS += step;
    }
    this.#lastAt = now;
    if (now - this.#beatenAt >= this.#everyS * 1000) this.#beat();
  }

  #beat(ended = false): void {
    if (this.#id === undefined) return;
    this.#beatenAt = performance.now();
    const said = {
      position_s: round(this.#video.currentTime),
      watched_s: round(this.#watchedS),
      start_s: this.#startS === undefined ? undefined : round(this.#startS),
      stalls: this.#stalls,
      ended,
    };
    send(`/api/v1/plays/${this.#id}`, said).catch(() => {});
  }
}

/** Also when the page is being left. */
function send(path: string, body: unknown): Promise<Response> {
  return fetch(path, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
