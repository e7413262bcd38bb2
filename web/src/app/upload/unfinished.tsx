// Uploads that were begun earlier, here or elsewhere, and are not through.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { get } from "../api/client";
import type { Upload } from "../api/types";
import { bytes, percent, plural } from "../../shared/format";
import { useEvents, useLoaded, useSoon } from "../live/use";
import { useStore } from "../store";
import { Button, Card, Note, Progress, Theirs, Time } from "../ui/basics";
import { confirm } from "../ui/dialog";
import { complain } from "../ui/toast";
import { type Chosen, fromInput } from "./chosen";
import { WHOLE, items } from "./items";
import * as memory from "./memory";
import { engine } from "./page";

export function Unfinished(): JSX.Element | null {
  const found = useLoaded("uploads", (signal) => get<{ uploads: Upload[] }>("/uploads", { signal }));
  const mine = useStore(items);
  const [elsewhere, setElsewhere] = useState<Set<string>>(new Set());
  const [offsets, setOffsets] = useState<Record<string, number>>({});
  const tried = useRef(false);
  const soon = useSoon(found.reload, 400);
  useEvents(({ type, upload, data }) => {
    if (type === "upload.progress" && upload !== undefined && typeof data?.offset_bytes === "number") {
      const offset = data.offset_bytes;
      setOffsets((all) => ({ ...all, [upload]: offset }));
    } else if (type.startsWith("upload.")) soon();
  }, found.reload);

  const here = new Set(mine.map(({ id }) => id));
  const left = (found.value?.uploads ?? []).filter(({ id }) => !here.has(id));
  const ids = left.map(({ id }) => id).join();

  useEffect(() => {
    // Another tab may be at it: it says so by a lock.
    void navigator.locks?.query().then(({ held }) => {
      setElsewhere(new Set((held ?? []).map(({ name }) => name?.replace("tidegate-upload-", "") ?? "")));
    });
  }, [ids]);

  useEffect(() => {
    if (tried.current || found.value === undefined) return;
    tried.current = true;
    // What the browser lets us open again goes on without anyone's doing.
    void (async () => {
      for (const upload of left) await goOn(upload, false);
    })();
  }, [found.value]);

  if (left.length === 0) return null;
  return (
    <Card title="Not finished yet">
      <Several left={left.filter(({ id }) => !elsewhere.has(id))} />
      <ul class="uploads">
        {left.map((upload) => (
          <Left key={upload.id} upload={{ ...upload, offset_bytes: Math.max(upload.offset_bytes, offsets[upload.id] ?? 0) }} isElsewhere={elsewhere.has(upload.id)} reload={found.reload} />
        ))}
      </ul>
    </Card>
  );
}

/** Goes on with a file that the browser can open by itself. */
async function goOn(upload: Upload, mayAsk: boolean): Promise<boolean> {
  const handle = await memory.handleOf(upload.id);
  const file = handle === undefined ? undefined : await memory.fileOf(handle, mayAsk);
  return file !== undefined && (await take(upload, { file, folder: "", handle })) === undefined;
}

/** Goes on with this file; or says why not. */
async function take(upload: Upload, chosen: Chosen): Promise<string | undefined> {
  const known = memory.all()[upload.id];
  const { name, size, lastModified } = chosen.file;
  if (size !== (known?.size ?? upload.length_bytes ?? size)) {
    return `${name} is not the file that was begun: that one has ${bytes(known?.size ?? upload.length_bytes ?? 0)}, this one ${bytes(size)}.`;
  }
  if (known !== undefined && known.modified !== lastModified) {
    return `${name} was changed since the upload began. Discard the upload and begin it again.`;
  }
  const draft = known?.draft ?? { title: "", description: "", visibility: "private" as const, tags: [] };
  // What was begun elsewhere was described there.
  const said = known === undefined ? [] : (known.said ?? WHOLE);
  const { add } = await engine();
  return (await add([chosen], draft, { id: upload.id, draft, said }))[0];
}

/** Chooses the files of several uploads in one go. */
function Several({ left }: { left: Upload[] }): JSX.Element | null {
  const input = useRef<HTMLInputElement>(null);
  const given = async (chosen: Chosen[]) => {
    let matched = 0;
    for (const it of chosen) {
      const fits = left.find((upload) => upload.name === it.file.name && (upload.length_bytes ?? it.file.size) === it.file.size);
      if (fits === undefined) continue;
      const trouble = await take(fits, it);
      if (trouble === undefined) matched += 1;
      else complain(trouble);
    }
    if (matched === 0 && chosen.length > 0) complain("None of these files was being uploaded. Their name and size have to be the same.");
  };
  if (left.length < 2) return null;
  return (
    <Note icon="again">
      <p>
        {plural(left.length, "upload")} stopped on the way. Choose the same files again, and they go on where they were.{" "}
        <Button onClick={() => input.current?.click()}>Choose the files</Button>
      </p>
      <input
        ref={input}
        type="file"
        multiple
        class="unseen"
        tabIndex={-1}
        aria-label="Files to go on with"
        onChange={(event) => {
          const chosen = fromInput(event.currentTarget.files);
          event.currentTarget.value = "";
          void given(chosen);
        }}
      />
    </Note>
  );
}

function Left({ upload, isElsewhere, reload }: { upload: Upload; isElsewhere: boolean; reload: () => void }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [trouble, setTrouble] = useState<string>();
  const { id, name, offset_bytes: offset, length_bytes: length } = upload;
  const share = length === null || length === undefined || length === 0 ? undefined : offset / length;
  const press = async () => {
    setTrouble(undefined);
    if (!(await goOn(upload, true))) input.current?.click();
  };
  const given = async (chosen: Chosen | undefined) => {
    if (chosen !== undefined) setTrouble(await take(upload, chosen));
  };
  const drop = () =>
    confirm("Discard this upload?", `What is there of ${name}, ${bytes(offset)}, will be removed.`, "Discard", async () => {
      await (await engine()).discard(id);
      reload();
    });
  return (
    <li class="upload">
      <div class="upload-line">
        <div class="upload-name">
          <strong>
            <Theirs>{name}</Theirs>
          </strong>
        </div>
        {!isElsewhere && (
          <div class="row-of-buttons">
            <Button kind="primary" icon="play" onClick={() => void press()} attributes={{ "data-go-on": id }}>
              Choose the file again
            </Button>
            <Button kind="quiet" icon="trash" label={`Discard ${name}`} onClick={drop} />
          </div>
        )}
      </div>
      <Progress share={share ?? 0} label={`${name}: uploaded`} tone="plain" />
      <p class="upload-facts">
        {share === undefined ? bytes(offset) : `${percent(share)} of ${bytes(length ?? 0)}`} is there · begun <Time at={upload.created_at} />
        {isElsewhere ? " · going on in another tab" : ""}
      </p>
      {trouble !== undefined && (
        <p class="error" role="alert">
          {trouble}
        </p>
      )}
      <input
        ref={input}
        class="unseen"
        type="file"
        tabIndex={-1}
        aria-label={`${name} again`}
        data-again={id}
        onChange={(event) => {
          const [chosen] = fromInput(event.currentTarget.files);
          event.currentTarget.value = "";
          void given(chosen);
        }}
      />
    </li>
  );
}
