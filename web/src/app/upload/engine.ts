// The uploader: Uppy with tus. It goes on through lost connections, restarts of the server and the end of a session;
// what it knows stands in `items`.

import Uppy, { type UppyFile } from "@uppy/core";
import Tus from "@uppy/tus";

import { Refusal, get, inWords, patch } from "../api/client";
import { sentences } from "../api/words";
import type { Asset, AssetChange } from "../api/types";
import { onEvent } from "../live/stream";
import { loggedIn, refresh, session } from "../session";
import type { Chosen } from "./chosen";
import { type Draft, type Item, type Said, WHOLE, change, find, items } from "./items";
import * as memory from "./memory";

type Meta = Record<string, string>;
type File_ = UppyFile<Meta, Record<string, never>>;

/** Files that are sent at once: a browser has six connections to a host, and pages need some too. */
const AT_ONCE = 3;
/** Pauses between tries; together about an hour. Whoever comes back sooner goes on sooner. */
const RETRY_MS = [300, 1_000, 2_000, 4_000, 7_000, ...Array<number>(360).fill(10_000)];
/** A connection on which nothing has moved for so long, here or at the server, is dead, whatever the system thinks. A
 * slow one has seconds of bytes on their way. */
const STALL_MS = 45_000;
/** After so long it is said. */
const QUIET_MS = 12_000;
const WATCH_MS = 3_000;
/** The rate is that of about the last so many seconds. */
const SMOOTH_S = 4;
/** The longest pause that is taken from an answer. */
const LONGEST_WAIT_S = 60;
const SAVE_AFTER_MS = 600;

/** An upload that was begun before. */
interface Begun {
  id: string;
  draft: Draft;
  said: Said;
}

/** An answer that says "later". */
class Later extends Error {}

interface Flow {
  at: number;
  bytes: number;
  rate: number;
  movedAt: number;
  /** What the server has said to have. */
  arrived: number;
}

const flows = new Map<string, Flow>();
const saving = new Map<string, ReturnType<typeof setTimeout>>();
const locks = new Map<string, () => void>();
const handles = new Map<string, memory.Handle>();

const uppy = new Uppy<Meta, Record<string, never>>({ id: "tidegate", autoProceed: true, allowMultipleUploadBatches: true });
uppy.use(Tus, {
  endpoint: new URL("/files", location.href).href,
  retryDelays: RETRY_MS,
  limit: AT_ONCE,
  // What was begun is remembered in `memory`, with what was written about it.
  storeFingerprintForResuming: false,
  allowedMetaFields: ["filename", "filetype", "title", "description", "visibility", "tags"],
  onAfterResponse: async (request, response) => {
    const status = response.getStatus();
    // A client that is refused here begins a new upload, or gives up: neither is wanted for what passes.
    if (status === 401) {
      lockOut();
      await loggedIn();
      throw new Later("logged in again");
    }
    const isPassing = status === 429 || status >= 500;
    if (isPassing && status !== 507 && request.getMethod() !== "PATCH") {
      const asked = Number(response.getHeader("Retry-After") ?? "");
      await pause(Math.min(Number.isFinite(asked) ? asked : 1, LONGEST_WAIT_S) * 1000);
      throw new Later(`the server answered ${status}`);
    }
  },
});

uppy.on("upload-progress", (file, progress) => {
  if (file === undefined) return;
  const sent = progress.bytesUploaded || 0;
  const rate = measure(file.id, sent);
  note(file);
  change(file.id, ({ stage }) => (stage === "paused" || stage === "done" ? { sent } : { sent, rate, stage: "uploading", error: undefined }));
});

uppy.on("upload-success", (file, answer) => {
  if (file === undefined) return;
  const id = idOf(answer.uploadURL) ?? find(file.id)?.id;
  change(file.id, ({ size }) => ({ stage: "done", sent: size, id, error: undefined, rate: 0 }));
  release(file.id);
  if (id === undefined) return;
  void save(file.id);
  void learn(id);
  void refresh();
});

uppy.on("upload-error", (file, error) => {
  if (file === undefined) return;
  change(file.id, { stage: "failed", error: reason(error), rate: 0 });
});

onEvent(({ type, asset, upload, data }) => {
  // What was handed to the system may be long on its way: the server says what has come.
  if (type === "upload.progress" && typeof data?.offset_bytes === "number") arrived(upload, data.offset_bytes);
  if (asset === undefined || !items.value.some((item) => item.id === asset && item.stage === "done")) return;
  if (type === "asset.progress") {
    const progress = typeof data?.progress === "number" ? data.progress : undefined;
    for (const item of items.value) {
      if (item.id === asset && item.asset !== undefined) change(item.key, { asset: { ...item.asset, progress } });
    }
  } else if (type === "asset.deleted") {
    items.update((all) => all.filter((item) => item.id !== asset));
  } else if (type.startsWith("asset.")) void learn(asset);
});

addEventListener("offline", () => hurry());
addEventListener("online", () => hurry());
setInterval(watch, WATCH_MS);

