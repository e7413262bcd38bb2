// The ways in: log in, sign up, a forgotten password.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { Refusal, inWords, post } from "../api/client";
import type { Account } from "../api/types";
import { fieldOf } from "../api/words";
import { Heading, usePlace } from "../router";
import { logIn, logOut, server, signUp } from "../session";
import { useStore } from "../store";
import { Button, ButtonLink, Field, Note, Trouble } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Mark } from "../ui/icons";

interface Form {
  isBusy: boolean;
  trouble: string | undefined;
  /** Sentences about single fields, by their name. */
  wrong: Record<string, string>;
  submit: (event: Event) => void;
}

const FIELD_OF_CODE: Record<string, string> = { username_taken: "username", email_taken: "email" };

/** A form that does something and says what went wrong where. */
function useForm(deed: () => Promise<void>): Form {
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const submit = (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble(undefined);
    setWrong({});
    deed()
      .catch((error: unknown) => {
        const refusal = error instanceof Refusal ? error : undefined;
        const named = refusal?.code === "invalid_field" ? fieldOf(refusal.detail) : undefined;
        const field = refusal === undefined ? undefined : FIELD_OF_CODE[refusal.code];
        if (named !== undefined) setWrong({ [named[0]]: named[1] });
        else if (field !== undefined) setWrong({ [field]: inWords(error) });
        else setTrouble(inWords(error));
      })
      .finally(() => setBusy(false));
  };
  return { isBusy, trouble, wrong, submit };
}

function Gate({ title, lead, children }: { title: string; lead?: ComponentChildren; children: ComponentChildren }): JSX.Element {
  return (
    <div class="gate">
      <div class="gate-card">
        <Heading title={title} />
        {lead !== undefined && <p class="quiet">{lead}</p>}
        {children}
      </div>
    </div>
  );
}

export function WelcomePage(): JSX.Element {
  const allowed = useStore(server);
  return (
    <div class="welcome">
      <Mark size={56} />
      <Heading title="Welcome">Big videos, over any network.</Heading>
      <p>
        Drop a file of any size. Close the laptop, lose the connection, come back: the upload goes on where it was, and the video plays for everyone you share it
        with.
      </p>
      <p class="row-of-buttons">
        <ButtonLink href="/login" kind="primary">
          Log in
        </ButtonLink>
        {allowed?.signup === "open" && <ButtonLink href="/signup">Sign up</ButtonLink>}
        <ButtonLink href="/docs" kind="quiet" icon="book">
          API
        </ButtonLink>
      </p>
    </div>
  );
}

export function LogInPage(): JSX.Element {
  const { query } = usePlace();
  const allowed = useStore(server);
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  // Whoever is logged in is sent on from here.
  const form = useForm(() => logIn(login.trim(), password));
  return (
    <Gate title="Log in">
      {query.has("reset") && <Note tone="good">Your password is changed. Log in with the new one.</Note>}
      <form onSubmit={form.submit}>
        {form.trouble !== undefined && <Trouble error={form.trouble} />}
        <Field label="Username or email" value={login} onInput={setLogin} autoComplete="username" required spellcheck={false} />
        <Field label="Password" type="password" value={password} onInput={setPassword} autoComplete="current-password" required />
        <Button kind="primary" type="submit" busy={form.isBusy} class="wide">
          Log in
        </Button>
      </form>
      <p class="gate-more">
        {allowed?.mail !== false && <a href="/forgot">Forgot your password?</a>}
        {allowed?.signup === "open" && <a href="/signup">Sign up</a>}
      </p>
    </Gate>
  );
}

