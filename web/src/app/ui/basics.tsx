// Small parts that every page is made of.

import type { ComponentChildren, JSX, Ref } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

import { inWords } from "../api/client";
import { ago, moment, percent } from "../../shared/format";
import { Icon, type IconName } from "./icons";

type Kind = "primary" | "plain" | "quiet" | "danger";

export interface ButtonProps {
  children?: ComponentChildren;
  kind?: Kind;
  icon?: IconName;
  /** What a button without words is called. */
  label?: string;
  onClick?: (event: MouseEvent) => void;
  type?: "button" | "submit";
  /** It is being done. */
  busy?: boolean;
  disabled?: boolean;
  class?: string;
  innerRef?: Ref<HTMLButtonElement>;
  attributes?: JSX.HTMLAttributes<HTMLButtonElement> & Record<`data-${string}`, string>;
}

export function Button({ children, kind = "plain", icon, label, onClick, type = "button", busy = false, disabled = false, class: more = "", innerRef, attributes }: ButtonProps): JSX.Element {
  return (
    <button
      ref={innerRef ?? null}
      type={type}
      class={`button ${kind} ${children === undefined ? "bare-icon" : ""} ${more}`}
      onClick={(event) => {
        if (!busy) onClick?.(event);
      }}
      disabled={disabled}
      aria-busy={busy ? "true" : undefined}
      aria-label={label}
      title={children === undefined ? label : undefined}
      {...attributes}
    >
      {busy ? <span class="spinner" aria-hidden="true" /> : icon !== undefined && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink({ href, kind = "plain", icon, children }: { href: string; kind?: Kind; icon?: IconName; children: ComponentChildren }): JSX.Element {
  return (
    <a class={`button ${kind}`} href={href}>
      {icon !== undefined && <Icon name={icon} />}
      <span>{children}</span>
    </a>
  );
}

export interface FieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  required?: boolean;
  autoComplete?: string;
  lines?: number;
  placeholder?: string;
  max?: number;
  spellcheck?: boolean;
  innerRef?: Ref<HTMLInputElement>;
  list?: string[];
}

/** A line, or lines, to write in. */
export function Field({ label, value, onInput, type = "text", hint, error, required = false, autoComplete, lines, placeholder, max, spellcheck, innerRef, list }: FieldProps): JSX.Element {
  const id = useId();
  const [isShown, setShown] = useState(false);
  const isPassword = type === "password";
  const described = [hint === undefined ? "" : `${id}-hint`, error === undefined ? "" : `${id}-error`].join(" ").trim();
  const common = {
    id,
    value,
    required,
    placeholder,
    maxLength: max,
    spellcheck,
    "aria-invalid": error === undefined ? undefined : ("true" as const),
    "aria-describedby": described === "" ? undefined : described,
  };
  return (
    <div class={`field ${error === undefined ? "" : "wrong"}`}>
      <label for={id}>{label}</label>
      {lines !== undefined ? (
        <textarea {...common} rows={lines} onInput={(event) => onInput(event.currentTarget.value)} />
      ) : (
        <div class="line">
          <input
            {...common}
            ref={innerRef ?? null}
            type={isPassword && isShown ? "text" : type}
            autoComplete={autoComplete}
            autoCapitalize={type === "text" && autoComplete === undefined ? undefined : "none"}
            list={list === undefined ? undefined : `${id}-list`}
            onInput={(event) => onInput(event.currentTarget.value)}
          />
          {isPassword && (
            <button type="button" class="reveal" aria-pressed={isShown ? "true" : "false"} aria-label={`Show ${label.toLowerCase()}`} onClick={() => setShown(!isShown)}>
              <Icon name="eye" size={18} />
            </button>
          )}
        </div>
      )}
      {list !== undefined && (
        <datalist id={`${id}-list`}>
          {list.map((text) => (
            <option key={text} value={text} />
          ))}
        </datalist>
      )}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

export interface Option<V extends string = string> {
  value: V;
  label: string;
}

/** One of a few. */
export function Select<V extends string>({ label, value, options, onChange, hideLabel = false }: { label: string; value: V; options: Option<V>[]; onChange: (value: V) => void; hideLabel?: boolean }): JSX.Element {
  const id = useId();
  return (
    <div class="field select">
      <label for={id} class={hideLabel ? "unseen" : ""}>
        {label}
      </label>
      <div class="line">
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as V)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
        <Icon name="down" size={16} />
      </div>
    </div>
  );
}

export function Check({ label, checked, onChange, hideLabel = false, some = false }: { label: string; checked: boolean; onChange: (checked: boolean) => void; hideLabel?: boolean; some?: boolean }): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        ref={(it) => {
          if (it !== null) it.indeterminate = some;
        }}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span class={hideLabel ? "unseen" : ""}>{label}</span>
    </label>
  );
}

export type Tone = "plain" | "good" | "busy" | "warn" | "bad";

export function Badge({ tone = "plain", icon, children, title }: { tone?: Tone; icon?: IconName; children: ComponentChildren; title?: string }): JSX.Element {
  return (
    <span class={`badge ${tone}`} title={title}>
      {icon !== undefined && <Icon name={icon} size={14} />}
      {children}
    </span>
  );
}

/** How far something is, 0 to 1; without a share it only moves. */
export function Progress({ share, label, tone = "busy" }: { share: number | null | undefined; label: string; tone?: Tone }): JSX.Element {
  const known = share ?? undefined;
  const now = known === undefined ? undefined : Math.floor(Math.min(Math.max(known, 0), 1) * 100);
  return (
    <div class={`progress ${tone} ${known === undefined ? "unknown" : ""}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={now} aria-valuetext={known === undefined ? undefined : percent(known)}>
      <div style={{ transform: `scaleX(${Math.min(Math.max(known ?? 0.3, 0), 1)})` }} />
    </div>
  );
}

/** A time, said as people say it; exactly on asking. */
export function Time({ at }: { at: string | null | undefined }): JSX.Element | null {
  const [, tick] = useState({});
  useEffect(() => {
    const timer = setInterval(() => tick({}), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (at === null || at === undefined) return null;
  const time = new Date(at);
  return (
    <time dateTime={at} title={moment(time)}>
      {ago(time)}
    </time>
  );
}

/** A text that someone else has written: whatever marks are in it stay in it. */
export function Theirs({ children }: { children: string }): JSX.Element {
  return <bdi>{children}</bdi>;
}

/** What went wrong, and the way on. */
export function Trouble({ error, again }: { error: unknown; again?: (() => void) | undefined }): JSX.Element {
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      <p>{typeof error === "string" ? error : inWords(error)}</p>
      {again !== undefined && (
        <Button icon="again" onClick={again}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function Note({ tone = "plain", icon, children }: { tone?: Tone; icon?: IconName; children: ComponentChildren }): JSX.Element {
  return (
    <div class={`note ${tone}`}>
      {icon !== undefined && <Icon name={icon} />}
      <div>{children}</div>
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} size={40} />
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Something is on its way; said only when it takes a while. */
export function Loading({ label = "Loading" }: { label?: string }): JSX.Element {
  return (
    <div class="loading" role="status">
      <span class="spinner" aria-hidden="true" />
      <span>{label}…</span>
    </div>
  );
}

export function Card({ title, actions, children, class: more = "" }: { title?: string; actions?: ComponentChildren; children: ComponentChildren; class?: string }): JSX.Element {
  const id = useId();
  return (
    <section class={`card ${more}`} aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <header>
          <h2 id={id}>{title}</h2>
          {actions}
        </header>
      )}
      {children}
    </section>
  );
}

/** A figure and what it is. */
export function Figure({ label, value, note }: { label: string; value: ComponentChildren; note?: ComponentChildren }): JSX.Element {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd>
        <span class="value">{value}</span>
        {note !== undefined && <span class="quiet">{note}</span>}
      </dd>
    </div>
  );
}
