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
          { head: "From", cell: ({ address }) => address },
        ]}
      />
    </Card>
  );
}

function Detail({ detail }: { detail: unknown }): JSX.Element | null {
  if (typeof detail !== "object" || detail === null) return null;
  const parts = Object.entries(detail).map(([key, value]) => `${key}: ${said(value)}`);
  return parts.length === 0 ? null : <bdi class="quiet">{parts.join(", ")}</bdi>;
}

/** A value; of a change, both. */
function said(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "from" in value && "to" in value) return `${said(value.from)} → ${said(value.to)}`;
  return value === null ? "none" : JSON.stringify(value);
}
