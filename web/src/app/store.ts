// A value that parts of the page follow.

import { useEffect, useState } from "preact/hooks";

export class Store<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  /** Calls back at each change until the returned function is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The value now, and again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, again] = useState<object>();
  const shown = store.value;
  useEffect(() => {
    const stop = store.follow(() => again({}));
    // It may have changed between the picture and this.
    if (!Object.is(shown, store.value)) again({});
    return stop;
  }, [store]);
  return shown;
}
