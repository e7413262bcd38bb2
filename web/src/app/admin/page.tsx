// The whole system: its people, its work, its edges.

import type { JSX } from "preact";

import { Heading } from "../router";
import { Card, Empty } from "../ui/basics";
import { Tabs } from "../ui/tabs";
import { AccountsPart } from "./accounts";
import { AuditPart } from "./audit";
import { Deliveries } from "./deliveries";
import { EdgesPart } from "./edges";
import { OverviewPart } from "./overview";
import { QueuePart } from "./queue";
import { UploadsPart } from "./uploads";

const PARTS = [
  { href: "/admin", label: "Overview" },
  { href: "/admin/accounts", label: "Accounts" },
  { href: "/admin/queue", label: "Queue" },
  { href: "/admin/edges", label: "Edges" },
  { href: "/admin/uploads", label: "Uploads" },
  { href: "/admin/deliveries", label: "Deliveries" },
  { href: "/admin/audit", label: "Audit log" },
];

export function AdminPage({ part }: { part: string }): JSX.Element {
  const title = PARTS.find(({ href }) => href === (part === "" ? "/admin" : `/admin/${part}`))?.label ?? "Admin";
  return (
    <div class="page">
      <header class="page-head">
        <Heading key={part} title={part === "" ? "Administration" : title} />
      </header>
      <Tabs label="Administration" tabs={PARTS} />
      <Part part={part} />
    </div>
  );
}

function Part({ part }: { part: string }): JSX.Element {
  switch (part) {
    case "":
      return <OverviewPart />;
    case "accounts":
      return <AccountsPart />;
    case "queue":
      return <QueuePart />;
    case "edges":
      return <EdgesPart />;
    case "uploads":
      return <UploadsPart />;
    case "deliveries":
      return (
        <Card>
          <Deliveries path="/deliveries" />
        </Card>
      );
    case "audit":
      return <AuditPart />;
    default:
      return <Empty icon="search" title="There is nothing here" />;
  }
}
