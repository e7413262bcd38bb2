// Talks to `/api/v1`. What the origin refuses becomes a `Refusal`, with a sentence that says what to do.

import { sentences } from "./words";

const ROOT = "/api/v1";
/** A page asks again by itself when the origin says that it will be able to answer within so long. */
const PATIENCE_S = 5;
const TRIES = 3;

/** An answer that is none. `status` is 0 when there was no answer at all. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string | undefined,
    title: string,
    readonly retryAfterS: number | undefined = undefined,
  ) {
    super(sentences(code, detail, title, retryAfterS));
  }
}

export interface Wish {
  body?: unknown;
  query?: Record<string, string | number | boolean | null | undefined> | undefined;
  signal?: AbortSignal | undefined;
  /** A page that asks who someone is does not want to be told to log in. */
  quietly?: boolean | undefined;
}

let whenLoggedOut: () => void = () => {};

/** What to do when a session has ended. */
export function onLoggedOut(deed: () => void): void {
  whenLoggedOut = deed;
}

export function get<T>(path: string, wish: Omit<Wish, "body"> = {}): Promise<T> {
  return ask<T>("GET", path, wish);
}

export function post<T = void>(path: string, body?: unknown, wish: Wish = {}): Promise<T> {
  return ask<T>("POST", path, { ...wish, body });
}

export function patch<T = void>(path: string, body: unknown): Promise<T> {
  return ask<T>("PATCH", path, { body });
}

export function put<T = void>(path: string, body: unknown, wish: Wish = {}): Promise<T> {
  return ask<T>("PUT", path, { ...wish, body });
}

export function remove(path: string): Promise<void> {
  return ask<void>("DELETE", path, {});
}

/** Whether an error only says that nobody waits for the answer any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What to say of an error. */
export function inWords(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  console.error(error);
  return "Something went wrong in this page. Reload it, then try again.";
}

async function ask<T>(method: string, path: string, wish: Wish): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once<T>(method, path, wish);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401 && !wish.quietly) whenLoggedOut();
      const wait = error.status === 429 || error.status === 503 ? error.retryAfterS : undefined;
      if (method !== "GET" || wait === undefined || wait > PATIENCE_S || attempt === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.max(wait, 0.5) * 1000));
    }
  }
}

async function once<T>(method: string, path: string, { body, query, signal }: Wish): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const request: RequestInit = { method, headers, cache: "no-store", credentials: "same-origin" };
  if (body instanceof Blob) {
    headers["Content-Type"] = body.type;
    request.body = body;
  } else if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  if (signal !== undefined) request.signal = signal;
  let answer: Response;
  try {
    answer = await fetch(ROOT + path + asked(query), request);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Refusal(0, "unreachable", undefined, "The server cannot be reached.");
  }
  if (!answer.ok) throw await refusal(answer);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function refusal(answer: Response): Promise<Refusal> {
  const said = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string; title?: string };
  const wait = Number(answer.headers.get("Retry-After") ?? Number.NaN);
  const title = said.title ?? `The server answered ${answer.status}.`;
  return new Refusal(answer.status, said.code ?? "", said.detail, title, Number.isFinite(wait) ? wait : undefined);
}

function asked(query: Wish["query"]): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}
