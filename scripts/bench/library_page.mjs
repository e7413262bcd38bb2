// Opens the dashboard's library in headless Chromium, over and over, each time with nothing in its caches, and says when
// it could be used; then what scripts each page loads.
//
//   node library_page.mjs '{"modules", "chromium", "origin", "token", "rounds"}'
//
// Prints one line of JSON: {"interactive_ms": [...], "script_bytes": {page: bytes as they were sent}}.

import { createRequire } from "node:module";

const PAGES = ["/login", "/library", "/upload", "/settings", "/admin", "/docs"];

const wish = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${wish.modules}/`)("playwright-core");
const browser = await chromium.launch({
  executablePath: wish.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const interactive_ms = [];
const script_bytes = {};
try {
  for (let round = 0; round < wish.rounds; round += 1) {
    interactive_ms.push(await opened("/library", async (page) => {
      await page.waitForFunction(() => window.usableMs !== undefined, undefined, { timeout: 60_000 });
      return page.evaluate(() => window.usableMs);
    }));
  }
  for (const path of PAGES) script_bytes[path] = await opened(path, sizeOfScripts);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ interactive_ms, script_bytes }));

/** Opens a page as the administrator, in a browser that was never there. */
async function opened(path, look) {
  const context = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${wish.token}` } });
  const page = await context.newPage();
  await page.addInitScript(untilUsable);
  await page.goto(`${wish.origin}${path}`);
  const seen = await look(page);
  await context.close();
  return seen;
}

/** What the page has asked for once it is quiet, compressed as it came. */
async function sizeOfScripts(page) {
  await page.waitForTimeout(1500);
  const entries = await page.evaluate(() =>
    performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js")).map((entry) => entry.encodedBodySize),
  );
  return entries.reduce((sum, size) => sum + size, 0);
}

/** In the page: notes when there are assets to click on and a field to search by, after a frame has shown them. */
function untilUsable() {
  const look = () => {
    const rows = document.querySelectorAll("a[href^='/library/']");
    const search = document.querySelector("input[type='search']");
    if (rows.length < 5 || search === null || search.disabled) return requestAnimationFrame(look);
    // A task that runs at once shows that the page listens again.
    requestAnimationFrame(() => setTimeout(() => (window.usableMs = performance.now()), 0));
  };
  look();
}
