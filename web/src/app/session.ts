// Who sits in front of the page, and what this server allows.

import { Refusal, get, onLoggedOut, post, remove } from "./api/client";
import type { Account, Server } from "./api/types";
import { Store, useStore } from "./store";

export type Session =
  | { is: "asking" }
  /** Nobody is logged in. */
  | { is: "out" }
  /** The server did not say. */
  | { is: "unknown"; error: unknown }
  | { is: "in"; account: Account; /** The session has ended; the page stays as it is until they log in again. */ ended: boolean };

export const session = new Store<Session>({ is: "asking" });
export const server = new Store<Server | undefined>(undefined);

/** Tabs tell each other of coming and going. */
const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel("tidegate-session") : undefined;

export function useSession(): Session {
  return useStore(session);
}

/** The account, on pages that are shown to nobody else. */
export function useAccount(): Account {
  const now = useStore(session);
  if (now.is !== "in") throw new Error("this page needs an account");
  return now.account;
}

/** Asks who is here. */
export async function begin(): Promise<void> {
  onLoggedOut(end);
  // Another tab has logged in, or out: whoever leaves leaves everywhere.
  tabs?.addEventListener("message", ({ data }) => {
    if (data !== "out") void look();
    else if (session.value.is === "in") location.assign("/login");
  });
  get<Server>("/server").then(
    (said) => server.set(said),
    () => {},
  );
  await look();
}

async function look(): Promise<void> {
  try {
    here(await get<Account>("/account", { quietly: true }));
  } catch (error) {
    const isOut = error instanceof Refusal && error.status === 401;
    // A page that somebody is at stays as it is, and so do the uploads in it.
    if (session.value.is !== "in") session.set(isOut ? { is: "out" } : { is: "unknown", error });
    else if (isOut) end();
  }
}

function here(account: Account): void {
  const now = session.value;
  if (now.is !== "in" || now.account.id === account.id) return session.set({ is: "in", account, ended: false });
  // What stands on the page is someone else's, and what waits in it must not go on in this one's name.
  end();
  location.reload();
}

/** The session has ended, but the page is kept. */
function end(): void {
  const now = session.value;
  if (now.is === "in" && !now.ended) session.set({ ...now, ended: true });
}

/** Asks again, for instance after an upload has taken some of the quota. */
export async function refresh(): Promise<void> {
  if (session.value.is === "in") await look();
}

export async function logIn(login: string, password: string): Promise<void> {
  await post("/sessions", { login, password }, { quietly: true });
  await look();
  tabs?.postMessage("in");
}

export async function signUp(username: string, email: string, password: string): Promise<void> {
  await post("/accounts", { username, email, password }, { quietly: true });
  await logIn(username, password);
}

export async function logOut(): Promise<void> {
  await remove("/sessions");
  tabs?.postMessage("out");
  // Nothing of theirs is to stay in this page.
  location.assign("/login");
}

/** Resolves when somebody is logged in, at once if somebody is. */
export function loggedIn(): Promise<void> {
  return new Promise((resolve) => {
    const isIn = () => session.value.is === "in" && !session.value.ended;
    if (isIn()) return resolve();
    const stop = session.follow(() => {
      if (!isIn()) return;
      stop();
      resolve();
    });
  });
}
