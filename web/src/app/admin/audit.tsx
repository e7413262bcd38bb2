// Who did what that others may ask about.

import type { JSX } from "preact";

import type { AuditEntry } from "../api/types";
import { usePages } from "../live/pages";
import { useEvery } from "../live/use";
import { Card, Time } from "../ui/basics";
import { List } from "../ui/table";

const EVERY_S = 10;

export function AuditPart(): JSX.Element {
  const list = usePages<AuditEntry>("/audit", "entries");
  useEvery(EVERY_S, list.reload);
  return (
    <Card>
      <List<AuditEntry>
        label="Audit log"
        list={list}
        keyOf={({ id }) => id}
        empty={{ icon: "book", title: "Nothing has happened yet" }}
        columns={[
          { head: "When", cell: ({ at }) => <Time at={at} /> },
          { head: "Who", cell: ({ actor }) => actor?.username ?? "the server" },
          { head: "What", cell: ({ action }) => <span class="code">{action}</span> },
          { head: "About", cell: ({ subject }) => <span class="code">{subject}</span> },
          { head: "Details", cell: ({ detail }) => <Detail detail={detail} /> },
          { head: "From", cell: ({ address }) => address ?? "–" },
        ]}
      />
    </Card>
  );
}

function Detail({ detail }: { detail: unknown }): JSX.Element {
  if (detail === null || detail === undefined || detail === "") return <>–</>;
  if (typeof detail !== "object") return <bdi>{String(detail)}</bdi>;
  const parts = Object.entries(detail).map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return <bdi class="quiet">{parts.join(", ")}</bdi>;
}
