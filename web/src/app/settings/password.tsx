import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { Refusal, inWords, put } from "../api/client";
import { fieldOf } from "../api/words";
import { useAccount } from "../session";
import { Button, Card, Field, Trouble } from "../ui/basics";
import { say } from "../ui/toast";

/** Changing the password: every other session ends. */
export function PasswordCard(): JSX.Element {
  const account = useAccount();
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    setWrong({});
    try {
      await put("/account/password", { current_password: current, new_password: fresh }, { quietly: true });
      setCurrent("");
      setFresh("");
      say("Password changed. You are logged out everywhere else.");
    } catch (error) {
      const refusal = error instanceof Refusal ? error : undefined;
      const named = refusal?.code === "invalid_field" ? fieldOf(refusal.detail) : undefined;
      if (refusal?.code === "invalid_credentials") setWrong({ current_password: "This is not your password." });
      else if (named !== undefined) setWrong({ [named[0] === "password" ? "new_password" : named[0]]: named[1] });
      else setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="Change your password">
      <form onSubmit={(event) => void submit(event)}>
        {trouble !== undefined && <Trouble error={trouble} />}
        <input class="unseen" type="text" autoComplete="username" value={account.username} readOnly tabIndex={-1} aria-hidden="true" />
        <Field label="Password now" type="password" value={current} onInput={setCurrent} autoComplete="current-password" required error={wrong.current_password} />
        <Field
          label="New password"
          type="password"
          value={fresh}
          onInput={setFresh}
          autoComplete="new-password"
          required
          error={wrong.new_password}
          hint="At least 8 characters. Every other session of yours ends."
        />
        <Button kind="primary" type="submit" busy={isBusy}>
          Change the password
        </Button>
      </form>
    </Card>
  );
}
