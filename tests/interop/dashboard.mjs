// The dashboard as people use it.
//
//   node dashboard.mjs '{"chromium", "deed", "origin", …}'
//
//   story    signs up, drops `film`, reloads in mid-upload and goes on, sees it become playable, watches it, shares it by
//            a link, sees another tab's changes, deletes and takes that back, logs out
//   storm    uploads `film` while the network is cut, the origin is killed (prints {"event":"begun"}, and "noticed" when the
//            page says that it is away), and the tab is closed and opened again
//   expire   the session ends in mid-upload of `film` (as `login`, `password`)
//   hostile  the texts of an asset try to run (`login`, `password`, `asset`)
//   look     every page as `login` at two sizes in two colour schemes: axe, overhang, and pictures in `shots`
//   long     a library of very many (`login`, `password`, `count`)
// Prints one line of JSON last.

import { statSync } from "node:fs";
import { createServer } from "node:http";
import { basename } from "node:path";
import { WAIT_MS, launch } from "./browser.mjs";
import { faults, open, overhang } from "./pages.mjs";

const wish = JSON.parse(process.argv[2]);
const { origin } = wish;
const browser = await launch(wish.chromium);
const complaints = [];
const inaccessible = {};

const step = (name) => console.error(`${new Date().toISOString().slice(11, 23)} ${name}`);

/** Notes what axe finds on the page as it stands. */
async function check(page, name) {
  const found = await faults(page);
  if (found.length > 0) inaccessible[name] = found;
}

async function logIn(page, next = "/library") {
  await page.goto(`${origin}/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Username or email").fill(wish.login);
  await page.getByLabel("Password", { exact: true }).fill(wish.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((url) => url.pathname === next.split("?")[0]);
  await page.locator("h1").waitFor();
}

const row = (page, title) => page.locator(".asset", { hasText: title });
const upload = (page, name) => page.locator(".upload", { hasText: name });

/** Drops a file on the page as a mouse does. */
async function drop(page, path) {
  const input = page.locator("input[data-files]");
  await input.setInputFiles(path);
}

async function menu(page, label, entry) {
  await page.getByRole("button", { name: label }).click();
  await page.getByRole("menuitem", { name: entry, exact: true }).click();
}

/** A page of another site: another name is another site, also on the same machine. */
async function serve(html) {
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(html));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://localhost:${server.address().port}/`, end: () => server.close() };
}

/** Has the film take about this long. */
async function slow(page, seconds) {
  const session = await page.context().newCDPSession(page);
  const rate = statSync(wish.film).size / seconds;
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 5, downloadThroughput: -1, uploadThroughput: rate });
}

async function percentOf(page, name) {
  const text = await upload(page, name).locator(".upload-facts").innerText();
  return Number(/(\d+) %/.exec(text)?.[1] ?? Number.NaN);
}

