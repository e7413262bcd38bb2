// Captions beside a video: what there is, one more, one less.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";

import { inWords, put, remove } from "../api/client";
import type { State } from "../../watch/state";
import { useEvents, useLoaded, useSoon } from "../live/use";
import { Button, Card, Field, Theirs, Trouble } from "../ui/basics";
import { confirm } from "../ui/dialog";
import { say } from "../ui/toast";

const LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "pt-BR", "nl", "pl", "tr", "uk", "ru", "ar", "he", "fa", "hi", "ja", "ko", "zh-Hans", "zh-Hant"];

export function Captions({ id }: { id: string }): JSX.Element {
  const loaded = useLoaded(`captions ${id}`, async (signal) => {
    const answer = await fetch(`/watch/${id}/state.json`, { signal, cache: "no-store" });
    return answer.ok ? ((await answer.json()) as State).captions : [];
  });
  const soon = useSoon(loaded.reload, 300);
  useEvents((event) => {
    if (event.asset === id && event.type !== "asset.progress" && event.type !== "viewers") soon();
  });
  const [language, setLanguage] = useState("en");
  const [label, setLabel] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const input = useRef<HTMLInputElement>(null);

  const add = async (file: File) => {
    setBusy(true);
    setTrouble(undefined);
    try {
      const text = new Blob([file], { type: "text/vtt" });
      await put(`/assets/${id}/captions/${encodeURIComponent(language.trim())}`, text, { query: { label: label.trim() } });
      setLabel("");
      say("Captions added.");
      loaded.reload();
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  const drop = (language: string, label: string) =>
    confirm("Remove captions?", `Nobody will be able to show “${label}” any more.`, "Remove", async () => {
      await remove(`/assets/${id}/captions/${encodeURIComponent(language)}`);
      loaded.reload();
    });
  const all = loaded.value ?? [];
  return (
    <Card title="Captions">
      {all.length > 0 ? (
        <ul class="plain-list">
          {all.map(({ language, label }) => (
            <li key={language}>
              <span>
                <Theirs>{label}</Theirs> <span class="quiet">{language}</span>
              </span>
              <Button kind="quiet" icon="trash" label={`Remove captions: ${label}`} onClick={() => drop(language, label)} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="quiet">None yet.</p>
      )}
      {trouble !== undefined && <Trouble error={trouble} />}
      <div class="captions-add">
        <Field label="Language" value={language} onInput={setLanguage} list={LANGUAGES} max={35} spellcheck={false} />
        <Field label="Name in the menu" value={label} onInput={setLabel} placeholder={languageName(language)} max={100} />
      </div>
      <Button icon="plus" busy={isBusy} disabled={language.trim() === ""} onClick={() => input.current?.click()}>
        Add a WebVTT file
      </Button>
      <input
        ref={input}
        class="unseen"
        type="file"
        accept=".vtt,text/vtt"
        tabIndex={-1}
        aria-label="Captions file"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = "";
          if (file !== undefined) void add(file);
        }}
      />
    </Card>
  );
}

function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag.trim()) ?? tag;
  } catch {
    return tag;
  }
}
