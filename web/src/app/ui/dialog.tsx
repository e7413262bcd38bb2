// A dialog over the page. The browser's own: it keeps the focus inside, and gives it back.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { inWords } from "../api/client";
import { Store, useStore } from "../store";
import { Button, Trouble } from "./basics";

export function Dialog({ title, onClose, children, wide = false }: { title: string; onClose: (() => void) | undefined; children: ComponentChildren; wide?: boolean }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const it = dialog.current;
    const before = document.activeElement;
    it?.showModal();
    return () => {
      it?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose?.();
      }}
    >
      <div class="dialog">
        <header>
          <h2 id={id}>{title}</h2>
          {onClose !== undefined && <Button kind="quiet" icon="close" label="Close" onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  text: ComponentChildren;
  yes: string;
  danger: boolean;
  deed: () => Promise<void>;
}

const question = new Store<Question | undefined>(undefined);

/** Asks before something that cannot be taken back; does it if they say so. */
export function confirm(title: string, text: ComponentChildren, yes: string, deed: () => Promise<void>, danger = true): void {
  question.set({ title, text, yes, danger, deed });
}

/** Where questions are asked; once on a page. */
export function Questions(): JSX.Element | null {
  const asked = useStore(question);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  if (asked === undefined) return null;
  const end = () => {
    setTrouble(undefined);
    question.set(undefined);
  };
  const run = async () => {
    setBusy(true);
    setTrouble(undefined);
    try {
      await asked.deed();
      end();
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={asked.title} onClose={end}>
      <div class="dialog-body">{typeof asked.text === "string" ? <p>{asked.text}</p> : asked.text}</div>
      {trouble !== undefined && <Trouble error={trouble} />}
      <footer>
        <Button onClick={end}>Cancel</Button>
        <Button kind={asked.danger ? "danger" : "primary"} busy={isBusy} onClick={() => void run()}>
          {asked.yes}
        </Button>
      </footer>
    </Dialog>
  );
}
