import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { get, remove } from "../api/client";
import type { Session } from "../api/types";
import { useLoaded } from "../live/use";
import { Badge, Button, Card, Loading, Time, Trouble } from "../ui/basics";
import { Table } from "../ui/table";
import { complain, say } from "../ui/toast";

/** Where the account is logged in, and how to end it there. */
export function SessionsCard(): JSX.Element {
  const loaded = useLoaded("sessions", (signal) => get<{ sessions: Session[] }>("/sessions", { signal }));
  const [ending, setEnding] = useState<string>();
  const end = async ({ id }: Session) => {
    setEnding(id);
    try {
      await remove(`/sessions/${id}`);
      say("That session has ended.");
    } catch (error) {
      complain(error);
    } finally {
      setEnding(undefined);
      loaded.reload();
    }
  };
  return (
    <Card title="Where you are logged in">
      {loaded.error !== undefined && <Trouble error={loaded.error} again={loaded.reload} />}
      {loaded.value === undefined ? (
        loaded.error === undefined && <Loading />
      ) : (
        <Table<Session>
          label="Sessions"
          keyOf={({ id }) => id}
          rows={loaded.value.sessions}
          columns={[
            {
              head: "Browser",
              cell: ({ user_agent, current }) => (
                <>
                  {browser(user_agent)} {current && <Badge tone="good">This one</Badge>}
                </>
              ),
            },
            { head: "Address", cell: ({ address }) => address ?? "–" },
            { head: "Logged in", cell: ({ created_at }) => <Time at={created_at} /> },
            { head: "Last seen", cell: ({ last_seen_at }) => <Time at={last_seen_at} /> },
            {
              head: "End",
              deeds: true,
              cell: (session) =>
                !session.current && (
                  <Button busy={ending === session.id} onClick={() => void end(session)}>
                    End
                  </Button>
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}

/** A browser as its owner would call it. */
export function browser(agent: string | null | undefined): string {
  if (agent === null || agent === undefined || agent === "") return "Unknown";
  const name = [/(?:Edg|EdgA|EdgiOS)\//, /OPR\//, /Firefox\//, /(?:Headless)?Chrome\/|CriOS\//, /Safari\//, /curl\//].findIndex((mark) => mark.test(agent));
  const system = [/Android/, /iPhone|iPad/, /Windows/, /Mac OS X/, /Linux/].findIndex((mark) => mark.test(agent));
  const called = ["Edge", "Opera", "Firefox", "Chrome", "Safari", "curl"][name];
  const on = ["Android", "iOS", "Windows", "macOS", "Linux"][system];
  return called === undefined ? agent.slice(0, 60) : on === undefined ? called : `${called} on ${on}`;
}
