// A video of one's own: watch it, say what it is, share it, see how it does.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { Refusal, get } from "../api/client";
import type { Asset, AssetChange } from "../api/types";
import { bytes, clock, plural } from "../../shared/format";
import { useEvents, useLoaded, useSoon } from "../live/use";
import { Heading, go } from "../router";
import { useAccount } from "../session";
import { Badge, Button, ButtonLink, Card, Empty, Loading, Note, Progress, Theirs, Time, Trouble } from "../ui/basics";
import { Menu } from "../ui/menu";
import { complain, say } from "../ui/toast";
import { change, discard, retry } from "../library/deeds";
import { stateWords, titleOf } from "../words";
import { Captions } from "./captions";
import { Editor } from "./editor";
import { Player } from "./player";
import { Share } from "./share";
import { StatisticsCard } from "./statistics";

export function AssetPage({ id }: { id: string }): JSX.Element {
  const account = useAccount();
  const loaded = useLoaded(`asset ${id}`, (signal) => get<Asset>(`/assets/${encodeURIComponent(id)}`, { signal }));
  const soon = useSoon(loaded.reload);
  const asset = loaded.value;
  const [isGone, setGone] = useState(false);
  useEvents((event) => {
    if (event.asset !== id) return;
    if (event.type === "asset.progress" && asset !== undefined && typeof event.data?.progress === "number") loaded.set({ ...asset, progress: event.data.progress });
    else if (event.type === "viewers" && asset !== undefined && typeof event.data?.viewers_now === "number") loaded.set({ ...asset, viewers_now: event.data.viewers_now });
    else if (event.type === "asset.deleted") setGone(true);
    else {
      setGone(false);
      soon();
    }
  }, loaded.reload);

  if (asset === undefined) {
    const isMissing = loaded.error instanceof Refusal && loaded.error.status === 404;
    return (
      <div class="page">
        <Heading title={isMissing ? "Not there" : "Video"} />
        {isMissing ? <Missing /> : loaded.error === undefined ? <Loading /> : <Trouble error={loaded.error} again={loaded.reload} />}
      </div>
    );
  }
  const isMine = asset.owner === undefined || asset.owner === null || asset.owner.id === account.id;
  const mayWatch = isMine || asset.visibility !== "private";
  const state = stateWords(asset.state, asset.progress);
  const save = async (by: AssetChange) => loaded.set(await change(id, by));
  const leave = () => go("/library");
  const again = () => void retry(asset).then(() => say("It is being tried again."), complain);
  return (
    <div class="page asset-page">
      <header class="page-head">
        <div class="asset-head">
          <a class="back" href="/library">
            Library
          </a>
          <Heading title={titleOf(asset)}>
            <Theirs>{titleOf(asset)}</Theirs>
          </Heading>
        </div>
        <div class="row-of-buttons">
          {mayWatch && <ButtonLink href={`/watch/${id}`}>Watch page</ButtonLink>}
          <Menu
            label="More for this video"
            deeds={[
              ...(isMine ? [{ label: "Download the file", icon: "file" as const, href: `/media/${id}/source` }] : []),
              { label: "Delete", icon: "trash", danger: true, run: () => void discard([asset], leave, () => go(`/library/${id}`)) },
            ]}
          />
        </div>
      </header>
      {isGone && <Note tone="warn">This video was moved to the trash.</Note>}
      <div class="asset-columns">
        <div class="asset-main">
          {mayWatch ? <Player key={id} id={id} /> : <Note icon="lock">Only its owner can watch this video: it is private.</Note>}
          <div class="asset-line">
            <Badge tone={state.tone}>{state.text}</Badge>
            {(asset.state === "processing" || asset.state === "playable") && <Progress share={asset.progress} label="Prepared" />}
            {(asset.viewers_now ?? 0) > 0 && <span class="live">{plural(asset.viewers_now ?? 0, "person", "people")} watching</span>}
          </div>
          {asset.state === "failed" && (
            <div class="note bad" role="alert">
              <p>{asset.error?.message ?? "It could not be prepared for playing."}</p>
              <Button icon="again" onClick={again}>
                Try again
              </Button>
            </div>
          )}
          <Editor asset={asset} save={save} />
          <StatisticsCard id={id} isLive={(asset.viewers_now ?? 0) > 0} />
        </div>
        <div class="asset-side">
          {isMine && <Share asset={asset} save={save} />}
          {isMine && asset.state !== "uploaded" && <Captions id={id} />}
          <Card title="File">
            <dl class="facts">
              <dt>Name</dt>
              <dd>
                <Theirs>{asset.name}</Theirs>
              </dd>
              <dt>Size</dt>
              <dd>{bytes(asset.size_bytes)}</dd>
              {asset.duration_s !== null && asset.duration_s !== undefined && (
                <>
                  <dt>Length</dt>
                  <dd>{clock(asset.duration_s)}</dd>
                </>
              )}
              {asset.width !== null && asset.width !== undefined && (
                <>
                  <dt>Picture</dt>
                  <dd>
                    {asset.width} × {asset.height}
                  </dd>
                </>
              )}
              <dt>Type</dt>
              <dd>{asset.content_type}</dd>
              <dt>Uploaded</dt>
              <dd>
                <Time at={asset.created_at} />
                {!isMine && asset.owner && ` by ${asset.owner.username}`}
              </dd>
              {asset.encrypted === true && (
                <>
                  <dt>Encrypted</dt>
                  <dd>Yes (AES-128)</dd>
                </>
              )}
              <dt>Digest</dt>
              <dd class="code">{asset.digest}</dd>
            </dl>
          </Card>
        </div>
      </div>
    </div>
  );
}

function Missing(): JSX.Element {
  return (
    <Empty icon="search" title="This video is not there, or it is not yours.">
      <p class="row-of-buttons">
        <ButtonLink href="/library" kind="primary">
          To the library
        </ButtonLink>
        <ButtonLink href="/library?trash">Look in the trash</ButtonLink>
      </p>
    </Empty>
  );
}
