// What is being made of videos: running, waiting, resting before another try, given up.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { post } from "../api/client";
import type { Job } from "../api/types";
import { percent, plural } from "../../shared/format";
import { Video } from "../live/names";
import { usePages } from "../live/pages";
import { useEvents, useEvery, useSoon } from "../live/use";
import { Badge, Button, Card, Progress, Select, Time, type Tone } from "../ui/basics";
import { Dialog, confirm } from "../ui/dialog";
import { List } from "../ui/table";
import { complain, say } from "../ui/toast";

const STATES = [
  { value: "", label: "All jobs" },
  { value: "running", label: "Running" },
  { value: "ready", label: "Ready to run" },
  { value: "waiting", label: "Waiting for others" },
  { value: "failed", label: "Given up" },
  { value: "done", label: "Done" },
];
const KINDS: Record<string, string> = {
  probe: "Look at the file",
  poster: "Poster and previews",
  rendition: "Encode pictures",
  audio: "Encode sound",
  captions: "Captions",
  package: "Package",
};
const EVERY_S = 3;

export function QueuePart(): JSX.Element {
  const [state, setState] = useState("");
  const list = usePages<Job>("/jobs", "jobs", { state });
  const [shown, setShown] = useState<Job>();
  useEvery(EVERY_S, list.reload);
  const soon = useSoon(list.reload, 400);
  useEvents(({ type }) => {
    if (type.startsWith("asset.") && type !== "asset.progress") soon();
  }, list.reload);
  const again = ({ id }: Job) => post(`/jobs/${id}/retry`).then(() => (say("It is being tried again."), list.reload()), complain);
  const stop = ({ id, kind }: Job) =>
    confirm("Cancel this job?", `“${name(kind)}” stops, and what was to be made of the video with it. It can be tried again later.`, "Cancel the job", async () => {
      await post(`/jobs/${id}/cancel`);
      list.reload();
    });
  return (
    <Card>
      <div class="filters">
        <Select label="Jobs shown" hideLabel value={state} options={STATES} onChange={setState} />
      </div>
      <List<Job>
        label="Jobs"
        list={list}
        keyOf={({ id }) => id}
        empty={{ icon: "check", title: state === "" ? "Nothing to do" : "None of these" }}
        columns={[
          {
            head: "Job",
            cell: ({ kind, asset }) => (
              <>
                <strong>{name(kind)}</strong>
                <br />
                <Video id={asset} withOwner />
              </>
            ),
          },
          {
            head: "State",
            cell: (job) => {
              const { text, tone } = said(job);
              return (
                <div class="job-state">
                  <Badge tone={tone}>{text}</Badge>
                  {job.state === "running" && <Progress share={job.progress} label={`${name(job.kind)}: done`} />}
                </div>
              );
            },
          },
          {
            head: "More",
            cell: ({ next_try_at, waiting_for, error, attempts, state, worker }) => (
              <>
                {state === "running" && worker && <span class="quiet">by {worker}</span>}
                {next_try_at ? (
                  <>
                    next try <Time at={next_try_at} />
                  </>
                ) : (
                  waiting_for && <span class="quiet">{waiting_for.startsWith("no ") ? waiting_for : `waits for ${waiting_for}`}</span>
                )}
                {error && <p class="job-error">{error.message}</p>}
                {attempts > 1 && <p class="quiet">{plural(attempts, "try", "tries")}</p>}
              </>
            ),
          },
          { head: "Changed", cell: ({ updated_at }) => <Time at={updated_at} /> },
          {
            head: "Deeds",
            deeds: true,
            cell: (job) => (
              <span class="row-of-buttons">
                {job.log && (
                  <Button kind="quiet" onClick={() => setShown(job)}>
                    Log
                  </Button>
                )}
                {isOver(job) && (
                  <Button icon="again" onClick={() => void again(job)}>
                    Retry
                  </Button>
                )}
                {["running", "ready", "waiting"].includes(job.state) && (
                  <Button kind="quiet" onClick={() => stop(job)}>
                    Cancel
                  </Button>
                )}
              </span>
            ),
          },
        ]}
      />
      {shown !== undefined && (
        <Dialog title={`Log of “${name(shown.kind)}”`} onClose={() => setShown(undefined)} wide>
          <pre class="log" tabIndex={0}>
            {shown.log}
          </pre>
        </Dialog>
      )}
    </Card>
  );
}

function name(kind: string): string {
  return KINDS[kind] ?? kind;
}

function isOver({ state }: Job): boolean {
  return state === "failed" || state === "dead" || state === "cancelled";
}

function said(job: Job): { text: string; tone: Tone } {
  switch (job.state) {
    case "running":
      return { text: `Running ${percent(job.progress)}`, tone: "busy" };
    case "ready":
      return job.next_try_at ? { text: "Rests, then again", tone: "warn" } : { text: "Ready to run", tone: "plain" };
    case "waiting":
      return { text: "Waiting", tone: "plain" };
    case "done":
      return { text: "Done", tone: "good" };
    case "cancelled":
      return { text: "Cancelled", tone: "plain" };
    default:
      return { text: "Given up", tone: "bad" };
  }
}
