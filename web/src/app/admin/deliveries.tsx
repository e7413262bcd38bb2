// What webhooks were told, and whether it arrived.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { post } from "../api/client";
import type { Delivery } from "../api/types";
import { plural } from "../../shared/format";
import { Video } from "../live/names";
import { usePages } from "../live/pages";
import { useEvery } from "../live/use";
import { Badge, Button, Select, Time, type Tone } from "../ui/basics";
import { List } from "../ui/table";
import { complain, say } from "../ui/toast";

const STATES = [
  { value: "", label: "All" },
  { value: "pending", label: "On their way" },
  { value: "delivered", label: "Delivered" },
  { value: "failed", label: "Failed" },
];
const SAID: Record<Delivery["state"], { text: string; tone: Tone }> = {
  pending: { text: "On its way", tone: "busy" },
  delivered: { text: "Delivered", tone: "good" },
  failed: { text: "Failed", tone: "bad" },
};
const EVERY_S = 5;

export function Deliveries({ path }: { path: string }): JSX.Element {
  const [state, setState] = useState("");
  const list = usePages<Delivery>(path, "deliveries", { state });
  const [replaying, setReplaying] = useState<string>();
  useEvery(EVERY_S, list.reload);
  const replay = async ({ id }: Delivery) => {
    setReplaying(id);
    try {
      await post(`/deliveries/${id}/replay`);
      say("It is being sent again.");
      list.reload();
    } catch (error) {
      complain(error);
    } finally {
      setReplaying(undefined);
    }
  };
  return (
    <>
      <div class="filters">
        <Select label="Deliveries shown" hideLabel value={state} options={STATES} onChange={setState} />
      </div>
      <List<Delivery>
        label="Deliveries"
        list={list}
        keyOf={({ id }) => id}
        empty={{ icon: "link", title: state === "" ? "Nothing was sent yet" : "None of these" }}
        columns={[
          {
            head: "Event",
            cell: ({ event, asset }) => (
              <>
                <span class="code">{event.type}</span>
                {asset && (
                  <>
                    <br />
                    <Video id={asset} />
                  </>
                )}
              </>
            ),
          },
          { head: "State", cell: ({ state }) => <Badge tone={SAID[state].tone}>{SAID[state].text}</Badge> },
          {
            head: "Last answer",
            cell: ({ response_status, error, attempts }) => (
              <>
                {response_status ?? (error ? "" : "–")} {error && <span class="quiet">{error}</span>}
                {attempts > 1 && <span class="quiet"> {plural(attempts, "try", "tries")}</span>}
              </>
            ),
          },
          { head: "When", cell: ({ state, created_at, delivered_at, next_attempt_at }) => (state === "pending" && next_attempt_at ? <>next <Time at={next_attempt_at} /></> : <Time at={delivered_at ?? created_at} />) },
          {
            head: "Send again",
            deeds: true,
            cell: (delivery) =>
              delivery.state !== "pending" && (
                <Button icon="again" busy={replaying === delivery.id} onClick={() => void replay(delivery)}>
                  Send again
                </Button>
              ),
          },
        ]}
      />
    </>
  );
}
