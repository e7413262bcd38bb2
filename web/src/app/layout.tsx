// What surrounds every page: the way to the others, what is being uploaded, and whose account it is.

import type { ComponentChildren, JSX } from "preact";

import { percent, plural } from "../shared/format";
import { isLive } from "./live/stream";
import { usePlace, useUnload } from "./router";
import { logOut, useSession } from "./session";
import { useStore } from "./store";
import { Progress } from "./ui/basics";
import { Icon, type IconName, Mark } from "./ui/icons";
import { Menu } from "./ui/menu";
import { complain } from "./ui/toast";
import { isBusy, items } from "./upload/items";

interface Way {
  href: string;
  label: string;
  icon: IconName;
}

export function Layout({ children }: { children: ComponentChildren }): JSX.Element {
  const session = useSession();
  const { path } = usePlace();
  const account = session.is === "in" ? session.account : undefined;
  const ways: Way[] = [
    { href: "/library", label: "Library", icon: "library" },
    ...(account?.role === "viewer" ? [] : [{ href: "/upload", label: "Upload", icon: "upload" as const }]),
    ...(account?.role === "admin" ? [{ href: "/admin", label: "Admin", icon: "admin" as const }] : []),
  ];
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the page
      </a>
      <header class="top">
        <a class="brand" href={account === undefined ? "/" : "/library"}>
          <Mark />
          <span>Tidegate</span>
        </a>
        {account !== undefined && (
          <nav class="ways" aria-label="Pages">
            {ways.map(({ href, label, icon }) => (
              <a key={href} href={href} aria-current={path === href || path.startsWith(`${href}/`) ? "page" : undefined}>
                <Icon name={icon} />
                <span>{label}</span>
              </a>
            ))}
          </nav>
        )}
        <div class="top-end">
          <AtWork />
          {account === undefined ? (
            path !== "/login" && session.is === "out" && (
              <a class="button plain" href="/login">
                Log in
              </a>
            )
          ) : (
            <Menu
              label={`Account ${account.username}`}
              icon="person"
              deeds={[
                { label: account.username, icon: "person", href: "/settings" },
                { label: "Settings", icon: "edit", href: "/settings/password" },
                { label: "API documentation", icon: "book", href: "/docs" },
                { label: "Log out", icon: "right", apart: true, run: () => void logOut().catch(complain) },
              ]}
            />
          )}
        </div>
      </header>
      {account !== undefined && <Silence />}
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  const main = document.querySelector<HTMLElement>("#main");
  (main?.querySelector<HTMLElement>("h1") ?? main)?.focus();
}

/** The uploads of this tab, from whichever page. */
function AtWork(): JSX.Element | null {
  const all = useStore(items);
  const busy = isBusy(all);
  const { path } = usePlace();
  // Pages of ours can be changed without harm; leaving them all stops what is being sent.
  useUnload(busy);
  const open = all.filter(({ stage }) => stage !== "done" && stage !== "failed" && stage !== "paused");
  if (!busy || path === "/upload" || open.length === 0) return null;
  const [sent, size] = open.reduce(([a, b], item) => [a + item.sent, b + item.size], [0, 0]);
  return (
    <a class="at-work-mark" href="/upload" title={plural(open.length, "upload")}>
      <Icon name="upload" size={18} />
      <Progress share={size === 0 ? 0 : sent / size} label="Uploads" />
      <span>{percent(size === 0 ? 0 : sent / size)}</span>
    </a>
  );
}

/** Says when changes do not come in any more. */
function Silence(): JSX.Element {
  const live = useStore(isLive);
  return (
    <div role="status" class="silence">
      {live === false && (
        <p>
          <span class="spinner" aria-hidden="true" /> No connection to the server. What you see may be old.
        </p>
      )}
    </div>
  );
}
