// A long list of rows of one height, of which only those in sight are in the page.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Rows above and below what is seen, so that there is something when it moves, and for the Tab key to go to. */
const BEYOND = 8;

export interface VirtualProps {
  count: number;
  /** Of a row, in CSS pixels, borders included. */
  height: number;
  label: string;
  row: (index: number) => ComponentChildren;
  /** The last row in sight. */
  seen: (last: number) => void;
}

export function Virtual({ count, height, label, row, seen }: VirtualProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ from: 0, to: 20 });

  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = box.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / height) - BEYOND);
      const to = Math.max(from + 1, Math.ceil((innerHeight - top) / height) + BEYOND);
      setRange((before) => (before.from === from && before.to === to ? before : { from, to }));
    };
    const soon = () => {
      if (frame === 0) frame = requestAnimationFrame(look);
    };
    look();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [height]);

  const from = Math.min(range.from, Math.max(0, count - 1));
  const to = Math.min(range.to, count);
  useLayoutEffect(() => seen(to), [to, count]);

  const rows = [];
  for (let index = from; index < to; index += 1) rows.push(row(index));
  return (
    <div ref={box} class="virtual" role="list" aria-label={label} style={{ height: `${count * height}px` }}>
      <div class="virtual-window" role="presentation" style={{ transform: `translateY(${from * height}px)` }}>
        {rows}
      </div>
    </div>
  );
}
