// Hooks for what comes from the server: asked for once, then kept up to date by events.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { isAbort } from "../api/client";
import { type Happening, onAnew, onEvent } from "./stream";

/** Calls back at each event while the component stands. */
export function useEvents(deed: (event: Happening) => void, anew?: () => void): void {
  const now = useRef({ deed, anew });
  now.current = { deed, anew };
  useEffect(() => {
    const stops = [onEvent((event) => now.current.deed(event)), onAnew(() => now.current.anew?.())];
    return () => stops.forEach((stop) => stop());
  }, []);
}

export interface Loaded<T> {
  value: T | undefined;
  error: unknown;
  /** Asks again; what stands there stays until the answer is there. */
  reload: () => void;
  set: (value: T) => void;
}

/** Loads what `ask` asks for, again whenever `key` changes. */
export function useLoaded<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: unknown }>({ key });
  const [turn, setTurn] = useState(0);
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    const abort = new AbortController();
    asking.current(abort.signal).then(
      (value) => setState({ key, value }),
      (error: unknown) => {
        if (isAbort(error)) return;
        // An answer that is there is better than none, unless it is another's.
        setState((before) => (before.key === key && before.value !== undefined ? { ...before, error } : { key, error }));
      },
    );
    return () => abort.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((turn) => turn + 1), []);
  const set = useCallback((value: T) => setState({ key, value }), [key]);
  const isOurs = state.key === key;
  return { value: isOurs ? state.value : undefined, error: isOurs ? state.error : undefined, reload, set };
}

/** Calls back every so many seconds while someone looks. */
export function useEvery(seconds: number, deed: () => void): void {
  const now = useRef(deed);
  now.current = deed;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) now.current();
    }, seconds * 1000);
    const look = () => {
      if (!document.hidden) now.current();
    };
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [seconds]);
}

/** Runs `deed` a moment after the last call, once however many there were. */
export function useSoon(deed: () => void, waitMs = 150): () => void {
  const now = useRef(deed);
  now.current = deed;
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => now.current(), waitMs);
  }, [waitMs]);
}
