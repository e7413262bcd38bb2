// What is said of a video.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { inWords } from "../api/client";
import type { Asset, AssetChange } from "../api/types";
import { Button, Card, Field, Trouble } from "../ui/basics";
import { Tags } from "../ui/tags";
import { say } from "../ui/toast";

interface Written {
  title: string;
  description: string;
  tags: string[];
  metadata: string;
}

export function Editor({ asset, save }: { asset: Asset; save: (by: AssetChange) => Promise<void> }): JSX.Element {
  const there = written(asset);
  const key = JSON.stringify(there);
  const [base, setBase] = useState(key);
  const [now, setNow] = useState(there);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const isChanged = JSON.stringify(now) !== base;
  useEffect(() => {
    // Another tab has saved: what nobody is changing here follows.
    if (!isChanged) setNow(there);
    setBase(key);
  }, [key]);

  const fault = metadataFault(now.metadata);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (fault !== undefined || isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      const title = now.title.trim();
      const metadata = now.metadata.trim() === "" ? {} : (JSON.parse(now.metadata) as Record<string, unknown>);
      await save({ title: title === "" ? null : title, description: now.description, tags: now.tags, metadata });
      say("Saved.");
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="Details">
      <form onSubmit={(event) => void submit(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <Field label="Title" value={now.title} placeholder={asset.name} max={200} onInput={(title) => setNow({ ...now, title })} />
        <Field label="Description" value={now.description} lines={4} onInput={(description) => setNow({ ...now, description })} />
        <Tags label="Tags" value={now.tags} onChange={(tags) => setNow({ ...now, tags })} />
        <details>
          <summary>Custom data</summary>
          <Field
            label="JSON"
            value={now.metadata}
            lines={6}
            spellcheck={false}
            error={fault}
            hint="An object with whatever your programs want to keep here. Lists can be filtered by it."
            onInput={(metadata) => setNow({ ...now, metadata })}
          />
        </details>
        <footer class="row-of-buttons">
          <Button kind="primary" type="submit" busy={isBusy} disabled={!isChanged || fault !== undefined}>
            Save
          </Button>
          {isChanged && (
            <Button kind="quiet" onClick={() => setNow(there)}>
              Undo changes
            </Button>
          )}
        </footer>
      </form>
    </Card>
  );
}

function written({ title, description, tags, metadata }: Asset): Written {
  const custom = metadata === undefined || metadata === null || Object.keys(metadata).length === 0 ? "" : JSON.stringify(metadata, null, 2);
  return { title: title ?? "", description: description ?? "", tags: tags ?? [], metadata: custom };
}

function metadataFault(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : "It has to be an object: { … }.";
  } catch (error) {
    return `This is no JSON yet: ${error instanceof Error ? error.message : ""}.`;
  }
}
