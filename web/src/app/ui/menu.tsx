// A button that opens a list of deeds. Arrows move in it, letters find, Escape leaves.

import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { Icon, type IconName } from "./icons";

export interface Deed {
  label: string;
  icon?: IconName;
  /** What it does, or where it leads. */
  run?: () => void;
  href?: string;
  danger?: boolean;
  /** A line before it. */
  apart?: boolean;
}

const MARGIN = 8;

export function Menu({ label, icon = "more", deeds, text, kind = "quiet" }: { label: string; icon?: IconName; deeds: Deed[]; text?: string; kind?: "quiet" | "plain" }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    if (!isOpen) return;
    const it = list.current;
    const at = button.current?.getBoundingClientRect();
    if (it === null || at === undefined) return;
    it.showPopover();
    // Below the button, or above where there is no room; within the window.
    const { offsetWidth: width, offsetHeight: height } = it;
    const left = Math.min(Math.max(MARGIN, at.right - width), innerWidth - width - MARGIN);
    const below = at.bottom + 4;
    const top = below + height + MARGIN > innerHeight ? Math.max(MARGIN, at.top - height - 4) : below;
    it.style.left = `${left}px`;
    it.style.top = `${top}px`;
    entries(it)[0]?.focus();
    const leave = (event: Event) => {
      if (event.target instanceof Node && (it.contains(event.target) || button.current?.contains(event.target))) return;
      setOpen(false);
    };
    document.addEventListener("pointerdown", leave, true);
    addEventListener("scroll", leave, true);
    addEventListener("resize", leave);
    return () => {
      document.removeEventListener("pointerdown", leave, true);
      removeEventListener("scroll", leave, true);
      removeEventListener("resize", leave);
    };
  }, [isOpen]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const move = (event: KeyboardEvent) => {
    const all = list.current === null ? [] : entries(list.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to: Record<string, number> = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 };
    const next = to[event.key];
    if (next !== undefined) all[next]?.focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") setOpen(false);
    else if (/^\S$/.test(event.key)) {
      const from = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      from.find((entry) => entry.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
      return;
    } else return;
    if (event.key !== "Tab") {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  return (
    <div class="menu">
      <button
        ref={button}
        type="button"
        class={`button ${kind} ${text === undefined ? "bare-icon" : ""}`}
        aria-haspopup="menu"
        aria-expanded={isOpen ? "true" : "false"}
        aria-controls={isOpen ? id : undefined}
        aria-label={text === undefined ? label : undefined}
        title={text === undefined ? label : undefined}
        onClick={() => setOpen(!isOpen)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        <Icon name={icon} />
        {text !== undefined && <span>{text}</span>}
      </button>
      {isOpen && (
        <div ref={list} id={id} popover="manual" class="menu-list" role="menu" aria-label={label} onKeyDown={move}>
          {deeds.map((deed) => (
            <Entry key={deed.label} deed={deed} close={close} />
          ))}
        </div>
      )}
    </div>
  );
}

function Entry({ deed, close }: { deed: Deed; close: () => void }): JSX.Element {
  const inside = (
    <>
      {deed.icon !== undefined && <Icon name={deed.icon} size={18} />}
      <span>{deed.label}</span>
    </>
  );
  const looks = `menu-entry ${deed.danger ? "danger" : ""} ${deed.apart ? "apart" : ""}`;
  if (deed.href !== undefined) {
    return (
      <a role="menuitem" tabIndex={-1} class={looks} href={deed.href} onClick={close}>
        {inside}
      </a>
    );
  }
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      class={looks}
      onClick={() => {
        close();
        deed.run?.();
      }}
    >
      {inside}
    </button>
  );
}

function entries(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('[role="menuitem"]')];
}
