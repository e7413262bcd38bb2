// The upload page: files come in by drop or by choice, and what was begun before can be gone on with.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { bytes, plural } from "../../shared/format";
import { Button, Card, Empty, Note, Select, Trouble } from "../ui/basics";
import { Heading } from "../router";
import { server, useAccount } from "../session";
import { useStore } from "../store";
import { type Chosen, fromDrop, fromInput, fromPicker, looksPlayable } from "./chosen";
import { Row } from "./row";
import { type Draft, isBusy, items } from "./items";
import * as memory from "./memory";
import { Unfinished } from "./unfinished";
import { VISIBILITIES } from "../words";
import type { Visibility } from "../api/types";

/** Loaded when the first file comes, or when someone comes near. */
export const engine = () => import("./engine");

export function UploadPage(): JSX.Element {
  const account = useAccount();
  const all = useStore(items);
  const allowed = useStore(server);
  const [visibility, setVisibility] = useState<Visibility>("private");
  const [refused, setRefused] = useState<string[]>([]);
  const [odd, setOdd] = useState<Chosen[]>([]);
  memory.of(account.id);
  useEffect(() => void engine(), []);

  const room = account.quota_bytes === null || account.quota_bytes === undefined ? undefined : Math.max(0, account.quota_bytes - account.used_bytes);
  const draft = (): Draft => ({ title: "", description: "", visibility, tags: [] });

  const take = async (chosen: Chosen[], evenOdd = false) => {
    const { add } = await engine();
    const no: string[] = [];
    const fit: Chosen[] = [];
    let left = room;
    for (const it of chosen) {
      const { name, size } = it.file;
      if (size === 0) no.push(`${name} is empty.`);
      else if (allowed !== undefined && size > allowed.max_upload_bytes) {
        no.push(`${name} is too large: ${bytes(size)}, and this server takes ${bytes(allowed.max_upload_bytes)} at most.`);
      } else if (left !== undefined && size > left && memory.begun(it.file).length === 0) {
        no.push(`${name} does not fit into your account: it is ${bytes(size)}, and ${bytes(left)} are left. Delete something, or ask an administrator for more.`);
      } else {
        if (left !== undefined) left -= size;
        fit.push(it);
      }
    }
    setOdd(evenOdd ? [] : fit.filter(({ file }) => !looksPlayable(file)));
    setRefused([...no, ...(await add(evenOdd ? fit : fit.filter(({ file }) => looksPlayable(file)), draft()))]);
  };

  const done = all.filter(({ stage }) => stage === "done");
  return (
    <div class="page narrow">
      <header class="page-head">
        <Heading title="Upload" />
        {room !== undefined && <p class="quiet">{bytes(room)} left in your account</p>}
      </header>
      {account.role === "viewer" ? (
        <Note icon="lock">Your account is for watching only. Ask an administrator if you want to upload.</Note>
      ) : (
        <>
          <Zone take={(chosen) => void take(chosen)} limit={allowed?.max_upload_bytes} />
          <div class="upload-options">
            <Select label="New uploads are" value={visibility} onChange={setVisibility} options={VISIBILITIES} />
            <p class="quiet">You can leave this page, close the browser or lose the connection: uploads go on where they were.</p>
          </div>
          {odd.length > 0 && (
            <Note tone="warn" icon="warning">
              <p>
                {odd.length === 1 ? `${odd[0]?.file.name} does not look like a video or sound file` : `${plural(odd.length, "file")} do not look like video or sound files`}, and
                nothing could be played from {odd.length === 1 ? "it" : "them"}.
              </p>
              <p class="row-of-buttons">
                <Button onClick={() => void take(odd, true)}>Upload {odd.length === 1 ? "it" : "them"} anyway</Button>
                <Button kind="quiet" onClick={() => setOdd([])}>
                  Leave {odd.length === 1 ? "it" : "them"} out
                </Button>
              </p>
            </Note>
          )}
          {refused.length > 0 && (
            <Trouble error={refused.slice(0, 5).join(" ") + (refused.length > 5 ? ` And ${plural(refused.length - 5, "more file", "more files")}.` : "")} />
          )}
          {all.length > 0 && (
            <Card
              title={isBusy(all) ? "Uploading" : "Uploads"}
              actions={
                <span class="row-of-buttons">
                  {all.filter(({ stage }) => stage === "uploading" || stage === "waiting").length > 1 && (
                    <Button kind="quiet" icon="pause" onClick={() => void engine().then(({ pauseAll }) => pauseAll())}>
                      Pause all
                    </Button>
                  )}
                  {all.filter(({ stage }) => stage === "paused" || stage === "failed").length > 1 && (
                    <Button kind="quiet" icon="play" onClick={() => void engine().then(({ goOnAll }) => goOnAll())}>
                      Resume all
                    </Button>
                  )}
                  {done.length > 1 && (
                    <Button kind="quiet" onClick={() => void engine().then(({ cancel }) => done.forEach(({ key }) => void cancel(key)))}>
                      Clear finished
                    </Button>
                  )}
                </span>
              }
            >
              <ul class="uploads">
                {all.map((item) => (
                  <Row key={item.key} item={item} />
                ))}
              </ul>
            </Card>
          )}
          <Unfinished />
          {all.length === 0 && <div class="spacer" />}
        </>
      )}
    </div>
  );
}

function Zone({ take, limit }: { take: (chosen: Chosen[]) => void; limit: number | undefined }): JSX.Element {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  const choose = async () => {
    const picked = await fromPicker();
    if (picked === undefined) files.current?.click();
    else if (picked.length > 0) take(picked);
  };
  // Wherever on the page a file is let go, it is meant for here; elsewhere the browser would open it in the page's place.
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event) || event.dataTransfer === null) return;
      event.preventDefault();
      setOver(false);
      void fromDrop(event.dataTransfer).then((chosen) => latest.current(chosen));
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
  const given = (input: HTMLInputElement) => {
    const chosen = fromInput(input.files);
    input.value = "";
    if (chosen.length > 0) take(chosen);
  };
  return (
    <div class={`zone ${isOver ? "over" : ""}`}>
      <Empty icon="upload" title={isOver ? "Let go to upload" : "Drop videos here"}>
        <p class="quiet">Files or whole folders{limit === undefined ? "" : `, up to ${bytes(limit)} each`}</p>
        <p class="row-of-buttons">
          <Button kind="primary" icon="file" onClick={() => void choose()}>
            Choose files
          </Button>
          <Button icon="folder" onClick={() => folder.current?.click()}>
            Choose a folder
          </Button>
        </p>
      </Empty>
      <input ref={files} class="unseen" type="file" multiple tabIndex={-1} aria-label="Files to upload" data-files onChange={(event) => given(event.currentTarget)} />
      <input
        ref={(it) => {
          folder.current = it;
          it?.setAttribute("webkitdirectory", "");
        }}
        class="unseen"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Folder to upload"
        onChange={(event) => given(event.currentTarget)}
      />
    </div>
  );
}
