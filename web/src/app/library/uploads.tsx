// Uploads that are on their way, above the videos they will be: from this tab, another, or somewhere else.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { get } from "../api/client";
import type { Upload } from "../api/types";
import { bytes, percent, plural } from "../../shared/format";
import { useEvents, useLoaded, useSoon } from "../live/use";
import { useAccount } from "../session";
import { Progress, Theirs } from "../ui/basics";
import { items } from "../upload/items";
import { useStore } from "../store";

const SHOWN = 3;

export function UploadsAtWork(): JSX.Element | null {
  const account = useAccount();
  const found = useLoaded("uploads-at-work", (signal) => get<{ uploads: Upload[] }>("/uploads", { signal }));
  const [offsets, setOffsets] = useState<Record<string, number>>({});
  const mine = useStore(items);
  const soon = useSoon(found.reload);
  useEvents(({ type, upload, account: whose, data }) => {
    if (whose !== undefined && whose !== account.id) return;
    if (type === "upload.progress" && upload !== undefined && typeof data?.offset_bytes === "number") {
      const offset = data.offset_bytes;
      setOffsets((all) => ({ ...all, [upload]: offset }));
      if (!(found.value?.uploads ?? []).some(({ id }) => id === upload)) soon();
    } else if (type.startsWith("upload.")) soon();
  }, found.reload);
  const uploads = found.value?.uploads ?? [];
  if (uploads.length === 0) return null;
  return (
    <section class="at-work" aria-label="Uploads in progress">
      <ul>
        {uploads.slice(0, SHOWN).map(({ id, name, offset_bytes, length_bytes }) => {
          const sent = Math.max(offset_bytes, offsets[id] ?? 0, mine.find((item) => item.id === id)?.sent ?? 0);
          const share = length_bytes === null || length_bytes === undefined || length_bytes === 0 ? undefined : sent / length_bytes;
          return (
            <li key={id}>
              <span class="at-work-name">
                <Theirs>{name}</Theirs>
              </span>
              <Progress share={share ?? 0} label={`${name}: uploaded`} />
              <span class="quiet">{share === undefined ? bytes(sent) : `Uploading ${percent(share)}`}</span>
            </li>
          );
        })}
      </ul>
      <a href="/upload">{uploads.length > SHOWN ? `All ${plural(uploads.length, "upload")}` : "Uploads"}</a>
    </section>
  );
}
