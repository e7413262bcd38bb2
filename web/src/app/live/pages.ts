// Lists that the API gives in pages: `?limit&cursor` in, `next_cursor` out.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { get, isAbort } from "../api/client";
import type { Wish } from "../api/client";
import type { Listing } from "../ui/table";

const LIMIT = 50;

/** The list at `path`, whose entries the answer has under `name`. */
export function usePages<T>(path: string, name: string, query: NonNullable<Wish["query"]> = {}, limit = LIMIT): Listing<T> & { patch: (change: (rows: T[]) => T[]) => void } {
  const key = `${path} ${JSON.stringify(query)}`;
  const [state, setState] = useState<{ key: string; rows?: T[]; cursor?: string | null; error?: unknown }>({ key });
  const [isLoading, setLoading] = useState(false);
  const [turn, setTurn] = useState(0);
  const running = useRef<AbortController>();

  const ask = useCallback(
    async (cursor: string | undefined, size: number) => {
      running.current?.abort();
      const abort = new AbortController();
      running.current = abort;
      setLoading(true);
      try {
        const answer = await get<Record<string, unknown>>(path, { query: { ...query, limit: size, cursor }, signal: abort.signal });
        const found = (answer[name] ?? []) as T[];
        const next = (answer.next_cursor ?? null) as string | null;
        setState((before) => {
          const rows = cursor === undefined || before.key !== key ? found : [...(before.rows ?? []), ...found];
          return { key, rows, cursor: next };
        });
      } catch (error) {
        if (isAbort(error)) return;
        setState((before) => (before.key === key ? { ...before, error } : { key, error }));
      } finally {
        if (running.current === abort) setLoading(false);
      }
    },
    [key],
  );

  const shown = useRef(0);
  shown.current = state.key === key ? (state.rows?.length ?? 0) : 0;
  useEffect(() => {
    // As much as stands there, within what a page may hold.
    void ask(undefined, Math.min(Math.max(limit, shown.current), 100));
    return () => running.current?.abort();
  }, [key, turn]);

  const isOurs = state.key === key;
  const cursor = isOurs ? (state.cursor ?? undefined) : undefined;
  return {
    rows: isOurs ? state.rows : undefined,
    error: isOurs ? state.error : undefined,
    hasMore: cursor !== undefined,
    isLoading,
    more: () => void (cursor !== undefined && ask(cursor, limit)),
    reload: useCallback(() => setTurn((turn) => turn + 1), []),
    patch: (change) => setState((before) => (before.rows === undefined ? before : { ...before, rows: change(before.rows) })),
  };
}