async function until(isSo, what, patience = WAIT_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const now = await isSo();
    if (now) return now;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const DEEDS = {
  async story() {
    const name = basename(wish.film);
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    const page = await open(context, `${origin}/`, complaints);
    step("sign up");
    await page.getByRole("link", { name: "Sign up" }).click();
    await check(page, "signup");
    await page.getByLabel("Username").fill(wish.login);
    await page.getByLabel("Email").fill(`${wish.login}@example.org`);
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByRole("button", { name: "Sign up" }).click();
    const tooShort = await page.locator(".field .error").innerText();
    await page.getByLabel("Password", { exact: true }).fill(wish.password);
    await page.getByRole("button", { name: "Sign up" }).click();
    await page.waitForURL(`${origin}/library`);
    await page.getByText("No videos yet").waitFor();
    await check(page, "empty library");

    step("log out and in");
    await menu(page, `Account ${wish.login}`, "Log out");
    await page.waitForURL(`${origin}/login`);
    const back = await open(context, `${origin}/upload`, complaints);
    await back.waitForURL((url) => url.pathname === "/login");
    await back.close();
    await page.goto(`${origin}/upload`);
    await page.getByLabel("Username or email").fill(`${wish.login}@example.org`);
    await page.getByLabel("Password", { exact: true }).fill(wish.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(`${origin}/upload`);
    await page.getByRole("heading", { name: "Upload", exact: true }).waitFor();

    step("upload");
    const other = await open(context, `${origin}/library`, complaints);
    await other.getByText("No videos yet").waitFor();
    await slow(page, 10);
    await drop(page, wish.film);
    await until(async () => (await percentOf(page, name)) > 5, "the upload to move");
    await page.getByRole("button", { name: `Details of ${name}` }).click();
    await page.getByLabel("Title").fill("The harbour");
    await page.getByLabel("Description").fill("At dawn.");
    await page.getByLabel("Tags").fill("tide,");
    await check(page, "uploading");
    // The other tab sees it come.
    await other.getByText(/Uploading \d+ %/).waitFor();
    await page.getByRole("button", { name: `Pause ${name}` }).click();
    await upload(page, name).getByText(/Paused at/).waitFor();
    await page.getByRole("button", { name: `Resume ${name}` }).click();
    const before = await until(async () => (await percentOf(page, name)) > 20 && percentOf(page, name), "a fifth");

    step("reload in mid-upload");
    await page.reload();
    await page.getByText("Not finished yet").waitFor();
    const kept = await percentOf(page, name);
    await check(page, "unfinished");
    await upload(page, name).locator("input[data-again]").setInputFiles(wish.film);
    await page.getByRole("button", { name: `Pause ${name}` }).waitFor();
    const resumed = await until(async () => percentOf(page, name), "the upload to go on");
    await upload(page, "The harbour").getByRole("link", { name: "Open" }).waitFor();

    step("becomes playable");
    const mine = row(other, "The harbour");
    await mine.waitFor();
    await mine.getByText(/Playable|Ready/).waitFor({ timeout: wish.patience_ms });
    await upload(page, "The harbour").getByRole("link", { name: "Open" }).click();
    await page.getByRole("heading", { name: "The harbour" }).waitFor();
    const tags = await page.locator(".tags-input .tag").allInnerTexts();
    const description = await page.getByLabel("Description").inputValue();

    step("watch");
    await page.waitForFunction(() => document.querySelector("video")?.duration > 0);
    await page.evaluate(() => {
      const video = document.querySelector("video");
      video.muted = true;
      return video.play();
    });
    await page.waitForFunction(() => document.querySelector("video").currentTime > 1);
    await check(page, "asset");
    const how = await page.evaluate(() => document.querySelector("video").currentSrc.split(":")[0]);
    await page.evaluate(() => document.querySelector("video").pause());

    step("share");
    await page.getByRole("button", { name: "Make link" }).click();
    const link = await page.getByLabel(/^Works until/).inputValue();
    const snippet = await page.getByLabel(/^Code for a page of yours, for as long/).inputValue();
    const stranger = await browser.newContext();
    const theirs = await open(stranger, link, complaints);
    await theirs.waitForFunction(() => document.querySelector("video")?.duration > 0);
    await theirs.getByRole("heading", { name: "The harbour" }).waitFor();
    const frame = await open(stranger, undefined, complaints);
    const elsewhere = await serve(`<!doctype html><title>Another site</title>${snippet}`);
    await frame.goto(elsewhere.url);
    const inside = frame.frameLocator("iframe");
    await inside.locator("video").waitFor();
    await until(() => inside.locator("video").evaluate((video) => video.duration > 0), "the frame to play");
    await stranger.close();
    elsewhere.end();

    step("another tab");
    await page.getByLabel("Title").fill("The harbour at dawn");
    await page.getByRole("button", { name: "Save" }).click();
    await row(other, "The harbour at dawn").waitFor();
    await check(other, "library");
    await menu(other, "More for The harbour at dawn", "Rename");
    await other.getByLabel("New title for The harbour at dawn").fill("Dawn");
    await other.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Dawn" }).waitFor();
    await menu(other, "More for Dawn", "Make public");
    await page.getByLabel("Public").and(page.locator(":checked")).waitFor();

    step("delete and take back");
    await page.goto(`${origin}/library`);
    await row(page, "Dawn").waitFor();
    await menu(other, "More for Dawn", "Delete");
    await row(page, "Dawn").waitFor({ state: "detached" });
    await other.getByRole("button", { name: "Undo" }).click();
    await row(page, "Dawn").waitFor();
    await row(other, "Dawn").waitFor();

    step("log out");
    await menu(page, `Account ${wish.login}`, "Log out");
    await page.waitForURL(`${origin}/login`);
    await other.getByRole("heading", { name: "Log in" }).waitFor();
    return { tooShort, before, kept, resumed, tags, description, how, snippet };
  },

  async expire() {
    const name = basename(wish.film);
    const context = await browser.newContext();
    const page = await open(context, undefined, complaints);
    await logIn(page, "/upload");
    await slow(page, 10);
    await drop(page, wish.film);
    await until(async () => (await percentOf(page, name)) > 5, "the upload to move");
    step("the session ends");
    await page.getByRole("button", { name: `Pause ${name}` }).click();
    await context.clearCookies();
    await page.getByRole("button", { name: `Resume ${name}` }).click();
    const dialog = page.getByRole("dialog", { name: "You are logged out" });
    await dialog.waitFor();
    const said = await upload(page, name).locator(".upload-facts").innerText();
    await check(page, "logged out");
    await dialog.getByLabel(/^Password/).fill(wish.password);
    await dialog.getByRole("button", { name: "Log in" }).click();
    await dialog.waitFor({ state: "detached" });
    const went = await until(async () => percentOf(page, name), "the upload to go on");
    await upload(page, name).getByRole("link", { name: "Open" }).waitFor();
    return { said, went };
  },

  async storm() {
    const name = basename(wish.film);
    const context = await browser.newContext();
    let page = await open(context, undefined, complaints);
    await logIn(page, "/upload");
    await slow(page, 15);
    await drop(page, wish.film);
    await until(async () => (await percentOf(page, name)) > 10, "the upload to move");
    step("the network is cut");
    await context.setOffline(true);
    await upload(page, name).getByText(/Connection lost/).waitFor();
    await context.setOffline(false);
    await slow(page, 15);
    await upload(page, name).getByText(/left$/).waitFor();
    await until(async () => (await percentOf(page, name)) > 30, "the upload to go on");
    step("the origin is killed");
    console.log(JSON.stringify({ event: "begun" }));
    const told = page.getByText("No connection to the server");
    await told.waitFor();
    console.log(JSON.stringify({ event: "noticed" }));
    await told.waitFor({ state: "detached" });
    await upload(page, name).getByText(/left$/).waitFor();
    await until(async () => (await percentOf(page, name)) > 50, "the upload to go on");
    step("the tab is closed");
    await page.close({ runBeforeUnload: false });
    page = await open(context, `${origin}/upload`, complaints);
    const kept = await until(async () => percentOf(page, name), "what is there already");
    await upload(page, name).locator("input[data-again]").setInputFiles(wish.film);
    await upload(page, name).getByRole("link", { name: "Open" }).waitFor();
    return { kept };
  },

  async look() {
    const pages = ["/library", `/library/${wish.asset}`, "/upload", "/settings", "/settings/password", "/settings/sessions", "/settings/tokens", "/settings/webhooks"];
    const admin = ["/admin", "/admin/accounts", "/admin/queue", "/admin/edges", "/admin/uploads", "/admin/deliveries", "/admin/audit"];
    const outside = ["/", "/login", "/signup", "/forgot", "/reset#x", `/watch/${wish.asset}`, `/embed/${wish.asset}`, "/docs"];
    const overhangs = {};
    const sizes = { phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, desk: { viewport: { width: 1280, height: 860 } } };
    for (const [size, options] of Object.entries(sizes)) {
      for (const colorScheme of ["light", "dark"]) {
        const context = await browser.newContext({ ...options, colorScheme });
        const see = async (path) => {
          const page = await open(context, `${origin}${path}`, complaints);
          await page.locator("h1").waitFor({ state: "attached" });
          await page.locator(".loading, .blank").first().waitFor({ state: "detached" });
          await page.waitForTimeout(300);
          const name = `${path.replace(/#.*/, "").replaceAll("/", "-").replace(wish.asset, "asset").slice(1) || "welcome"}-${size}-${colorScheme}`;
          await check(page, name);
          const over = await overhang(page);
          if (over > 0) overhangs[name] = over;
          if (wish.shots !== undefined) await page.screenshot({ path: `${wish.shots}/${name}.png` });
          await page.close();
        };
        for (const path of outside) await see(path);
        const page = await open(context, undefined, complaints);
        await logIn(page);
        await page.close();
        for (const path of [...pages, ...admin]) await see(path);
        await context.close();
      }
    }
    return { overhangs };
  },

  async long() {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    const page = await open(context, undefined, complaints);
    await logIn(page);
    const began = Date.now();
    await page.goto(`${origin}/library`);
    await page.locator(".asset:not(.blank)").first().waitFor();
    const readyMs = Date.now() - began;
    // Frames while the wheel turns through the whole list.
    const { frames, longest, rows } = await page.evaluate(async () => {
      let last = performance.now();
      const gaps = [];
      let isOver = false;
      const tick = (now) => {
        gaps.push(now - last);
        last = now;
        if (!isOver) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
      for (let n = 0; n < 120; n += 1) {
        scrollBy(0, 600);
        await new Promise((next) => setTimeout(next, 16));
      }
      isOver = true;
      return { frames: gaps.length, longest: Math.max(...gaps), rows: document.querySelectorAll(".asset").length };
    });
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const last = page.locator(`.asset[aria-posinset="${wish.count}"]`);
    await last.waitFor();
    const lastMs = Date.now();
    await page.getByLabel("Search").fill(wish.search);
    await row(page, wish.search).first().waitFor();
    return { readyMs, frames, longestMs: longest, rows, searchMs: Date.now() - lastMs };
  },

  async hostile() {
    const context = await browser.newContext();
    const page = await open(context, undefined, complaints);
    await context.addInitScript(() => {
      globalThis.alert = () => (globalThis.hurt = true);
    });
    await logIn(page);
    const hurt = {};
    for (const path of ["/library", `/library/${wish.asset}`, `/watch/${wish.asset}`, `/library?tag=${encodeURIComponent(wish.tag)}`, "/upload", "/admin", "/admin/queue", "/admin/uploads", "/admin/audit"]) {
      await page.goto(`${origin}${path}`);
      await page.locator("h1").waitFor({ state: "attached" });
      await page.waitForTimeout(500);
      hurt[path] = await page.evaluate(() => globalThis.hurt === true || document.querySelector("img[src='x'], script:not([src])") !== null);
    }
    await page.goto(`${origin}/library`);
    const title = await page.locator(".asset-title").first().innerText();
    return { hurt, title };
  },
};

try {
  const said = await DEEDS[wish.deed]();
  console.log(JSON.stringify({ ...said, complaints, inaccessible }));
} catch (error) {
  // What they looked like says more than what was waited for.
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    console.error(page.url(), await page.locator("body").innerText({ timeout: 1_000 }).catch(() => ""));
    if (wish.shots !== undefined) await page.screenshot({ path: `${wish.shots}/failed-${Date.now()}.png` }).catch(() => {});
  }
  console.error(complaints);
  throw error;
} finally {
  await browser.close();
}
