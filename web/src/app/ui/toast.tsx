// Short sentences at the edge of the page: what was done, and the way back.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { inWords } from "../api/client";
import { Store, useStore } from "../store";
import { Button } from "./basics";
import { Icon } from "./icons";

interface Toast {
  key: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void } | undefined;
}

const STAYS_MS = 8_000;
const MOST = 4;
const toasts = new Store<Toast[]>([]);
let key = 0;

export function say(text: string, action?: Toast["action"]): void {
  add({ key: (key += 1), text, tone: "plain", action });
}

/** Says what went wrong. */
export function complain(error: unknown): void {
  add({ key: (key += 1), text: typeof error === "string" ? error : inWords(error), tone: "bad" });
}

function add(toast: Toast): void {
  toasts.update((all) => [...all.slice(-MOST + 1), toast]);
}

function drop(which: number): void {
  toasts.update((all) => all.filter((toast) => toast.key !== which));
}

/** Where they stand; once on a page. Screen readers are told of what is added. */
export function Toasts(): JSX.Element {
  const all = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite" aria-label="Messages">
      {all.map((toast) => (
        <One key={toast.key} toast={toast} />
      ))}
    </div>
  );
}

function One({ toast }: { toast: Toast }): JSX.Element {
  const timer = useRef<ReturnType<typeof setTimeout>>();
  // It stays while someone is at it.
  const wait = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => drop(toast.key), STAYS_MS);
  };
  const hold = () => clearTimeout(timer.current);
  useEffect(() => {
    wait();
    return hold;
  }, []);
  return (
    <div class={`toast ${toast.tone}`} onMouseEnter={hold} onMouseLeave={wait} onFocusIn={hold} onFocusOut={wait}>
      {toast.tone === "bad" && <Icon name="warning" />}
      <p>{toast.text}</p>
      {toast.action !== undefined && (
        <Button
          kind="quiet"
          onClick={() => {
            drop(toast.key);
            toast.action?.run();
          }}
        >
          {toast.action.label}
        </Button>
      )}
      <Button kind="quiet" icon="close" label="Dismiss" onClick={() => drop(toast.key)} />
    </div>
  );
}
