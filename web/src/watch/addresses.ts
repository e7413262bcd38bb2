// Where the bytes come from may change while a video plays: a grant runs out and there is a new one, an edge goes away
// and there is another. Addresses that the player has from a manifest are moved along.

export class Addresses {
  readonly #earlier = new Set<string>();
  #now: string;

  constructor(base: string) {
    this.#now = whole(base);
  }

  /** From now on everything comes from here. */
  move(base: string): void {
    const next = whole(base);
    if (next === this.#now) return;
    this.#earlier.add(this.#now);
    this.#earlier.delete(next);
    this.#now = next;
  }

  /** The address as of now. */
  current(uri: string): string {
    for (const base of this.#earlier) {
      if (uri.startsWith(`${base}/media/`)) return this.#now + uri.slice(base.length);
    }
    return uri;
  }
}

function whole(base: string): string {
  return new URL(base === "" ? "/" : base, location.href).href.replace(/\/$/, "");
}
