// What videos are called, where a list knows them by their id alone.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { get } from "../api/client";
import type { Asset } from "../api/types";
import { Theirs } from "../ui/basics";
import { titleOf } from "../words";
import { onEvent } from "./stream";

/** More than a page shows. */
const MOST = 500;
const known = new Map<string, Promise<Asset | undefined>>();

onEvent(({ type, asset }) => {
  if (asset !== undefined && !type.endsWith("progress") && type !== "viewers") known.delete(asset);
});

function ask(id: string): Promise<Asset | undefined> {
  const found = known.get(id) ?? get<Asset>(`/assets/${id}`).catch(() => undefined);
  known.delete(id);
  known.set(id, found);
  for (const [oldest] of known) {
    if (known.size <= MOST) break;
    known.delete(oldest);
  }
  return found;
}

/** A link to a video by its title, with its owner where that is wanted. */
export function Video({ id, withOwner = false }: { id: string; withOwner?: boolean }): JSX.Element {
  const [asset, setAsset] = useState<Asset>();
  useEffect(() => {
    let isOver = false;
    void ask(id).then((found) => {
      if (!isOver) setAsset(found);
    });
    return () => {
      isOver = true;
    };
  }, [id]);
  return (
    <>
      <a href={`/library/${id}`}>
        <Theirs>{asset === undefined ? "a video" : titleOf(asset)}</Theirs>
      </a>
      {withOwner && asset?.owner && <span class="quiet"> of {asset.owner.username}</span>}
    </>
  );
}
