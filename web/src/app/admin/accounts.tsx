// Whose accounts there are, what they may do, and how much room they have.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";

import { inWords, patch, post } from "../api/client";
import type { ManagedAccount, Role } from "../api/types";
import { bytes, count } from "../../shared/format";
import { usePages } from "../live/pages";
import { useAccount } from "../session";
import { Badge, Button, Card, Check, Field, Select, Time, Trouble } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { List } from "../ui/table";
import { say } from "../ui/toast";
import { ROLES } from "../words";

const SEARCH_AFTER_MS = 250;
const GB = 1_000_000_000;

export function AccountsPart(): JSX.Element {
  const [q, setQ] = useState("");
  const [text, setText] = useState("");
  const list = usePages<ManagedAccount>("/accounts", "accounts", { q });
  const [edited, setEdited] = useState<ManagedAccount>();
  const [isAdding, setAdding] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const search = (words: string) => {
    setText(words);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQ(words.trim()), SEARCH_AFTER_MS);
  };
  return (
    <Card>
      <div class="filters">
        <div class="search">
          <Icon name="search" size={18} />
          <input type="search" value={text} placeholder="Search names and addresses" aria-label="Search accounts" onInput={(event) => search(event.currentTarget.value)} />
        </div>
        <Button icon="plus" onClick={() => setAdding(true)}>
          Add an account
        </Button>
      </div>
      <List<ManagedAccount>
        label="Accounts"
        list={list}
        keyOf={({ id }) => id}
        empty={{ icon: "person", title: "Nobody of that name" }}
        columns={[
          {
            head: "Name",
            cell: ({ username, email, disabled }) => (
              <>
                <strong>{username}</strong> {disabled && <Badge tone="bad">Switched off</Badge>}
                <br />
                <span class="quiet">{email}</span>
              </>
            ),
          },
          { head: "Role", cell: ({ role }) => <Badge tone={role === "admin" ? "warn" : "plain"}>{ROLES.find(({ value }) => value === role)?.label}</Badge> },
          { head: "Videos", figure: true, cell: ({ assets }) => count(assets) },
          { head: "Space", figure: true, cell: ({ used_bytes, quota_bytes }) => `${bytes(used_bytes)}${typeof quota_bytes === "number" ? ` of ${bytes(quota_bytes)}` : ""}` },
          { head: "Since", cell: ({ created_at }) => <Time at={created_at} /> },
          { head: "Change", deeds: true, cell: (account) => <Button onClick={() => setEdited(account)} attributes={{ "aria-label": `Change ${account.username}` }}>Change</Button> },
        ]}
      />
      {edited !== undefined && (
        <Edit
          account={edited}
          end={(saved) => {
            setEdited(undefined);
            if (saved !== undefined) list.patch((rows) => rows.map((row) => (row.id === saved.id ? { ...row, ...saved } : row)));
          }}
        />
      )}
      {isAdding && (
        <Add
          end={(didAdd) => {
            setAdding(false);
            if (didAdd) list.reload();
          }}
        />
      )}
    </Card>
  );
}

function Edit({ account, end }: { account: ManagedAccount; end: (saved?: ManagedAccount) => void }): JSX.Element {
  const me = useAccount();
  const [role, setRole] = useState<Role>(account.role);
  const [quota, setQuota] = useState(typeof account.quota_bytes === "number" ? String(account.quota_bytes / GB) : "");
  const [disabled, setDisabled] = useState(account.disabled);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const wanted = quota.trim() === "" ? null : Math.round(Number(quota.replace(",", ".")) * GB);
  const isWrong = wanted !== null && (!Number.isFinite(wanted) || wanted < 0);
  const save = async (event: Event) => {
    event.preventDefault();
    if (isWrong || isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      const saved = await patch<ManagedAccount>(`/accounts/${account.id}`, { role, quota_bytes: wanted, disabled });
      say(`${account.username} was changed.`);
      end(saved);
    } catch (error) {
      setTrouble(inWords(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={account.username} onClose={() => end()}>
      <form onSubmit={(event) => void save(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <Select label="Role" value={role} options={ROLES} onChange={setRole} />
        <Field
          label="Quota in GB"
          value={quota}
          onInput={setQuota}
          placeholder="no limit"
          hint={`${bytes(account.used_bytes)} are used. Empty: no limit.`}
          error={isWrong ? "A number of gigabytes, or nothing." : undefined}
        />
        {account.id !== me.id && <Check label="Switched off: cannot log in, its tokens are refused" checked={disabled} onChange={setDisabled} />}
        <footer>
          <Button onClick={() => end()}>Cancel</Button>
          <Button kind="primary" type="submit" busy={isBusy} disabled={isWrong}>
            Save
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Add({ end }: { end: (didAdd: boolean) => void }): JSX.Element {
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const save = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      await post("/accounts", { username: username.trim(), email: email.trim(), password });
      say(`${username.trim()} has an account now.`);
      end(true);
    } catch (error) {
      setTrouble(inWords(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Add an account" onClose={() => end(false)}>
      <form onSubmit={(event) => void save(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <Field label="Username" value={username} onInput={setUsername} required autoComplete="off" spellcheck={false} />
        <Field label="Email" type="email" value={email} onInput={setEmail} required autoComplete="off" />
        <Field label="First password" type="password" value={password} onInput={setPassword} required autoComplete="new-password" hint="They can change it in their settings." />
        <footer>
          <Button onClick={() => end(false)}>Cancel</Button>
          <Button kind="primary" type="submit" busy={isBusy}>
            Add
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
