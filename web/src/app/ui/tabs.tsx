// The parts of a page, each at an address of its own.

import type { JSX } from "preact";

import { usePlace } from "../router";

export function Tabs({ label, tabs }: { label: string; tabs: { href: string; label: string }[] }): JSX.Element {
  const { path } = usePlace();
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.href} href={tab.href} aria-current={path === tab.href ? "page" : undefined}>
          {tab.label}
        </a>
      ))}
    </nav>
  );
}
