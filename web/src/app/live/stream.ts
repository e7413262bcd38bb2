// What happens on the server, as it happens. All tabs of a browser share one stream: over HTTP/1.1 a browser opens no
// more than six connections to a host, and a stream holds one for as long as it runs. The tab that has the lock has the
// stream and tells the others; when it is closed, the next one goes on behind the last event that was heard.

import { get } from "../api/client";
import { Store } from "../store";

/** An event as the origin sends it. */
export interface Happening {
  id?: number | string;
  type: string;
  at?: string;
  account?: string;
  asset?: string;
  upload?: string;
  data?: Record<string, unknown>;
}

/** What tabs tell each other. */
type Told = { say: "event"; event: Happening } | { say: "anew" } | { say: "state"; isLive: boolean } | { say: "how?" };

const TYPES = [
  "upload.created",
  "upload.finished",
  "upload.removed",
  "upload.progress",
  "asset.playable",
  "asset.ready",
  "asset.failed",
  "asset.changed",
  "asset.deleted",
  "asset.restored",
  "asset.progress",
  "viewers",
];
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A stream that was away for longer is said to be away. */
const SILENCE_MS = 4_000;

/** Whether news come in as they happen. */
export const isLive = new Store<boolean | undefined>(undefined);

const listeners = new Set<(event: Happening) => void>();
const anewListeners = new Set<() => void>();
let channel: BroadcastChannel | undefined;
let source: EventSource | undefined;
let release: (() => void) | undefined;
let stopped: AbortController | undefined;
let lastId: string | undefined;
let seesAll = false;
let pauseMs = FIRST_PAUSE_MS;
let timer: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Tells of each event until the returned function is called. */
export function onEvent(deed: (event: Happening) => void): () => void {
  listeners.add(deed);
  return () => listeners.delete(deed);
}

/** Tells that events were missed: what was loaded has to be loaded again. */
export function onAnew(deed: () => void): () => void {
  anewListeners.add(deed);
  return () => anewListeners.delete(deed);
}

/** Begins to listen; `all` is everybody's events, for administrators. */
export function listen(all: boolean): void {
  stop();
  seesAll = all;
  stopped = new AbortController();
  const name = `tidegate-live${all ? "-all" : ""}`;
  // Locks are there in secure contexts alone; elsewhere each tab has a stream of its own.
  if (navigator.locks === undefined || typeof BroadcastChannel !== "function") {
    connect();
    return;
  }
  channel = new BroadcastChannel(name);
  channel.addEventListener("message", ({ data }: MessageEvent<Told>) => hear(data));
  channel.postMessage({ say: "how?" } satisfies Told);
  const { signal } = stopped;
  const hold = () => new Promise<void>((done) => ((release = done), signal.aborted ? done() : connect()));
  navigator.locks.request(name, { signal }, hold).catch(() => {});
}

/** Listens no more: nobody is logged in. */
export function stop(): void {
  stopped?.abort();
  release?.();
  release = undefined;
  source?.close();
  source = undefined;
  channel?.close();
  channel = undefined;
  clearTimeout(timer);
  clearTimeout(silence);
  lastId = undefined;
  isLive.set(undefined);
}

function hear(told: Told): void {
  if (told.say === "event") deliver(told.event);
  else if (told.say === "anew") anew();
  else if (told.say === "state") isLive.set(told.isLive);
  else if (source !== undefined) tell({ say: "state", isLive: isLive.value === true });
}

function tell(told: Told): void {
  channel?.postMessage(told);
}

function connect(): void {
  const query = new URLSearchParams();
  if (lastId !== undefined) query.set("after", lastId);
  if (seesAll) query.set("all", "true");
  const text = query.toString();
  const stream = new EventSource(`/api/v1/events${text === "" ? "" : `?${text}`}`);
  source = stream;
  const isFirst = lastId === undefined;
  stream.addEventListener("hello", (event) => {
    pauseMs = FIRST_PAUSE_MS;
    isLoud(true);
    const head = read(event)?.data?.head;
    if (isFirst && lastId === undefined) {
      if (head !== undefined) lastId = String(head);
      // What a page has asked for before may be older than the first event that it hears.
      anew();
      tell({ say: "anew" });
    }
  });
  stream.addEventListener("reset", (event) => {
    const head = read(event)?.data?.head;
    lastId = head === undefined ? undefined : String(head);
    anew();
    tell({ say: "anew" });
  });
  for (const type of TYPES) {
    stream.addEventListener(type, (event) => {
      const happening = read(event);
      if (happening === undefined) return;
      if (event.lastEventId !== "") happening.id = event.lastEventId;
      deliver({ ...happening, type });
      tell({ say: "event", event: { ...happening, type } });
    });
  }
  stream.addEventListener("open", () => isLoud(true));
  stream.addEventListener("error", () => {
    isLoud(false);
    // The browser tries again by itself, unless it was refused.
    if (stream.readyState === EventSource.CLOSED && source === stream) again();
  });
}

function again(): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    // The browser does not say why it was refused: this asks, and notices when the session has ended.
    get("/account").catch(() => {});
    connect();
  }, pauseMs);
  pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
}

function isLoud(now: boolean): void {
  clearTimeout(silence);
  const say = () => {
    isLive.set(now);
    tell({ say: "state", isLive: now });
  };
  if (now) say();
  else silence = setTimeout(say, SILENCE_MS);
}

function deliver(event: Happening): void {
  if (event.id !== undefined) lastId = String(event.id);
  for (const listener of [...listeners]) listener(event);
}

function anew(): void {
  for (const listener of [...anewListeners]) listener();
}

/** What is told in passing says it beside its names; what is kept, in `data`. Here it is in `data` alike. */
function read(event: MessageEvent<string>): Happening | undefined {
  try {
    const { data, ...names } = JSON.parse(event.data) as Happening;
    return { ...names, data: { ...names, ...data } };
  } catch {
    return undefined;
  }
}
