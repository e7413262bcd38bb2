// One upload: how far it is, and what is written about it meanwhile.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { bytes, percent, rate, span } from "../../shared/format";
import { Badge, Button, ButtonLink, Field, Progress, Select, Theirs, type Tone } from "../ui/basics";
import { Tags } from "../ui/tags";
import { VISIBILITIES, stateWords } from "../words";
import { type Item, secondsLeft } from "./items";
import { engine } from "./page";

export function Row({ item }: { item: Item }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const { key, name, folder, size, sent, stage } = item;
  const canPause = stage === "uploading" || stage === "waiting" || stage === "interrupted";
  const canGoOn = stage === "paused" || stage === "failed";
  const called = item.draft.title.trim() === "" ? name : item.draft.title;
  const press = () => void engine().then(({ pauseOrGoOn }) => pauseOrGoOn(key));
  return (
    <li class={`upload ${stage}`}>
      <div class="upload-line">
        <div class="upload-name">
          <strong>
            <Theirs>{called}</Theirs>
          </strong>
          {(called !== name || folder !== "") && (
            <span class="quiet upload-file">
              <Theirs>{folder === "" ? name : `${folder}/${name}`}</Theirs>
            </span>
          )}
        </div>
        <div class="row-of-buttons">
          {canPause && <Button kind="quiet" icon="pause" label={`Pause ${name}`} onClick={press} />}
          {canGoOn && <Button kind="quiet" icon={stage === "failed" ? "again" : "play"} label={`${stage === "failed" ? "Try again:" : "Resume"} ${name}`} onClick={press} />}
          <Button kind="quiet" icon="edit" label={`Details of ${name}`} onClick={() => setOpen(!isOpen)} attributes={{ "aria-expanded": isOpen ? "true" : "false" }} />
          {stage === "done" && item.id !== undefined && <ButtonLink href={`/library/${item.id}`}>Open</ButtonLink>}
          <Button kind="quiet" icon="close" label={stage === "done" ? `Take ${name} off the list` : `Cancel ${name}`} onClick={() => void engine().then(({ cancel }) => cancel(key))} />
        </div>
      </div>
      {stage !== "done" && <Progress share={size === 0 ? 0 : sent / size} label={`${name}: uploaded`} tone={tone(item)} />}
      <p class="upload-facts">
        <Said item={item} />
      </p>
      {item.error !== undefined && <p class="error">{item.error}</p>}
      {isOpen && <Details item={item} />}
    </li>
  );
}

function tone({ stage }: Item): Tone {
  return stage === "failed" ? "bad" : stage === "interrupted" || stage === "locked-out" ? "warn" : stage === "paused" || stage === "waiting" ? "plain" : "busy";
}

function Said({ item }: { item: Item }): JSX.Element {
  const { stage, sent, size } = item;
  const left = secondsLeft(item);
  const amount = `${percent(size === 0 ? 0 : sent / size)} of ${bytes(size)}`;
  switch (stage) {
    case "waiting":
      return <>Waiting for its turn · {bytes(size)}</>;
    case "uploading":
      return (
        <>
          {amount}
          {item.rate > 0 && ` · ${rate(item.rate)}`}
          {left !== undefined && ` · ${span(left)} left`}
        </>
      );
    case "paused":
      return <>Paused at {amount}</>;
    case "interrupted":
      return <>Connection lost at {amount}. It goes on by itself.</>;
    case "locked-out":
      return <>Stopped at {amount}: log in, and it goes on.</>;
    case "failed":
      return <>Stopped at {amount}</>;
    case "done": {
      const state = item.asset?.state;
      if (state === undefined) return <>Uploaded · {bytes(size)}</>;
      const said = stateWords(state, item.asset?.progress);
      return (
        <>
          <Badge tone={said.tone}>{said.text}</Badge> {bytes(size)}
          {item.asset?.error !== undefined && state === "failed" && ` · ${item.asset.error}`}
        </>
      );
    }
  }
}

function Details({ item }: { item: Item }): JSX.Element {
  const { key, draft, draftState, stage } = item;
  const edit = (by: Partial<Item["draft"]>) => void engine().then((it) => it.edit(key, by));
  const said = {
    kept: stage === "done" ? "" : "Kept here, and saved when the upload is through.",
    saving: "Saving…",
    saved: "Saved.",
    failed: "Not saved.",
  }[draftState];
  return (
    <div class="upload-details">
      <Field label="Title" value={draft.title} max={200} placeholder={item.name} onInput={(title) => edit({ title })} />
      <Field label="Description" value={draft.description} lines={3} onInput={(description) => edit({ description })} />
      <Tags label="Tags" value={draft.tags} onChange={(tags) => edit({ tags })} />
      <Select label="Who may watch" value={draft.visibility} options={VISIBILITIES} onChange={(visibility) => edit({ visibility })} />
      <p class="hint" role="status">
        {said}
      </p>
    </div>
  );
}
