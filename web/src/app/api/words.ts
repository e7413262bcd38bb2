// What a refusal means to whoever sits in front of it, and what they can do.

import { span } from "../../shared/format";

const SENTENCES: Record<string, string> = {
  unreachable: "The server cannot be reached. Check your connection, then try again.",
  authentication_required: "You are not logged in any more. Log in and try again.",
  invalid_credentials: "That name and password do not fit together. Check both and try again.",
  username_taken: "Someone has this username already. Choose another.",
  email_taken: "There is an account with this email address already. Log in, or reset its password.",
  account_disabled: "This account is switched off. Ask an administrator.",
  reset_invalid: "This link was used already, or it is too old. Ask for a new one.",
  last_admin: "Somebody has to be the administrator: make another account one first.",
  job_ended: "This job has ended meanwhile.",
  job_not_failed: "This job is not one that can be tried again.",
  cross_site: "The server took this for a request from another site. Open this page at the server's own address.",
  forbidden: "Your account may not do this. Ask an administrator.",
  not_found: "That is not there, or not any more.",
  asset_not_found: "This video is not there, or it is not yours.",
  upload_not_found: "This upload is not there any more. Begin it again.",
  upload_gone: "This upload was ended. Begin it again.",
  upload_too_large: "The file is larger than this server takes.",
  quota_exceeded: "There is no room left in your account. Delete something, or ask an administrator for more.",
  storage_full: "The server's disk is full. Tell its administrator.",
  not_a_video: "Nothing can be made of this file for playing: it is no video.",
  captions_invalid: "This is not a WebVTT file. It begins with the word WEBVTT; most subtitle programs can save one.",
  too_many_captions: "This video has as many captions as it may have. Remove one first.",
  internal: "Something failed on the server. Its log has the cause.",
  unavailable: "A part of the server is not available just now. Try again in a moment.",
  overloaded: "The server has too much to do just now. Try again in a moment.",
  shutting_down: "The server is being restarted. Try again in a moment.",
};

/** The sentence for a problem: ours where we know better, else the origin's own. */
export function sentences(code: string, detail: string | undefined, title: string, retryAfterS: number | undefined): string {
  if (code === "too_many_attempts" || code === "rate_limited") {
    const wait = retryAfterS === undefined ? "a moment" : span(retryAfterS);
    return `That was too often. Wait ${wait}, then try again.`;
  }
  // What is particular to a field says more than any general sentence.
  if (code === "invalid_field" && detail !== undefined) return capital(detail);
  const ours = SENTENCES[code];
  if (ours !== undefined) return code === "forbidden" && detail !== undefined ? capital(detail) : ours;
  return detail === undefined ? title : `${title} ${capital(detail)}`;
}

/** The field that a refusal is about, where it names one: `username: 3 to 32 of …`. */
export function fieldOf(detail: string | undefined): [string, string] | undefined {
  const found = /^([a-z_]+): (.+)$/s.exec(detail ?? "");
  return found?.[1] === undefined || found[2] === undefined ? undefined : [found[1], capital(found[2])];
}

function capital(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
