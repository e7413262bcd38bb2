import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { get, inWords, post, remove } from "../api/client";
import type { Token } from "../api/types";
import { Given } from "../asset/share";
import { useLoaded } from "../live/use";
import { Button, Card, Empty, Field, Loading, Note, Time, Trouble } from "../ui/basics";
import { confirm } from "../ui/dialog";
import { Table } from "../ui/table";

/** Tokens that programs use in the account's place. */
export function TokensCard(): JSX.Element {
  const loaded = useLoaded("tokens", (signal) => get<{ tokens: Token[] }>("/tokens", { signal }));
  const [name, setName] = useState("");
  const [made, setMade] = useState<{ name: string; token: string }>();
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const make = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      setMade(await post<{ name: string; token: string }>("/tokens", { name: name.trim() }));
      setName("");
      loaded.reload();
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  const drop = ({ id, name }: Token) =>
    confirm("Delete this token?", `Whatever uses “${name}” is refused from then on.`, "Delete", async () => {
      await remove(`/tokens/${id}`);
      loaded.reload();
    });
  return (
    <>
      <Card title="New token">
        <form class="one-line" onSubmit={(event) => void make(event)}>
          <Field label="What it is for" value={name} onInput={setName} required max={100} placeholder="nightly uploads" />
          <Button kind="primary" type="submit" busy={isBusy}>
            Make a token
          </Button>
        </form>
        {trouble !== undefined && <Trouble error={trouble} />}
        {made !== undefined && (
          <Note tone="good" icon="check">
            <p>Copy the token “{made.name}” now: it is shown this once.</p>
            <Given label="Token" text={made.token} />
          </Note>
        )}
      </Card>
      <Card title="Tokens">
        {loaded.error !== undefined && <Trouble error={loaded.error} again={loaded.reload} />}
        {loaded.value === undefined ? (
          loaded.error === undefined && <Loading />
        ) : loaded.value.tokens.length === 0 ? (
          <Empty icon="code" title="No tokens yet">
            <p class="quiet">
              A program sends one as <code>Authorization: Bearer …</code>. What it can do is in the <a href="/docs">API documentation</a>.
            </p>
          </Empty>
        ) : (
          <Table<Token>
            label="Tokens"
            keyOf={({ id }) => id}
            rows={loaded.value.tokens}
            columns={[
              { head: "For", cell: ({ name }) => <bdi>{name}</bdi> },
              { head: "Made", cell: ({ created_at }) => <Time at={created_at} /> },
              { head: "Last used", cell: ({ last_used_at }) => (last_used_at ? <Time at={last_used_at} /> : "never") },
              { head: "Delete", deeds: true, cell: (token) => <Button kind="quiet" icon="trash" label={`Delete the token ${token.name}`} onClick={() => drop(token)} /> },
            ]}
          />
        )}
      </Card>
    </>
  );
}
