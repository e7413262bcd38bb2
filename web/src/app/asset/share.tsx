// Who may watch, and what to give them.

import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";

import { inWords, post } from "../api/client";
import type { Asset, AssetChange, Grant, Visibility } from "../api/types";
import { moment } from "../../shared/format";
import { AUDIENCE, copy, watchLink } from "../library/deeds";
import { Button, Card, Select, Trouble } from "../ui/basics";
import { complain, say } from "../ui/toast";

const WAYS: { value: Visibility; label: string; hint: string }[] = [
  { value: "private", label: "Private", hint: "Only you, and who has a link that expires" },
  { value: "unlisted", label: "Unlisted", hint: "Everyone who has the link" },
  { value: "public", label: "Public", hint: "Everyone" },
];
const TERMS = [
  { value: "60", label: "1 hour" },
  { value: "1440", label: "1 day" },
  { value: "4320", label: "3 days" },
  { value: "10080", label: "7 days" },
];
const FORM = { width: 640, height: 360 };

export function Share({ asset, save }: { asset: Asset; save: (by: AssetChange) => Promise<void> }): JSX.Element {
  const name = useId();
  const [isBusy, setBusy] = useState(false);
  const set = async (visibility: Visibility) => {
    setBusy(true);
    try {
      await save({ visibility });
      say(AUDIENCE[visibility]);
    } catch (error) {
      complain(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="Share">
      <fieldset class="choices" aria-busy={isBusy ? "true" : undefined}>
        <legend>Who may watch</legend>
        {WAYS.map(({ value, label, hint }) => (
          <label key={value}>
            <input type="radio" name={name} checked={asset.visibility === value} onChange={() => void set(value)} />
            <span>
              <strong>{label}</strong>
              <span class="quiet">{hint}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {asset.visibility !== "private" && <Given label="Link" text={watchLink(asset.id)} />}
      {asset.visibility !== "private" && asset.encrypted !== true && <Given label="Code for a page of yours" text={snippet(asset, `/embed/${asset.id}`)} lines />}
      <Expiring asset={asset} />
    </Card>
  );
}

/** A link that works for a while, whatever the visibility. */
function Expiring({ asset }: { asset: Asset }): JSX.Element {
  const [minutes, setMinutes] = useState("1440");
  const [grant, setGrant] = useState<Grant>();
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const make = async () => {
    setBusy(true);
    setTrouble(undefined);
    try {
      setGrant(await post<Grant>(`/assets/${asset.id}/grants`, { minutes: Number(minutes) }));
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  const watch = grant === undefined ? undefined : new URL(grant.watch, location.href).href;
  return (
    <div class="expiring">
      <div class="expiring-make">
        <Select label="A link that works for" value={minutes} options={TERMS} onChange={setMinutes} />
        <Button icon="link" busy={isBusy} onClick={() => void make()}>
          Make link
        </Button>
      </div>
      {trouble !== undefined && <Trouble error={trouble} />}
      {grant !== undefined && watch !== undefined && (
        <>
          <Given label={`Works until ${moment(new Date(grant.expires_at))}, for whoever has it`} text={watch} />
          <Given label="Code for a page of yours, for as long" text={snippet(asset, grant.watch.replace("/watch/", "/embed/"))} lines />
        </>
      )}
    </div>
  );
}

function snippet({ width, height }: Asset, path: string): string {
  const isUpright = (height ?? 0) > (width ?? 0);
  const [w, h] = isUpright ? [FORM.height, FORM.width] : [FORM.width, FORM.height];
  const source = new URL(path, location.href).href;
  return `<iframe src="${source}" width="${w}" height="${h}" title="Video" allow="fullscreen; picture-in-picture" referrerpolicy="no-referrer" loading="lazy" style="border:0"></iframe>`;
}

/** A text to take along. */
export function Given({ label, text, lines = false }: { label: string; text: string; lines?: boolean }): JSX.Element {
  const id = useId();
  return (
    <div class="field given">
      <label for={id}>{label}</label>
      <div class="given-line">
        {lines ? (
          <textarea id={id} readOnly rows={3} value={text} onFocus={(event) => event.currentTarget.select()} />
        ) : (
          <input id={id} readOnly value={text} onFocus={(event) => event.currentTarget.select()} />
        )}
        <Button icon="copy" label={`Copy: ${label}`} onClick={() => void copy(text, lines ? "Code" : "Link")} />
      </div>
    </div>
  );
}
