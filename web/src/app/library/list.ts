// The list of videos as far as it has been asked for. Pages come one after the other, ahead of whoever scrolls; events
// change what stands in it.

import { get, isAbort } from "../api/client";
import type { Asset } from "../api/types";
import type { Happening } from "../live/stream";
import { Store } from "../store";

export interface Query {
  q: string;
  state: string;
  visibility: string;
  tag: string;
  sort: string;
  trashed: boolean;
  all: boolean;
}

interface Answer {
  assets: Asset[];
  next_cursor?: string | null;
  total?: number | null;
}

export interface View {
  assets: Asset[];
  /** How many there are in all; what is loaded where the API does not say. */
  total: number;
  isLoading: boolean;
  /** Nothing has been answered yet. */
  isNew: boolean;
  error: unknown;
}

const PAGE = 100;
/** More changes at once than this, and the list is asked for anew. */
const ONE_BY_ONE = 12;
const GATHER_MS = 120;

export class AssetList {
  readonly view = new Store<View>({ assets: [], total: 0, isLoading: true, isNew: true, error: undefined });
  #cursor: string | null | undefined;
  #wanted = 0;
  #abort = new AbortController();
  #isRunning = false;
  /** Counts how often the rows were replaced. */
  #generation = 0;
  #changed = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly query: Query) {
    void this.#run();
  }

  /** Sees to it that the list is there up to this place. */
  want(index: number): void {
    if (index < this.#wanted) return;
    this.#wanted = index + 1;
    if (this.view.value.error === undefined) void this.#run();
  }

  /** After a failure, or when somebody asks. */
  again(): void {
    this.#put({ error: undefined });
    void this.#run();
  }

  end(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#cursor !== null && (this.view.value.isNew || this.view.value.assets.length < this.#wanted)) {
        this.#put({ isLoading: true });
        const generation = this.#generation;
        const answer = await this.#ask(this.#cursor, PAGE);
        // It goes on from rows that are no longer there.
        if (generation !== this.#generation) continue;
        this.#cursor = answer.next_cursor ?? null;
        const has = new Set(this.view.value.assets.map(({ id }) => id));
        const assets = [...this.view.value.assets, ...answer.assets.filter(({ id }) => !has.has(id))];
        this.#put({ assets, total: this.#total(answer, assets.length), isNew: false, error: undefined });
      }
    } catch (error) {
      if (!isAbort(error)) this.#put({ error });
    } finally {
      this.#isRunning = false;
      this.#put({ isLoading: false });
    }
  }

  /** Asks for the beginning anew and puts what is new there in its place; what stands further down stays. */
  async refresh(): Promise<void> {
    try {
      const answer = await this.#ask(undefined, PAGE);
      const { assets } = this.view.value;
      const isAll = (answer.next_cursor ?? null) === null;
      if (isAll || assets.length <= answer.assets.length) {
        this.#generation += 1;
        this.#cursor = answer.next_cursor ?? null;
        this.#put({ assets: answer.assets, total: this.#total(answer, answer.assets.length), isNew: false, error: undefined });
        return;
      }
      const fresh = new Set(answer.assets.map(({ id }) => id));
      const last = answer.assets.at(-1);
      const from = assets.findIndex(({ id }) => id === last?.id);
      // Where the page ends inside what is there, the rest goes on behind it.
      const rest = (from === -1 ? assets.slice(answer.assets.length) : assets.slice(from + 1)).filter(({ id }) => !fresh.has(id));
      this.#put({ assets: [...answer.assets, ...rest], total: this.#total(answer, answer.assets.length + rest.length), isNew: false, error: undefined });
    } catch (error) {
      if (!isAbort(error)) this.#put({ error });
    }
  }

  /** Changes an entry here at once. */
  patch(id: string, by: Partial<Asset>): void {
    const { assets } = this.view.value;
    if (!assets.some((asset) => asset.id === id)) return;
    this.#put({ assets: assets.map((asset) => (asset.id === id ? { ...asset, ...by } : asset)) });
  }

  drop(ids: Set<string>): void {
    const { assets, total } = this.view.value;
    const left = assets.filter(({ id }) => !ids.has(id));
    if (left.length < assets.length) this.#put({ assets: left, total: Math.max(left.length, total - (assets.length - left.length)) });
  }

  hear({ type, asset, data }: Happening): void {
    if (asset === undefined) return;
    switch (type) {
      case "asset.progress":
        if (typeof data?.progress === "number") this.patch(asset, { progress: data.progress });
        return;
      case "viewers":
        if (typeof data?.viewers_now === "number") this.patch(asset, { viewers_now: data.viewers_now });
        return;
      case "asset.deleted":
        if (!this.query.trashed) return this.drop(new Set([asset]));
        break;
      case "asset.restored":
        if (this.query.trashed) return this.drop(new Set([asset]));
        break;
    }
    this.#changed.add(asset);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#catchUp(), GATHER_MS);
  }

  async #catchUp(): Promise<void> {
    const ids = [...this.#changed];
    this.#changed.clear();
    const has = new Set(this.view.value.assets.map(({ id }) => id));
    // A filter may take in what it left out before, and the other way round: then only the server knows.
    const { q, state, visibility, tag, trashed, sort } = this.query;
    const isPlain = q === "" && state === "" && visibility === "" && tag === "" && !trashed && sort === "-created";
    if (!isPlain || ids.length > ONE_BY_ONE || ids.some((id) => !has.has(id))) return this.refresh();
    await Promise.all(
      ids.map(async (id) => {
        try {
          this.patch(id, await get<Asset>(`/assets/${id}`, { signal: this.#abort.signal }));
        } catch {
          // It may be gone by now; an event says so.
        }
      }),
    );
  }

  #ask(cursor: string | undefined, limit: number): Promise<Answer> {
    const { q, state, visibility, tag, sort, trashed, all } = this.query;
    const wish = { q, state, visibility, tag, sort: sort === "-created" ? "" : sort, limit, cursor, trashed: trashed || undefined, all: all || undefined };
    return get<Answer>("/assets", { query: wish, signal: this.#abort.signal });
  }

  #total(answer: Answer, loaded: number): number {
    return Math.max(answer.total ?? 0, loaded);
  }

  #put(by: Partial<View>): void {
    if (this.#abort.signal.aborted) return;
    this.view.update((view) => ({ ...view, ...by }));
  }
}
