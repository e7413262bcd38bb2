// Addresses that are told what happens.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { get, inWords, patch, post, remove } from "../api/client";
import { EVENT_TYPES, type Webhook } from "../api/types";
import { Deliveries } from "../admin/deliveries";
import { Given } from "../asset/share";
import { useLoaded } from "../live/use";
import { Badge, Button, Card, Check, Empty, Field, Loading, Note, Trouble } from "../ui/basics";
import { Dialog, confirm } from "../ui/dialog";
import { Menu } from "../ui/menu";
import { complain, say } from "../ui/toast";

export function WebhooksCard(): JSX.Element {
  const loaded = useLoaded("webhooks", (signal) => get<{ webhooks: Webhook[] }>("/webhooks", { signal }));
  const [edited, setEdited] = useState<Webhook | "new">();
  const [made, setMade] = useState<Webhook>();
  const [shown, setShown] = useState<string>();
  const all = loaded.value?.webhooks;
  const toggle = async ({ id, enabled }: Webhook) => {
    try {
      await patch(`/webhooks/${id}`, { enabled: !enabled });
      loaded.reload();
    } catch (error) {
      complain(error);
    }
  };
  const test = ({ id }: Webhook) => post(`/webhooks/${id}/test`).then(() => (setShown(id), say("A test is on its way.")), complain);
  const drop = ({ id, url }: Webhook) =>
    confirm("Delete this webhook?", `${url} is told nothing any more, and its deliveries are forgotten.`, "Delete", async () => {
      await remove(`/webhooks/${id}`);
      loaded.reload();
    });
  return (
    <>
      <Card
        title="Webhooks"
        actions={
          <Button icon="plus" onClick={() => setEdited("new")}>
            Add
          </Button>
        }
      >
        {made?.secret !== undefined && (
          <Note tone="good" icon="check">
            <p>Copy the secret now: it is shown this once. Messages are signed with it, by the Standard Webhooks scheme.</p>
            <Given label="Secret" text={made.secret} />
          </Note>
        )}
        {loaded.error !== undefined && <Trouble error={loaded.error} again={loaded.reload} />}
        {all === undefined ? (
          loaded.error === undefined && <Loading />
        ) : all.length === 0 ? (
          <Empty icon="link" title="No webhooks yet">
            <p class="quiet">An address of yours can be told when an upload is through or a video is ready.</p>
          </Empty>
        ) : (
          <ul class="hooks">
            {all.map((hook) => (
              <li key={hook.id}>
                <div class="hook-line">
                  <div>
                    <p class="code">{hook.url}</p>
                    <p class="quiet">
                      {hook.description ? <bdi>{hook.description} · </bdi> : ""}
                      {hook.events === null || hook.events === undefined || hook.events.length === 0 ? "every event" : hook.events.join(", ")}
                    </p>
                  </div>
                  {!hook.enabled && <Badge tone="warn">{hook.disabled_why === "gone" ? "Switched off: its receiver is gone" : "Switched off"}</Badge>}
                  <Menu
                    label={`More for ${hook.url}`}
                    deeds={[
                      { label: "Change", icon: "edit", run: () => setEdited(hook) },
                      { label: "Send a test", icon: "play", run: () => void test(hook) },
                      { label: hook.enabled ? "Switch off" : "Switch on", icon: hook.enabled ? "pause" : "check", run: () => void toggle(hook) },
                      { label: "Delete", icon: "trash", danger: true, apart: true, run: () => drop(hook) },
                    ]}
                  />
                </div>
                <Button kind="quiet" icon={shown === hook.id ? "down" : "right"} onClick={() => setShown(shown === hook.id ? undefined : hook.id)} attributes={{ "aria-expanded": shown === hook.id ? "true" : "false" }}>
                  Deliveries
                </Button>
                {shown === hook.id && <Deliveries path={`/webhooks/${hook.id}/deliveries`} />}
              </li>
            ))}
          </ul>
        )}
      </Card>
      {edited !== undefined && (
        <Edit
          hook={edited === "new" ? undefined : edited}
          end={(saved) => {
            setEdited(undefined);
            if (saved?.secret !== undefined) setMade(saved);
            if (saved !== undefined) loaded.reload();
          }}
        />
      )}
    </>
  );
}

function Edit({ hook, end }: { hook: Webhook | undefined; end: (saved?: Webhook) => void }): JSX.Element {
  const [url, setUrl] = useState(hook?.url ?? "https://");
  const [description, setDescription] = useState(hook?.description ?? "");
  const [events, setEvents] = useState<string[]>(hook?.events ?? []);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const save = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    const wish = { url: url.trim(), description: description.trim(), events };
    try {
      end(hook === undefined ? await post<Webhook>("/webhooks", wish) : await patch<Webhook>(`/webhooks/${hook.id}`, wish));
    } catch (error) {
      setTrouble(inWords(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={hook === undefined ? "Add a webhook" : "Change the webhook"} onClose={() => end()}>
      <form onSubmit={(event) => void save(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <Field label="Address" type="url" value={url} onInput={setUrl} required spellcheck={false} hint="Where each event is posted to" />
        <Field label="What it is for" value={description} onInput={setDescription} max={200} />
        <fieldset class="choices">
          <legend>Events</legend>
          <Check label="Every event" checked={events.length === 0} onChange={(every) => setEvents(every ? [] : ["asset.ready", "asset.failed"])} />
          {events.length > 0 && (
            <div class="checks">
              {EVENT_TYPES.map((type) => (
                <Check
                  key={type}
                  label={type}
                  checked={events.includes(type)}
                  onChange={(isOn) => setEvents(isOn ? [...events, type] : events.filter((other) => other !== type))}
                />
              ))}
            </div>
          )}
        </fieldset>
        <footer>
          <Button onClick={() => end()}>Cancel</Button>
          <Button kind="primary" type="submit" busy={isBusy}>
            Save
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
