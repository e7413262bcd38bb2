// Addresses and pages: links stay links, and the page in front changes without a load.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { Store, useStore } from "./store";

export interface Place {
  path: string;
  query: URLSearchParams;
}

const place = new Store<Place>(here());
let arrivals = 0;

function here(): Place {
  return { path: location.pathname.replace(/(.)\/+$/, "$1"), query: new URLSearchParams(location.search) };
}

/** Pages that this document shows; what else is a load. */
const OURS = /^\/(?:$|(?:login|signup|forgot|reset|library|upload|settings|admin|docs)(?:\/|$))/;

export function usePlace(): Place {
  return useStore(place);
}

export function go(to: string, how: "push" | "replace" = "push"): void {
  const url = new URL(to, location.href);
  if (url.origin !== location.origin || !OURS.test(url.pathname)) {
    location.assign(url);
    return;
  }
  const isSame = url.pathname === location.pathname;
  history[how === "push" ? "pushState" : "replaceState"](null, "", url);
  place.set(here());
  if (!isSame) arrived();
}

/** The address says something else now, but it is the same page. */
export function rewrite(query: Record<string, string | undefined>): void {
  const url = new URL(location.href);
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === "") url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  if (url.href === location.href) return;
  history.replaceState(history.state, "", url);
  place.set(here());
}

/** Takes links over, once. */
export function begin(): void {
  addEventListener("popstate", () => {
    const before = place.value.path;
    place.set(here());
    if (before !== place.value.path) arrived(false);
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!OURS.test(link.pathname) || (link.hash !== "" && link.pathname === location.pathname)) return;
    event.preventDefault();
    go(link.href);
  });
}

function arrived(toTop = true): void {
  arrivals += 1;
  if (toTop) scrollTo(0, 0);
}

/** While this holds, the browser asks before it leaves our pages. */
export function useUnload(holds: boolean): void {
  useEffect(() => {
    if (!holds) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [holds]);
}

/** Whether an address may be gone to after log-in: one of ours, and nobody else's. */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/library";
  const url = new URL(next, location.href);
  const isOurs = url.origin === location.origin && OURS.test(url.pathname);
  return isOurs && !/^\/(login|signup|forgot|reset)?$/.test(url.pathname) ? url.pathname + url.search : "/library";
}

/**
 * The heading of a page: names the document, and takes the focus when someone comes from another page, so that a screen
 * reader says where they are.
 */
export function Heading({ title, children, ...rest }: { title: string; children?: ComponentChildren } & Omit<JSX.HTMLAttributes<HTMLHeadingElement>, "title">): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  const seen = useRef(-1);
  useEffect(() => {
    document.title = `${title} – Tidegate`;
  }, [title]);
  useEffect(() => {
    // Not at the first page: there the browser says it.
    if (seen.current === -1 && arrivals > 0) heading.current?.focus({ preventScroll: true });
    seen.current = arrivals;
  }, []);
  return (
    <h1 tabIndex={-1} ref={heading} {...rest}>
      {children ?? title}
    </h1>
  );
}
