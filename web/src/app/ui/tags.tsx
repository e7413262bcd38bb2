// Words that a video is found by: each a chip, written and taken away one by one.

import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";

import { Icon } from "./icons";

const LONGEST = 50;

export function Tags({ label, value, onChange }: { label: string; value: string[]; onChange: (tags: string[]) => void }): JSX.Element {
  const id = useId();
  const [text, setText] = useState("");
  const add = (words: string) => {
    const fresh = words
      .split(",")
      .map((word) => word.trim().slice(0, LONGEST))
      .filter((word) => word !== "" && !value.includes(word));
    if (fresh.length > 0) onChange([...value, ...new Set(fresh)]);
    setText("");
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="tags-input">
        {value.map((tag) => (
          <span key={tag} class="tag">
            <bdi>{tag}</bdi>
            <button type="button" aria-label={`Remove the tag ${tag}`} onClick={() => onChange(value.filter((other) => other !== tag))}>
              <Icon name="close" size={12} />
            </button>
          </span>
        ))}
        <input
          id={id}
          value={text}
          aria-describedby={`${id}-hint`}
          onInput={({ currentTarget: { value: words } }) => (words.includes(",") ? add(words) : setText(words))}
          onKeyDown={(event) => {
            if (event.key === "Enter" && text.trim() !== "") {
              event.preventDefault();
              add(text);
            } else if (event.key === "Backspace" && text === "" && value.length > 0) onChange(value.slice(0, -1));
          }}
          onBlur={() => add(text)}
        />
      </div>
      <p class="hint" id={`${id}-hint`}>
        Press Enter or a comma after each.
      </p>
    </div>
  );
}
