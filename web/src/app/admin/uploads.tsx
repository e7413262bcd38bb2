// Everybody's uploads on their way.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";

import { get } from "../api/client";
import type { Upload } from "../api/types";
import { bytes, percent, rate } from "../../shared/format";
import { useEvents, useEvery, useLoaded, useSoon } from "../live/use";
import { Card, Empty, Loading, Progress, Theirs, Time, Trouble } from "../ui/basics";
import { Table } from "../ui/table";

const EVERY_S = 5;
/** Who has sent nothing for so long is resting. */
const FRESH_MS = 8_000;

interface Flow {
  offset: number;
  at: number;
  rate: number;
}

export function UploadsPart(): JSX.Element {
  const loaded = useLoaded("all uploads", (signal) => get<{ uploads: Upload[] }>("/uploads", { query: { all: true }, signal }));
  const flows = useRef(new Map<string, Flow>());
  const [, again] = useState({});
  const soon = useSoon(loaded.reload, 300);
  useEvery(EVERY_S, loaded.reload);
  useEvents(({ type, upload, data }) => {
    if (type === "upload.progress" && upload !== undefined && typeof data?.offset_bytes === "number") {
      flows.current.set(upload, moved(flows.current.get(upload), data.offset_bytes));
      again({});
    } else if (type.startsWith("upload.")) soon();
  }, loaded.reload);
  const all = loaded.value?.uploads;
  return (
    <Card>
      {loaded.error !== undefined && <Trouble error={loaded.error} again={loaded.reload} />}
      {all === undefined ? (
        loaded.error === undefined && <Loading />
      ) : all.length === 0 ? (
        <Empty icon="upload" title="Nobody is uploading" />
      ) : (
        <Table<Upload>
          label="Uploads"
          keyOf={({ id }) => id}
          rows={all}
          columns={[
            { head: "File", cell: ({ name }) => <Theirs>{name}</Theirs> },
            { head: "Whose", cell: ({ owner }) => owner?.username ?? "–" },
            {
              head: "Progress",
              cell: ({ id, name, offset_bytes, length_bytes }) => {
                const offset = Math.max(offset_bytes, flows.current.get(id)?.offset ?? 0);
                const share = length_bytes ? offset / length_bytes : undefined;
                return (
                  <div class="memory">
                    <Progress share={share ?? 0} label={`${name}: uploaded`} />
                    <span class="quiet">{share === undefined ? bytes(offset) : `${percent(share)} of ${bytes(length_bytes ?? 0)}`}</span>
                  </div>
                );
              },
            },
            {
              head: "Rate",
              figure: true,
              cell: ({ id }) => {
                const flow = flows.current.get(id);
                return flow !== undefined && performance.now() - flow.at < FRESH_MS && flow.rate > 0 ? rate(flow.rate) : "–";
              },
            },
            { head: "Begun", cell: ({ created_at }) => <Time at={created_at} /> },
          ]}
        />
      )}
    </Card>
  );
}

function moved(before: Flow | undefined, offset: number): Flow {
  const at = performance.now();
  if (before === undefined || offset <= before.offset) return { offset, at, rate: 0 };
  return { offset, at, rate: ((offset - before.offset) / Math.max(1, at - before.at)) * 1000 };
}
