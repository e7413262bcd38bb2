// What the dashboard's tests share: pages that are watched for what they break, accessibility, pictures.

import { readFile } from "node:fs/promises";
import { WAIT_MS } from "./browser.mjs";

const AXE = new URL("node_modules/axe-core/axe.min.js", import.meta.url);

/** Answers that a page expects to be refused now and then are no complaint of it. */
const EXPECTED = /status of (401|404|409|410|422|423|503)|Failed to parse video contentType|net::ERR_(INTERNET_DISCONNECTED|CONNECTION|FAILED|EMPTY|INCOMPLETE)/;

/** Opens a page; what it breaks is kept in `complaints`. */
export async function open(context, url, complaints) {
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !EXPECTED.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    if (dialog.type() !== "beforeunload") complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.accept();
  });
  if (url !== undefined) await page.goto(url);
  return page;
}

/** What axe finds that keeps people out: serious or worse. */
export async function faults(page) {
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

/** By how many pixels something sticks out of the page. */
export function overhang(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}