/** Adds files and begins, or goes on with what was begun of them; returns what kept any of them out. */
export async function add(chosen: Chosen[], draft: Draft, begun?: Begun): Promise<string[]> {
  const refused: string[] = [];
  for (const { file, folder, handle } of chosen) {
    const from = begun ?? earlier(file);
    const free = from === undefined ? undefined : await hold(from.id);
    if (from !== undefined && free === undefined) {
      refused.push(`${file.name}: is being uploaded in another tab.`);
      continue;
    }
    try {
      const key = uppy.addFile({
        name: file.name,
        type: file.type,
        data: file,
        source: "tidegate",
        meta: metadata(file, from?.draft ?? draft, folder),
      });
      if (handle !== undefined) handles.set(key, handle);
      items.update((all) => [...all, item(key, file, folder, from?.draft ?? draft, from?.said ?? WHOLE)]);
      if (from !== undefined) {
        uppy.setFileState(key, { tus: { uploadUrl: new URL(`/files/${from.id}`, location.href).href } } as Partial<File_>);
        if (free !== undefined) locks.set(key, free);
        settle(key, from.id);
      }
    } catch (error) {
      free?.();
      refused.push(`${file.name}: ${error instanceof Error && /duplicate/i.test(error.message) ? "is in the list already." : inWords(error)}`);
    }
  }
  return refused;
}

/** What this browser has begun of the same file and is not at. */
function earlier(file: File): Begun | undefined {
  const found = memory.begun(file).find(([id]) => !items.value.some((item) => item.id === id));
  return found === undefined ? undefined : { id: found[0], draft: found[1].draft, said: found[1].said ?? WHOLE };
}

export function pauseOrGoOn(key: string): void {
  const item = find(key);
  if (item === undefined) return;
  if (item.stage === "failed") {
    change(key, { stage: "waiting", error: undefined });
    void uppy.retryUpload(key).catch(() => {});
    return;
  }
  const isPaused = uppy.pauseResume(key);
  flows.delete(key);
  change(key, { stage: isPaused === true ? "paused" : "waiting", rate: 0 });
}

export function pauseAll(): void {
  for (const { key, stage } of items.value) if (stage === "uploading" || stage === "waiting" || stage === "interrupted") pauseOrGoOn(key);
}

export function goOnAll(): void {
  for (const { key, stage } of items.value) if (stage === "paused" || stage === "failed") pauseOrGoOn(key);
}

/** Ends an upload and what came of it, or takes a finished one off the list. */
export async function cancel(key: string): Promise<void> {
  const item = find(key);
  items.update((all) => all.filter((item) => item.key !== key));
  release(key);
  uppy.removeFile(key);
  if (item?.id === undefined || item.stage === "done") return;
  memory.forget(item.id);
  await discard(item.id);
}

/** Has the server forget an upload that is not through. */
export async function discard(id: string): Promise<void> {
  memory.forget(id);
  await fetch(`/files/${id}`, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => {});
}

/** What is written about a video before it is there is kept, and sent when it is. */
export function edit(key: string, by: Partial<Draft>): void {
  const fresh = Object.keys(by) as Said;
  change(key, ({ draft, said, stage }) => ({ draft: { ...draft, ...by }, said: [...new Set([...said, ...fresh])], draftState: stage === "done" ? "saving" : "kept" }));
  const item = find(key);
  if (item?.id !== undefined && item.stage !== "done") keep(item);
  if (item?.stage !== "done") return;
  clearTimeout(saving.get(key));
  saving.set(
    key,
    setTimeout(() => void save(key), SAVE_AFTER_MS),
  );
}

async function save(key: string): Promise<void> {
  const it = find(key);
  if (it?.id === undefined) return;
  change(key, { draftState: "saving" });
  try {
    if (it.said.length > 0) await patch(`/assets/${it.id}`, said(it));
    memory.forget(it.id);
    change(key, ({ draft }) => (draft === it.draft ? { draftState: "saved" } : {}));
  } catch (error) {
    change(key, { draftState: "failed", error: inWords(error) });
    if (!(error instanceof Refusal) || error.status !== 401) return;
    await loggedIn();
    change(key, { error: undefined });
    await save(key);
  }
}

function said({ draft, said }: Item): AssetChange {
  const all: AssetChange = { ...draft, title: draft.title.trim() === "" ? null : draft.title.trim() };
  return Object.fromEntries(said.map((part) => [part, all[part]]));
}

async function learn(id: string): Promise<void> {
  const asset = await get<Asset>(`/assets/${id}`).catch(() => undefined);
  if (asset === undefined) return;
  for (const it of items.value) {
    if (it.id === id) change(it.key, { asset: { state: asset.state, progress: asset.progress, error: asset.error?.message } });
  }
}

/** As soon as an upload has an address, it can be gone on with, also by another page. */
function note(file: File_): void {
  const url = (uppy.getFile(file.id) as File_ & { tus?: { uploadUrl?: string } }).tus?.uploadUrl;
  const id = idOf(url);
  if (id === undefined || find(file.id) === undefined || locks.has(file.id)) return;
  locks.set(file.id, () => {});
  settle(file.id, id);
  void hold(id).then((free) => {
    // It may be through by now.
    if (free !== undefined && locks.has(file.id)) locks.set(file.id, free);
    else free?.();
  });
}

