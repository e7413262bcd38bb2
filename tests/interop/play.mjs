// Plays a video in headless Chromium as a viewer does, and tells what the page and the network saw.
//
//   node play.mjs '{"chromium", "watch", "edge", "grants", "token", "minutes"}'
//
// `watch` is the address of a watch page. The same video is played once more from `edge` under a grant of so many
// `minutes`, made at `grants` with `token`, until that is over.
// Prints one line of JSON.

import { WAIT_MS, launch } from "./browser.mjs";

const wish = JSON.parse(process.argv[2]);
const browser = await launch(wish.chromium);

try {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const requests = [];
  page.on("response", async (response) => {
    if (!response.url().includes("/media/")) return;
    // An answer that comes while the browser is being closed has no more to tell.
    const headers = await response.request().allHeaders().catch(() => null);
    if (headers === null) return;
    const range = headers.range ?? null;
    requests.push({ url: response.url(), status: response.status(), range });
  });

  await page.goto(wish.watch);
  // The page's player takes the video over first.
  await page.waitForFunction(() => document.querySelector("video").readyState > 0);
  const played = await page.evaluate(playFrom, { at: 0, seconds: 1 });
  const middle = played.duration / 2;
  const sought = await page.evaluate(playFrom, { at: middle, seconds: 1 });
  const beforeShort = requests.length;

  // The same player, now with the short grant. It plays until the grant is over, and not past what it had by then.
  const made = await context.request.post(wish.grants, {
    headers: { Authorization: `Bearer ${wish.token}` },
    data: { minutes: wish.minutes },
  });
  const src = wish.edge + (await made.json()).path;
  const short = await page.evaluate(playFrom, { src, at: 0, seconds: 1 });
  const refusal = await untilRefused(context, src);
  const afterwards = await page.evaluate(playFrom, {
    at: played.duration - 5,
    seconds: 1,
    patience: 8_000,
  });
  const again = await page.evaluate(playFrom, { src, at: 0, seconds: 1 });

  console.log(JSON.stringify({ played, middle, sought, short, refusal, afterwards, again, requests, beforeShort }));
} finally {
  await browser.close();
}

/** Asks for one byte under the grant until that is refused; the refusal's problem. */
async function untilRefused(context, url) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await context.request.get(url, { headers: { Range: "bytes=0-0" } });
    if (answer.status() >= 400) return { status: answer.status(), code: (await answer.json()).code };
    if (Date.now() > deadline) throw new Error("the grant does not expire");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** In the page: plays from `at` (of another source, when `src` is given) until so many seconds went by or it failed. */
async function playFrom({ src, at, seconds, patience = 60_000 }) {
  const video = document.querySelector("video");
  const outcome = new Promise((resolve) => {
    const settle = (what) => resolve(what);
    video.addEventListener("error", () => settle("error"), { once: true });
    const watch = () => {
      if (!video.seeking && video.currentTime >= at + seconds) settle("played");
    };
    video.addEventListener("timeupdate", watch);
    setTimeout(() => settle("stalled"), patience);
  });
  video.muted = true;
  if (src !== undefined) {
    video.src = src;
    video.load();
  }
  if (at > 0 || video.currentTime > 0) video.currentTime = at;
  video.play().catch(() => {});
  const how = await outcome;
  return {
    how,
    error: video.error?.code ?? null,
    at: video.currentTime,
    duration: video.duration,
    width: video.videoWidth,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount,
    source: video.currentSrc,
  };
}
