// Everything at a glance.

import type { JSX } from "preact";

import { get } from "../api/client";
import type { Edge, Job, Storage, Upload } from "../api/types";
import { bytes, count, percent, plural } from "../../shared/format";
import { Video } from "../live/names";
import { useEvents, useEvery, useLoaded, useSoon } from "../live/use";
import { server } from "../session";
import { useStore } from "../store";
import { Badge, Card, Figure, Loading, Progress, Trouble } from "../ui/basics";

interface Viewers {
  viewers_now: number;
  assets: { asset: string; viewers_now: number }[];
}

const EVERY_S = 5;
const SHOWN = 8;

export function OverviewPart(): JSX.Element {
  const allowed = useStore(server);
  const storage = useLoaded("storage", (signal) => get<Storage>("/storage", { signal }));
  const viewers = useLoaded("viewers", (signal) => get<Viewers>("/viewers", { signal }));
  const edges = useLoaded("edges", (signal) => get<{ edges: Edge[]; purge_head: number }>("/edges", { signal }));
  const uploads = useLoaded("all uploads", (signal) => get<{ uploads: Upload[] }>("/uploads", { query: { all: true }, signal }));
  const running = useLoaded("running jobs", (signal) => get<{ jobs: Job[] }>("/jobs", { query: { state: "running", limit: 50 }, signal }));
  const reload = () => {
    storage.reload();
    viewers.reload();
    edges.reload();
    uploads.reload();
    running.reload();
  };
  const soon = useSoon(viewers.reload, 500);
  useEvery(EVERY_S, reload);
  useEvents(({ type }) => {
    if (type === "viewers") soon();
  }, reload);

  const alive = edges.value?.edges.filter((edge) => edge.alive) ?? [];
  const trouble = [storage, viewers, edges, uploads, running].find(({ error }) => error !== undefined)?.error;
  const open = uploads.value?.uploads ?? [];
  const ratios = alive.map((edge) => edge.hit_ratio).filter((ratio) => typeof ratio === "number");
  return (
    <>
      {trouble !== undefined && <Trouble error={trouble} again={reload} />}
      <Card>
        <dl class="figures wide">
          <Figure label="Watching now" value={viewers.value === undefined ? "–" : count(viewers.value.viewers_now)} />
          <Figure label="Uploads on their way" value={uploads.value === undefined ? "–" : count(open.length)} note={open.length > 0 ? bytes(open.reduce((sum, it) => sum + it.offset_bytes, 0)) : undefined} />
          <Figure label="Jobs running" value={running.value === undefined ? "–" : count(running.value.jobs.length)} />
          <Figure
            label="Edges"
            value={edges.value === undefined ? "–" : `${alive.length} of ${edges.value.edges.length}`}
            note={ratios.length > 0 ? `${percent(ratios.reduce((sum, it) => sum + it, 0) / ratios.length)} from memory` : undefined}
          />
          <Figure label="Videos" value={storage.value === undefined ? "–" : count(storage.value.assets)} note={storage.value === undefined ? undefined : bytes(storage.value.assets_bytes)} />
          <Figure label="Version" value={allowed?.version ?? "–"} />
        </dl>
      </Card>
      <div class="two">
        <Card title="Storage">{storage.value === undefined ? <Loading /> : <Disk storage={storage.value} />}</Card>
        <Card title="Watching now">{viewers.value === undefined ? <Loading /> : <Watched viewers={viewers.value} />}</Card>
      </div>
    </>
  );
}

function Disk({ storage }: { storage: Storage }): JSX.Element {
  const { assets_bytes, made_bytes, uploads_bytes, trash_bytes, free_bytes, total_bytes } = storage;
  const has = typeof free_bytes === "number" && typeof total_bytes === "number" && total_bytes > 0;
  const used = has ? 1 - free_bytes / total_bytes : undefined;
  return (
    <>
      {has && used !== undefined && (
        <div class="disk">
          <Progress share={used} label="Disk used" tone={used > 0.9 ? "bad" : used > 0.8 ? "warn" : "busy"} />
          <p>
            {bytes(free_bytes)} of {bytes(total_bytes)} free {used > 0.9 && <Badge tone="bad">Nearly full</Badge>}
          </p>
        </div>
      )}
      <dl class="facts">
        <dt>Uploaded files</dt>
        <dd>{bytes(assets_bytes)}</dd>
        {typeof made_bytes === "number" && (
          <>
            <dt>Made of them</dt>
            <dd>{bytes(made_bytes)}</dd>
          </>
        )}
        <dt>Uploads on their way</dt>
        <dd>{bytes(uploads_bytes)}</dd>
        <dt>In the trash</dt>
        <dd>{bytes(trash_bytes)}</dd>
      </dl>
    </>
  );
}

function Watched({ viewers }: { viewers: Viewers }): JSX.Element {
  if (viewers.assets.length === 0) return <p class="quiet">Nobody at the moment.</p>;
  const most = [...viewers.assets].sort((a, b) => b.viewers_now - a.viewers_now).slice(0, SHOWN);
  return (
    <ul class="plain-list">
      {most.map(({ asset, viewers_now }) => (
        <li key={asset}>
          <Video id={asset} />
          <span>{plural(viewers_now, "person", "people")}</span>
        </li>
      ))}
    </ul>
  );
}
