// The parts of a page, each at an address of its own.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { usePlace } from "../router";

export function Tabs({ label, tabs }: { label: string; tabs: { href: string; label: string }[] }): JSX.Element {
  const { path } = usePlace();
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the one in front may be out of sight.
    const it = nav.current;
    const current = it?.querySelector<HTMLElement>("[aria-current]");
    if (it && current) it.scrollLeft = current.offsetLeft - (it.clientWidth - current.offsetWidth) / 2;
  }, [path]);
  return (
    <nav class="tabs" aria-label={label} ref={nav}>
      {tabs.map((tab) => (
        <a key={tab.href} href={tab.href} aria-current={path === tab.href ? "page" : undefined}>
          {tab.label}
        </a>
      ))}
    </nav>
  );
}
