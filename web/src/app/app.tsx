// Which page stands at which address, and what surrounds all of them.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { inWords } from "./api/client";
import { AssetPage } from "./asset/page";
import { Layout } from "./layout";
import { LibraryPage } from "./library/page";
import * as live from "./live/stream";
import { ForgotPage, LogInAgain, LogInPage, ResetPage, SignUpPage, WelcomePage } from "./pages/entrance";
import { Heading, go, safeNext, usePlace } from "./router";
import { useSession } from "./session";
import { Button, ButtonLink, Empty, Loading, Trouble } from "./ui/basics";
import { Questions } from "./ui/dialog";
import { Toasts } from "./ui/toast";
import { UploadPage } from "./upload/page";

/** A page that is loaded when it is gone to. */
function later(load: () => Promise<ComponentType<{ part: string }>>): ComponentType<{ part: string }> {
  let loaded: ComponentType<{ part: string }> | undefined;
  return function Later({ part }) {
    const [Page, setPage] = useState(() => loaded);
    const [fault, setFault] = useState<unknown>();
    useEffect(() => {
      if (Page !== undefined) return;
      load().then((it) => setPage(() => (loaded = it)), setFault);
    }, []);
    if (fault !== undefined) return <Trouble error="This page could not be loaded." again={() => location.reload()} />;
    return Page === undefined ? <Loading /> : <Page part={part} />;
  };
}

const SettingsPage = later(async () => (await import("./settings/page")).SettingsPage);
const AdminPage = later(async () => (await import("./admin/page")).AdminPage);
const DocsPage = later(async () => (await import("./pages/docs")).DocsPage);

const ENTRANCES: Record<string, ComponentType> = { "/login": LogInPage, "/signup": SignUpPage, "/forgot": ForgotPage, "/reset": ResetPage };

export function App(): JSX.Element {
  const session = useSession();
  const isIn = session.is === "in";
  const seesAll = isIn && session.account.role === "admin";
  const isHeard = isIn && !session.ended;
  useEffect(() => {
    if (isHeard) live.listen(seesAll);
    return () => live.stop();
  }, [isHeard, seesAll]);
  return (
    <>
      <Layout>
        <Page />
      </Layout>
      {isIn && session.ended && <LogInAgain account={session.account} />}
      <Questions />
      <Toasts />
    </>
  );
}

function Page(): JSX.Element {
  const { path, query } = usePlace();
  const session = useSession();
  const [, first = "", second = ""] = path.split("/");

  if (path === "/docs") return <DocsPage part="" />;
  if (session.is === "asking") return <Loading label="Just a moment" />;
  if (session.is === "unknown") {
    return (
      <div class="page narrow">
        <Heading title="No answer" />
        <Trouble error={inWords(session.error)} again={() => location.reload()} />
      </div>
    );
  }
  const Entrance = ENTRANCES[path];
  if (Entrance !== undefined) return session.is === "in" && path !== "/reset" ? <Elsewhere to={safeNext(query.get("next"))} /> : <Entrance />;
  if (session.is === "out") {
    if (path === "/") return <WelcomePage />;
    return <Elsewhere to={`/login?next=${encodeURIComponent(path + location.search)}`} />;
  }
  switch (first) {
    case "":
      return <Elsewhere to="/library" />;
    case "library":
      return second === "" ? <LibraryPage /> : <AssetPage key={second} id={second} />;
    case "upload":
      return <UploadPage />;
    case "settings":
      return <SettingsPage part={second} />;
    case "admin":
      return session.account.role === "admin" ? <AdminPage part={second} /> : <Missing />;
    default:
      return <Missing />;
  }
}

function Elsewhere({ to }: { to: string }): JSX.Element {
  useEffect(() => go(to, "replace"), [to]);
  return <Loading label="Just a moment" />;
}

function Missing(): JSX.Element {
  return (
    <div class="page narrow">
      <Heading title="There is nothing here" />
      <Empty icon="search" title="This page does not exist, or it is not for your account.">
        <p class="row-of-buttons">
          <ButtonLink href="/library" kind="primary">
            To the library
          </ButtonLink>
          <Button onClick={() => history.back()}>Back</Button>
        </p>
      </Empty>
    </div>
  );
}