function settle(key: string, id: string): void {
  change(key, { id });
  const item = find(key);
  if (item !== undefined) keep(item);
  const handle = handles.get(key);
  if (handle !== undefined) void memory.keepHandle(id, handle);
}

/** Says to other tabs that this upload is in good hands; returns what lets go of it, or nothing where one of them has it. */
function hold(id: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const has = (lock: Lock | null) => (lock === null ? resolve(undefined) : new Promise<void>((done) => resolve(done)));
    // A browser without locks knows nothing of other tabs.
    if (navigator.locks === undefined) resolve(() => {});
    else navigator.locks.request(`tidegate-upload-${id}`, { ifAvailable: true }, has).catch(() => resolve(() => {}));
  });
}

function keep({ key, id, name, size, draft, said }: Item): void {
  const { data, type } = uppy.getFile(key) ?? {};
  if (id === undefined || !(data instanceof File)) return;
  memory.remember(id, { name, size, modified: data.lastModified, type: type ?? "", draft, said });
}

function release(key: string): void {
  locks.get(key)?.();
  locks.delete(key);
  flows.delete(key);
  handles.delete(key);
}

function lockOut(): void {
  const now = session.value;
  if (now.is === "in" && !now.ended) session.set({ ...now, ended: true });
  for (const { key, stage } of items.value) if (stage === "uploading" || stage === "waiting") change(key, { stage: "locked-out", rate: 0 });
}

/** Notices connections that are dead without saying so. */
function watch(): void {
  const now = performance.now();
  for (const { key, stage, sent, size } of items.value) {
    const flow = flows.get(key);
    if (flow === undefined || (stage !== "uploading" && stage !== "interrupted") || sent >= size) continue;
    if (now - flow.movedAt > QUIET_MS) change(key, { stage: "interrupted", rate: 0 });
    if (now - flow.movedAt > STALL_MS) kick(key, flow, now);
  }
}

/** The network has changed: what stood still may go on now, and what moved does no more. */
function hurry(): void {
  const now = performance.now();
  for (const { key, stage } of items.value) {
    const flow = flows.get(key);
    if (flow === undefined || (stage !== "uploading" && stage !== "interrupted")) continue;
    change(key, { stage: "interrupted", rate: 0 });
    if (navigator.onLine) kick(key, flow, now);
  }
}

function kick(key: string, flow: Flow, now: number): void {
  flow.movedAt = now;
  uppy.pauseResume(key);
  uppy.pauseResume(key);
}

function arrived(id: string | undefined, offset: number): void {
  for (const { key, id: its, stage } of items.value) {
    const flow = flows.get(key);
    if (its !== id || flow === undefined || offset === flow.arrived) continue;
    flow.arrived = offset;
    flow.movedAt = performance.now();
    if (stage === "interrupted") change(key, { stage: "uploading" });
  }
}

function measure(key: string, sent: number): number {
  const now = performance.now();
  const before = flows.get(key);
  if (before === undefined || sent < before.bytes) {
    flows.set(key, { at: now, bytes: sent, rate: 0, movedAt: now, arrived: before?.arrived ?? 0 });
    return 0;
  }
  const seconds = (now - before.at) / 1000;
  if (sent > before.bytes) before.movedAt = now;
  if (seconds < 0.25) return before.rate;
  const fresh = (sent - before.bytes) / seconds;
  const weight = before.rate === 0 ? 1 : 1 - Math.exp(-seconds / SMOOTH_S);
  before.rate += (fresh - before.rate) * weight;
  before.at = now;
  before.bytes = sent;
  return before.rate;
}

function item(key: string, file: File, folder: string, draft: Draft, said: Said): Item {
  return {
    key,
    id: undefined,
    name: file.name,
    folder,
    size: file.size,
    stage: "waiting",
    sent: 0,
    rate: 0,
    error: undefined,
    draft: { ...draft },
    said,
    draftState: "kept",
    asset: undefined,
  };
}

function metadata(file: File, draft: Draft, folder: string): Meta {
  const meta: Meta = { filename: file.name, filetype: file.type || "application/octet-stream", visibility: draft.visibility };
  // The same file may lie in two folders.
  if (folder !== "") meta.relativePath = `${folder}/${file.name}`;
  return meta;
}

function idOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : /\/files\/([^/?#]+)/.exec(url)?.[1];
}

/** Why an upload was refused, from the answer where there is one. */
function reason(error: unknown): string {
  const response = (error as { originalResponse?: { getStatus(): number; getBody(): string } | null }).originalResponse;
  if (response === null || response === undefined) return "The connection was lost for too long. Try again when you are online.";
  try {
    const said = JSON.parse(response.getBody()) as { code?: string; detail?: string; title?: string };
    return sentences(said.code ?? "", said.detail, said.title ?? `The server answered ${response.getStatus()}.`, undefined);
  } catch {
    return `The server answered ${response.getStatus()}. Try again in a moment.`;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