/** Over the page somebody was at when their session ended: what they have written stays. */
export function LogInAgain({ account }: { account: Account }): JSX.Element {
  const [password, setPassword] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const form = useForm(() => logIn(account.username, password));
  return (
    <Dialog title="You are logged out" onClose={undefined}>
      <p>Your session has ended. Log in again, and everything goes on where it was, uploads too.</p>
      <form onSubmit={form.submit}>
        {form.trouble !== undefined && <Trouble error={form.trouble} />}
        <input class="unseen" type="text" autoComplete="username" value={account.username} readOnly tabIndex={-1} aria-hidden="true" />
        <Field label={`Password of ${account.username}`} type="password" value={password} onInput={setPassword} autoComplete="current-password" required innerRef={input} />
        <footer>
          <Button kind="quiet" onClick={() => void logOut().catch(() => location.assign("/login"))}>
            Use another account
          </Button>
          <Button kind="primary" type="submit" busy={form.isBusy}>
            Log in
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

export function SignUpPage(): JSX.Element {
  const allowed = useStore(server);
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(() => signUp(username.trim(), email.trim(), password));
  if (allowed?.signup === "closed") {
    return (
      <Gate title="Sign up">
        <Note icon="lock">Sign-up is closed on this server. Ask an administrator for an account.</Note>
        <p class="gate-more">
          <a href="/login">Log in</a>
        </p>
      </Gate>
    );
  }
  return (
    <Gate title="Sign up">
      <form onSubmit={form.submit}>
        {form.trouble !== undefined && <Trouble error={form.trouble} />}
        <Field
          label="Username"
          value={username}
          onInput={setUsername}
          autoComplete="username"
          required
          spellcheck={false}
          error={form.wrong.username}
          hint="3 to 32 letters, digits, dots, dashes or underscores"
        />
        <Field label="Email" type="email" value={email} onInput={setEmail} autoComplete="email" required error={form.wrong.email} />
        <Field label="Password" type="password" value={password} onInput={setPassword} autoComplete="new-password" required error={form.wrong.password} hint="At least 8 characters" />
        <Button kind="primary" type="submit" busy={form.isBusy} class="wide">
          Sign up
        </Button>
      </form>
      <p class="gate-more">
        <a href="/login">I have an account</a>
      </p>
    </Gate>
  );
}

export function ForgotPage(): JSX.Element {
  const allowed = useStore(server);
  const [email, setEmail] = useState("");
  const [isSent, setSent] = useState(false);
  const form = useForm(async () => {
    await post("/password-resets", { email: email.trim() }, { quietly: true });
    setSent(true);
  });
  return (
    <Gate title="Forgot your password?" lead={isSent || allowed?.mail === false ? undefined : "Write your email address, and we send a link to choose a new one."}>
      {allowed?.mail === false ? (
        <Note icon="warning">This server sends no mail. Ask its administrator for a new password.</Note>
      ) : isSent ? (
        <Note tone="good" icon="check">
          If there is an account with this address, a mail with a link is on its way. The link works for a short time and once.
        </Note>
      ) : (
        <form onSubmit={form.submit}>
          {form.trouble !== undefined && <Trouble error={form.trouble} />}
          <Field label="Email" type="email" value={email} onInput={setEmail} autoComplete="email" required error={form.wrong.email} />
          <Button kind="primary" type="submit" busy={form.isBusy} class="wide">
            Send the link
          </Button>
        </form>
      )}
      <p class="gate-more">
        <a href="/login">Back to log-in</a>
      </p>
    </Gate>
  );
}

export function ResetPage(): JSX.Element {
  // The token comes behind the `#`, which browsers tell nobody. It leaves the address at once.
  const [token] = useState(() => decodeURIComponent(location.hash.slice(1)).replace(/^token=/, ""));
  const [password, setPassword] = useState("");
  useEffect(() => {
    if (token !== "") history.replaceState(null, "", "/reset");
  }, []);
  const form = useForm(async () => {
    await post("/password-resets/confirm", { token, new_password: password }, { quietly: true });
    location.assign("/login?reset");
  });
  return (
    <Gate title="Choose a new password">
      {token === "" ? (
        <Note icon="warning">This link is not complete. Open it from the mail again, or ask for a new one.</Note>
      ) : (
        <form onSubmit={form.submit}>
          {form.trouble !== undefined && <Trouble error={form.trouble} />}
          <Field
            label="New password"
            type="password"
            value={password}
            onInput={setPassword}
            autoComplete="new-password"
            required
            error={form.wrong.new_password ?? form.wrong.password ?? form.wrong.token}
            hint="At least 8 characters. You will be logged out everywhere."
          />
          <Button kind="primary" type="submit" busy={form.isBusy} class="wide">
            Save the password
          </Button>
        </form>
      )}
      <p class="gate-more">
        <a href="/forgot">Ask for a new link</a>
      </p>
    </Gate>
  );
}
