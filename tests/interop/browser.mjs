// Headless Chromium as the scripts of this folder start it.

import { chromium } from "playwright-core";

export const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);

export function launch(executablePath) {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}
