import type { JSX } from "preact";

import { get, put } from "../api/client";
import { useLoaded } from "../live/use";
import { Card, Check } from "../ui/basics";
import { complain, say } from "../ui/toast";

interface Notifications {
  mail_on: string[];
  /** Whether this server sends mail at all. */
  mail: boolean;
}

const TOPICS = [
  { topic: "ready", label: "A video of mine is ready" },
  { topic: "failed", label: "A video of mine could not be prepared" },
];

/** What the account wants mail about; nothing where the server sends none. */
export function NotificationsCard(): JSX.Element | null {
  const loaded = useLoaded("notifications", (signal) => get<Notifications>("/account/notifications", { signal }));
  const it = loaded.value;
  if (it === undefined || !it.mail) return null;
  const set = async (topic: string, isOn: boolean) => {
    const wanted = isOn ? [...it.mail_on, topic] : it.mail_on.filter((other) => other !== topic);
    try {
      loaded.set(await put<Notifications>("/account/notifications", { mail_on: wanted }));
      say("Saved.");
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Card title="Send me a mail when">
      {TOPICS.map(({ topic, label }) => (
        <Check key={topic} label={label} checked={it.mail_on.includes(topic)} onChange={(isOn) => void set(topic, isOn)} />
      ))}
    </Card>
  );
}
