// One's own account: password, sessions, API tokens, webhooks.

import type { JSX } from "preact";

import { bytes, percent } from "../../shared/format";
import { Heading } from "../router";
import { useAccount } from "../session";
import { Card, Empty, Progress, Time } from "../ui/basics";
import { Tabs } from "../ui/tabs";
import { ROLES } from "../words";
import { NotificationsCard } from "./notifications";
import { PasswordCard } from "./password";
import { SessionsCard } from "./sessions";
import { TokensCard } from "./tokens";
import { WebhooksCard } from "./webhooks";

const PARTS = [
  { href: "/settings", label: "Account" },
  { href: "/settings/password", label: "Password" },
  { href: "/settings/sessions", label: "Sessions" },
  { href: "/settings/tokens", label: "API tokens" },
  { href: "/settings/webhooks", label: "Webhooks" },
];

export function SettingsPage({ part }: { part: string }): JSX.Element {
  const account = useAccount();
  const isViewer = account.role === "viewer";
  const parts = PARTS.filter(({ href }) => !isViewer || !href.endsWith("webhooks"));
  const title = parts.find(({ href }) => href.endsWith(part === "" ? "/settings" : `/${part}`))?.label ?? "Settings";
  return (
    <div class="page narrow">
      <header class="page-head">
        <Heading key={part} title={part === "" ? "Settings" : title} />
      </header>
      <Tabs label="Settings" tabs={parts} />
      <Part part={part} />
    </div>
  );
}

function Part({ part }: { part: string }): JSX.Element {
  switch (part) {
    case "":
      return (
        <>
          <AccountCard />
          <NotificationsCard />
        </>
      );
    case "password":
      return <PasswordCard />;
    case "sessions":
      return <SessionsCard />;
    case "tokens":
      return <TokensCard />;
    case "webhooks":
      return <WebhooksCard />;
    default:
      return <Empty icon="search" title="There is nothing here" />;
  }
}

function AccountCard(): JSX.Element {
  const { username, email, role, used_bytes, quota_bytes, created_at } = useAccount();
  const quota = quota_bytes ?? undefined;
  return (
    <Card title="Account">
      <dl class="facts">
        <dt>Username</dt>
        <dd>{username}</dd>
        <dt>Email</dt>
        <dd>{email}</dd>
        <dt>Role</dt>
        <dd>{ROLES.find(({ value }) => value === role)?.label}</dd>
        <dt>Here since</dt>
        <dd>
          <Time at={created_at} />
        </dd>
        <dt>Space</dt>
        <dd>
          {bytes(used_bytes)}
          {quota === undefined ? " used" : ` of ${bytes(quota)} used (${percent(quota === 0 ? 1 : used_bytes / quota)})`}
          {quota !== undefined && <Progress share={quota === 0 ? 1 : used_bytes / quota} label="Space used" tone={used_bytes > quota * 0.9 ? "warn" : "busy"} />}
        </dd>
      </dl>
    </Card>
  );
}
