// The fleet, and having it forget things.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { get, inWords, post } from "../api/client";
import type { Edge, Purge } from "../api/types";
import { bytes, count, percent, plural } from "../../shared/format";
import { useEvery, useLoaded } from "../live/use";
import { Badge, Button, Card, Empty, Field, Loading, Progress, Select, Time, Trouble } from "../ui/basics";
import { Table } from "../ui/table";

const EVERY_S = 2;
type Target = "urls" | "prefixes" | "assets";
const TARGETS: { value: Target; label: string }[] = [
  { value: "assets", label: "Videos, by their id" },
  { value: "urls", label: "Addresses" },
  { value: "prefixes", label: "Everything that begins with" },
];
const HINTS: Record<Target, string> = {
  assets: "One id a line: everything of these videos is forgotten.",
  urls: "One path or address a line, for instance /media/…/source.",
  prefixes: "One path a line, for instance /media/. Whatever begins with it is forgotten.",
};

export function EdgesPart(): JSX.Element {
  const loaded = useLoaded("edges", (signal) => get<{ edges: Edge[]; purge_head: number }>("/edges", { signal }));
  useEvery(EVERY_S, loaded.reload);
  const head = loaded.value?.purge_head ?? 0;
  return (
    <>
      <Card title="Edges">
        {loaded.error !== undefined && <Trouble error={loaded.error} again={loaded.reload} />}
        {loaded.value === undefined ? (
          loaded.error === undefined && <Loading />
        ) : loaded.value.edges.length === 0 ? (
          <Empty icon="globe" title="No edges">
            <p class="quiet">Videos are served by this server itself. Start tidegate-edge with this server’s fleet key to add one.</p>
          </Empty>
        ) : (
          <Table<Edge>
            label="Edges"
            keyOf={({ url }) => url}
            rows={loaded.value.edges}
            columns={[
              {
                head: "Edge",
                cell: ({ url, version }) => (
                  <>
                    <span class="code">{url}</span>
                    <br />
                    <span class="quiet">{version}</span>
                  </>
                ),
              },
              {
                head: "Health",
                cell: ({ alive, last_heartbeat }) => (
                  <>
                    <Badge tone={alive ? "good" : "bad"}>{alive ? "Alive" : "Silent"}</Badge>{" "}
                    {!alive && (
                      <span class="quiet">
                        since <Time at={last_heartbeat} />
                      </span>
                    )}
                  </>
                ),
              },
              { head: "From memory", figure: true, cell: ({ hit_ratio }) => (typeof hit_ratio === "number" ? percent(hit_ratio) : "–") },
              { head: "Memory", cell: (edge) => <Memory edge={edge} /> },
              { head: "Purges", cell: ({ purge_cursor }) => (purge_cursor >= head ? <Badge tone="good">All applied</Badge> : <Badge tone="warn">{plural(head - purge_cursor, "purge")} behind</Badge>) },
            ]}
          />
        )}
      </Card>
      <PurgeForm />
    </>
  );
}

function Memory({ edge }: { edge: Edge }): JSX.Element {
  const { memory_limit_bytes: limit, memory_used_bytes: used, cached_bytes } = edge;
  if (typeof limit !== "number" || limit === 0) return <>{bytes(used ?? cached_bytes)}</>;
  const share = (used ?? cached_bytes) / limit;
  return (
    <div class="memory">
      <Progress share={share} label="Memory used" />
      <span class="quiet">
        {bytes(used ?? cached_bytes)} of {bytes(limit)}
      </span>
    </div>
  );
}

function PurgeForm(): JSX.Element {
  const [target, setTarget] = useState<Target>("assets");
  const [text, setText] = useState("");
  const [ids, setIds] = useState<number[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const wanted = text
    .split(/\s+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy || wanted.length === 0) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      const { id } = await post<{ id: number }>("/purges", { [target]: wanted });
      setIds([id, ...ids].slice(0, 5));
      setText("");
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="Purge">
      <p class="quiet">Edges forget what you name here and ask for it anew. Videos that are deleted or made private are purged by themselves.</p>
      <form onSubmit={(event) => void submit(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <Select label="What to forget" value={target} options={TARGETS} onChange={setTarget} />
        <Field label="Which" value={text} lines={3} onInput={setText} hint={HINTS[target]} spellcheck={false} />
        <Button kind="primary" type="submit" busy={isBusy} disabled={wanted.length === 0}>
          {wanted.length > 1 ? `Purge ${count(wanted.length)}` : "Purge"}
        </Button>
      </form>
      {ids.map((id) => (
        <Followed key={id} id={id} />
      ))}
    </Card>
  );
}

/** How far a purge is. */
function Followed({ id }: { id: number }): JSX.Element {
  const loaded = useLoaded(`purge ${id}`, (signal) => get<Purge>(`/purges/${id}`, { signal }));
  const it = loaded.value;
  useEvery(1, () => {
    if (it?.applied !== true || it.edges.some((edge) => !edge.applied)) loaded.reload();
  });
  if (it === undefined) return loaded.error === undefined ? <Loading /> : <Trouble error={loaded.error} again={loaded.reload} />;
  const done = it.edges.filter((edge) => edge.applied).length;
  const silent = it.edges.filter((edge) => !edge.applied && !edge.alive).length;
  return (
    <div class="purge" role="status">
      <Badge tone={it.applied ? "good" : "busy"}>{it.applied ? "Applied" : "On its way"}</Badge>
      <span>
        Purge {id}: {done} of {plural(it.edges.length, "edge")}
        {silent > 0 && `; ${plural(silent, "silent edge applies", "silent edges apply")} it before serving again`}
      </span>
    </div>
  );
}
