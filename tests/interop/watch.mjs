// Opens the watch page as viewers do, and tells what it shows, does and asks for.
//
//   node watch.mjs '{"chromium", "deed", "watch", …}'
//
//   look   a video that is ready: controls, keys, captions, previews, forms and colours; `shots` is a folder for pictures
//   grow   a video that nothing is made of yet: prints {"event":"begun"} when the file plays, then follows the page to
//          the end of the transcoding
//   login  the owner's page at `watch` on `origin`, by a session (`login`, `password`), and the same as nobody
//   fail   a page that cannot play what it names: what it says
// Prints one line of JSON last.

import { WAIT_MS, launch } from "./browser.mjs";

const wish = JSON.parse(process.argv[2]);
const browser = await launch(wish.chromium);

/** A page that is watched: what it breaks, and whom it asks. */
async function open(options = {}, prepare = async () => {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await prepare(context);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const seen = { complaints: [], origins: new Set(), cookies: new Set() };
  page.on("console", (message) => {
    // Shaka asks the browser about a file whose codecs nobody has told it.
    const isHarmless = message.text().startsWith("Failed to parse video contentType");
    if (["error", "warning"].includes(message.type()) && !isHarmless) seen.complaints.push(message.text());
  });
  page.on("pageerror", (error) => seen.complaints.push(error.message));
  page.on("request", async (request) => {
    if (!request.url().startsWith("http")) return;
    const { origin } = new URL(request.url());
    seen.origins.add(origin);
    const headers = await request.allHeaders().catch(() => ({}));
    if (headers.cookie !== undefined) seen.cookies.add(origin);
  });
  return { context, page, seen: () => ({ ...seen, origins: [...seen.origins].sort(), cookies: [...seen.cookies] }) };
}

const video = (page) =>
  page.evaluate(() => {
    const it = document.querySelector("video");
    return {
      at: it.currentTime,
      duration: it.duration,
      width: it.videoWidth,
      height: it.videoHeight,
      paused: it.paused,
      muted: it.muted,
      volume: it.volume,
      rate: it.playbackRate,
      // What is put together from pieces has an address of its own.
      how: it.currentSrc.startsWith("blob:") ? "adaptive" : it.currentSrc === "" ? "nothing" : "file",
      notice: document.querySelector("#notice").textContent,
    };
  });

async function until(page, isSo, what, patience = WAIT_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const now = await video(page);
    if (isSo(now)) return now;
    if (Date.now() > deadline) throw new Error(`no ${what}: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const play = (page, loop = false) =>
  page.evaluate((loop) => {
    const it = document.querySelector("video");
    it.muted = true;
    it.loop = loop;
    // A page that is just taking the stream over lets go of the press: a viewer presses again.
    const press = () =>
      it.play().catch((error) => {
        if (error.name !== "AbortError") throw error;
        return new Promise((again) => setTimeout(again, 100)).then(press);
      });
    return press();
  }, loop);

const DEEDS = {
  async look() {
    const { page, seen } = await open({ colorScheme: "light" });
    const began = Date.now();
    await page.goto(wish.watch);
    await until(page, ({ duration }) => duration > 0, "stream");
    await play(page);
    const playing = await until(page, ({ at }) => at > 0.1, "picture");
    const startMs = Date.now() - began;
    const keys = await pressKeys(page);
    await page.screenshot({ path: `${wish.shots}/desktop-light.png` });
    const menu = await readMenu(page);
    await page.screenshot({ path: `${wish.shots}/desktop-light-menu.png` });
    await page.keyboard.press("Escape");
    const preview = await readPreview(page);
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, a, summary, progress")]
        .filter((it) => it.checkVisibility?.() && !(it.ariaLabel || it.textContent.trim() || it.title))
        .map((it) => it.outerHTML.slice(0, 120)),
    );
    const light = await colours(page);

    const phone = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: "dark" });
    await phone.page.goto(wish.watch);
    await until(phone.page, ({ duration }) => duration > 0, "stream on the phone");
    const fits = await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    const dark = await colours(phone.page);
    await phone.page.screenshot({ path: `${wish.shots}/phone-dark.png` });
    return { playing, startMs, keys, menu, preview, unnamed, fits, light, dark, ...seen(), phone: phone.seen() };
  },

  async grow() {
    const idle = await open();
    await idle.page.goto(wish.watch);
    const busy = await open();
    await busy.page.goto(wish.watch);
    await until(busy.page, ({ how }) => how === "file", "file");
    // Round and round, however long the transcoding takes.
    await play(busy.page, true);
    const before = await until(busy.page, ({ at }) => at > 0.5, "picture of the file");
    const waiting = await until(idle.page, ({ how, duration }) => how === "file" && duration > 0, "file");
    console.log(JSON.stringify({ event: "begun" }));

    // Who has not begun gets the stream as soon as there is one, and all rungs in the end.
    const playable = await until(idle.page, ({ how }) => how === "adaptive", "stream", wish.patience_ms);
    const offer = busy.page.locator("#notice button");
    await offer.waitFor({ timeout: wish.patience_ms });
    // Who watches is not interrupted: it is offered, and then goes on from there.
    const offered = await video(busy.page);
    await offer.click();
    const taken = await until(busy.page, ({ how, at, paused }) => how === "adaptive" && at > 0 && !paused, "stream for who watched");
    const ready = await until(idle.page, ({ notice }) => notice === "", "end of the transcoding", wish.patience_ms);
    await play(idle.page);
    const best = await until(idle.page, ({ height }) => height === wish.best, "best rung", wish.patience_ms);
    return { before, waiting, playable, offered, taken, ready, best, idle: idle.seen(), busy: busy.seen() };
  },

  async login() {
    const owner = await open({}, async (context) => {
      const answer = await context.request.post(`${wish.origin}/api/v1/sessions`, {
        data: { login: wish.login, password: wish.password },
      });
      if (!answer.ok()) throw new Error(`the session was refused: ${answer.status()}`);
    });
    await owner.page.goto(wish.watch);
    await play(owner.page).catch(() => {});
    const played = await until(owner.page, ({ at, how }) => how === "adaptive" && at > 1, "picture for the owner");
    const nobody = await open();
    const answer = await nobody.page.goto(wish.watch);
    return { played, ...owner.seen(), nobody: answer.status() };
  },

  async fail() {
    const { page, seen } = await open();
    await page.goto(wish.watch);
    const said = await until(page, ({ notice }) => notice !== "", "sentence");
    await page.locator("#notice button").waitFor();
    return { said, ...seen() };
  },
};

/** Each key, and what it changed. */
async function pressKeys(page) {
  const press = async (key, isSo) => {
    await page.keyboard.press(key);
    try {
      await until(page, isSo, `effect of ${key}`, 5_000);
      return true;
    } catch {
      return false;
    }
  };
  const done = {};
  done.k = await press("k", ({ paused }) => paused);
  const { at, duration } = await video(page);
  done.l = await press("l", (now) => now.at > at + 5);
  done.j = await press("j", (now) => now.at < at + 2);
  const between = await video(page);
  done.ArrowRight = await press("ArrowRight", (now) => now.at > between.at + 3);
  done.ArrowLeft = await press("ArrowLeft", (now) => now.at < between.at + 2);
  done.digit = await press("5", (now) => Math.abs(now.at - duration / 2) < 1);
  const { muted } = await video(page);
  done.m = await press("m", (now) => now.muted !== muted);
  done.faster = await press(">", ({ rate }) => rate > 1);
  done.slower = await press("<", ({ rate }) => rate === 1);
  done.space = await press("Space", ({ paused }) => !paused);
  await page.keyboard.press("1");
  await page.keyboard.press("c");
  const isShown = (text) => document.querySelector(".stage").textContent.includes(text);
  done.c = await page.waitForFunction(isShown, wish.caption, { timeout: 10_000 }).then(() => true, () => false);
  await page.keyboard.press("f");
  done.f = await page.waitForFunction(() => document.fullscreenElement !== null, null, { timeout: 5_000 }).then(() => true, () => false);
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement === null);
  return done;
}

async function readMenu(page) {
  await page.mouse.move(400, 300);
  await page.locator(".shaka-overflow-menu-button").click();
  const menu = page.locator(".shaka-overflow-menu");
  await menu.waitFor();
  const entries = await menu.locator("button:visible").evaluateAll((all) => all.map((it) => it.ariaLabel ?? it.textContent));
  await menu.locator(".shaka-resolution-button").click();
  const rungs = page.locator(".shaka-resolutions");
  await rungs.waitFor();
  return { entries, rungs: await rungs.innerText() };
}

/** The picture over the seek bar. */
async function readPreview(page) {
  const bar = await page.locator(".shaka-seek-bar").boundingBox();
  await page.mouse.move(bar.x + bar.width * 0.4, bar.y + bar.height / 2);
  await page.mouse.move(bar.x + bar.width * 0.6, bar.y + bar.height / 2);
  const preview = page.locator(".shaka-player-ui-thumbnail-container");
  await preview.locator("img").first().waitFor();
  return preview.locator("img").first().evaluate(async (it) => {
    await it.decode();
    return { width: it.naturalWidth, height: it.naturalHeight };
  });
}

const colours = (page) =>
  page.evaluate(() => {
    const { backgroundColor, color } = getComputedStyle(document.body);
    return { backgroundColor, color };
  });

try {
  console.log(JSON.stringify(await DEEDS[wish.deed]()));
} finally {
  await browser.close();
}
