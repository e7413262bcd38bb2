// A video in the list.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Asset } from "../api/types";
import { bytes, clock, count } from "../../shared/format";
import { Badge, Check, Progress, Theirs, Time } from "../ui/basics";
import { Icon } from "../ui/icons";
import { type Deed, Menu } from "../ui/menu";
import { VISIBILITY_SHORT, stateWords, titleOf } from "../words";

export interface RowProps {
  asset: Asset;
  index: number;
  total: number;
  isChosen: boolean;
  isRenaming: boolean;
  showsOwner: boolean;
  isTrash: boolean;
  deeds: Deed[];
  choose: (chosen: boolean) => void;
  rename: (title: string | undefined) => void;
  filterBy: (tag: string) => void;
}

export function Row({ asset, index, total, isChosen, isRenaming, showsOwner, isTrash, deeds, choose, rename, filterBy }: RowProps): JSX.Element {
  const { id, tags = [] } = asset;
  const title = titleOf(asset);
  const state = stateWords(asset.state, asset.progress);
  const visibility = VISIBILITY_SHORT[asset.visibility];
  return (
    <div class={`asset ${isChosen ? "chosen" : ""}`} role="listitem" aria-setsize={total} aria-posinset={index + 1}>
      <Check label={`Select ${title}`} hideLabel checked={isChosen} onChange={choose} />
      <Poster asset={asset} href={isTrash ? undefined : `/library/${id}`} />
      <div class="asset-text">
        {isRenaming ? (
          <Rename title={title} done={rename} />
        ) : isTrash ? (
          <span class="asset-title">
            <Theirs>{title}</Theirs>
          </span>
        ) : (
          <a class="asset-title" href={`/library/${id}`}>
            <Theirs>{title}</Theirs>
          </a>
        )}
        <p class="asset-facts">
          {showsOwner && asset.owner && <span>{asset.owner.username}</span>}
          <span>{bytes(asset.size_bytes)}</span>
          <Time at={asset.created_at} />
          {(asset.viewers_now ?? 0) > 0 && <span class="live">{count(asset.viewers_now ?? 0)} watching</span>}
          {tags.slice(0, 3).map((tag) => (
            <button key={tag} type="button" class="tag" aria-label={`Show videos with the tag ${tag}`} onClick={() => filterBy(tag)}>
              <bdi>{tag}</bdi>
            </button>
          ))}
        </p>
      </div>
      <div class="asset-state">
        <Badge tone={state.tone}>{state.text}</Badge>
        {(asset.state === "processing" || asset.state === "playable") && <Progress share={asset.progress} label={`${title}: prepared`} />}
        {asset.state === "failed" && asset.error && (
          <span class="asset-why" title={asset.error.message}>
            {asset.error.message}
          </span>
        )}
      </div>
      <span class="asset-visibility" title={visibility.label}>
        <Icon name={visibility.icon} size={16} />
        <span>{visibility.label}</span>
      </span>
      <Menu label={`More for ${title}`} deeds={deeds} />
    </div>
  );
}

function Poster({ asset, href }: { asset: Asset; href: string | undefined }): JSX.Element {
  const [isBroken, setBroken] = useState(false);
  const { poster } = asset.playback;
  const isSound = asset.content_type.startsWith("audio/");
  useEffect(() => setBroken(false), [poster]);
  const inside = (
    <>
      {poster === null || poster === undefined || isBroken ? (
        <Icon name={isSound ? "play" : asset.content_type.startsWith("video/") ? "library" : "file"} size={24} />
      ) : (
        <img src={poster} alt="" width={112} height={63} loading="lazy" decoding="async" onError={() => setBroken(true)} />
      )}
      {asset.duration_s !== null && asset.duration_s !== undefined && <span class="poster-time">{clock(asset.duration_s)}</span>}
    </>
  );
  return href === undefined ? (
    <span class="poster">{inside}</span>
  ) : (
    <a class="poster" href={href} tabIndex={-1} aria-hidden="true">
      {inside}
    </a>
  );
}

function Rename({ title, done }: { title: string; done: (title: string | undefined) => void }): JSX.Element {
  const [text, setText] = useState(title);
  const input = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const end = (how: string | undefined) => {
    if (isDone.current) return;
    isDone.current = true;
    done(how === undefined || how.trim() === "" || how.trim() === title ? undefined : how.trim());
  };
  return (
    <input
      ref={input}
      class="rename"
      value={text}
      maxLength={200}
      aria-label={`New title for ${title}`}
      onInput={(event) => setText(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") end(text);
        else if (event.key === "Escape") end(undefined);
      }}
      onBlur={() => end(text)}
    />
  );
}

/** A row that is not there yet. */
export function Blank(): JSX.Element {
  return (
    <div class="asset blank" role="presentation">
      <span class="poster" />
      <div class="asset-text">
        <span class="bone long" />
        <span class="bone" />
      </div>
    </div>
  );
}
