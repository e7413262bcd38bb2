// Plays a manifest with a player that others wrote, on a page of another origin than the manifest's, and tells how that
// went.
//
//   node players.mjs '{"chromium", "player", "manifest", "deeds", "kbps"}'
//
// `player` is hls.js, shaka or dash.js. `deeds` are done one after the other, each on a new page:
//   end       plays from the first picture to the end
//   seek      seeks to the middle and plays on
//   captions  turns the first captions on and reads what is shown
//   throttle  plays, has the link cut down to `kbps`, and plays until another rung is shown
//   fail      tries to play what must not play
// Prints one line of JSON: what came of each deed.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { WAIT_MS, launch } from "./browser.mjs";

const wish = JSON.parse(process.argv[2]);
const LIBRARIES = {
  "hls.js": "hls.js/dist/hls.min.js",
  shaka: "shaka-player/dist/shaka-player.compiled.js",
  "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
};
const library = readFileSync(new URL(`node_modules/${LIBRARIES[wish.player]}`, import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>player</title><script src="/library.js"></script>
<div id="box"><video muted playsinline></video></div>`;

const server = createServer((request, response) => {
  const isLibrary = request.url === "/library.js";
  response.setHeader("Content-Type", isLibrary ? "text/javascript" : "text/html");
  response.end(isLibrary ? library : PAGE);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await launch(wish.chromium);

const DEEDS = {
  end: (page) => page.evaluate(() => player.untilEnd()),
  seek: (page) => page.evaluate(() => player.seek()),
  captions: (page) => page.evaluate(() => player.captions()),
  fail: (page) => page.evaluate(() => player.untilError()),
  async throttle(page) {
    const before = await page.evaluate(() => player.untilRung((height, all) => height === Math.max(...all)));
    const link = await page.context().newCDPSession(page);
    const bytes = (wish.kbps * 1000) / 8;
    await link.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 20,
      downloadThroughput: bytes,
      uploadThroughput: bytes,
    });
    const after = await page.evaluate(() => player.untilRung((height, all) => height < Math.max(...all)));
    return { before, after };
  },
};

try {
  const said = {};
  for (const deed of wish.deeds) {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const refused = [];
    page.on("response", (response) => {
      if (response.status() >= 400) refused.push({ status: response.status(), path: new URL(response.url()).pathname.replace(/^\/g\/[^/]*/, "") });
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.evaluate(setUp, { kind: wish.player, manifest: wish.manifest, patience: WAIT_MS });
    said[deed] = { ...(await DEEDS[deed](page)), refused: refused.filter(({ path }) => path !== "/favicon.ico") };
    await context.close();
  }
  console.log(JSON.stringify(said));
} finally {
  await browser.close();
  server.close();
}

/** In the page: makes `window.player`, the same for every library. */
function setUp({ kind, manifest, patience }) {
  const video = document.querySelector("video");
  const began = performance.now();
  const seen = { rungs: [], errors: [], stalls: 0, firstFrameMs: null };
  const fatal = [];
  const note = (isFatal, what) => {
    seen.errors.push(what);
    if (isFatal) fatal.push(what);
  };
  // Small buffers, so that a change of the link is felt at once.
  const AHEAD_S = 8;
  // What the link is taken for at first, so that the best rung plays before it is throttled, however busy the machine.
  const FAST_KBPS = 50_000;

  const kinds = {
    "hls.js"() {
      const hls = new Hls({ maxBufferLength: AHEAD_S, maxMaxBufferLength: AHEAD_S, enableWorker: true, startLevel: -1, abrEwmaDefaultEstimate: FAST_KBPS * 1000 });
      hls.on(Hls.Events.ERROR, (_, data) => note(data.fatal, `${data.details}`));
      hls.loadSource(manifest);
      hls.attachMedia(video);
      return {
        heights: () => hls.levels.map((level) => level.height),
        showCaptions() {
          hls.subtitleTrack = 0;
          hls.subtitleDisplay = true;
        },
      };
    },
    shaka() {
      const it = new shaka.Player();
      it.addEventListener("error", ({ detail }) => note(detail.severity === 2, `${detail.code} ${detail.data?.[1] ?? ""}`));
      const ready = it.attach(video).then(() => {
        it.setVideoContainer(document.querySelector("#box"));
        it.configure({ streaming: { bufferingGoal: AHEAD_S }, abr: { switchInterval: 2, defaultBandwidthEstimate: FAST_KBPS * 1000 } });
        return it.load(manifest);
      });
      ready.catch((error) => note(true, `${error.code} ${error.data?.[1] ?? ""}`));
      return {
        heights: () => it.getVariantTracks().map((track) => track.height),
        showCaptions: () => it.selectTextTrack(it.getTextTracks()[0]),
      };
    },
    "dash.js"() {
      const it = dashjs.MediaPlayer().create();
      it.updateSettings({ streaming: { buffer: { bufferTimeDefault: AHEAD_S, bufferTimeAtTopQuality: AHEAD_S, bufferTimeAtTopQualityLongForm: AHEAD_S }, abr: { initialBitrate: { video: FAST_KBPS } }, text: { defaultEnabled: false } } });
      it.on("error", ({ error }) => note(true, `${error?.code ?? ""} ${error?.message ?? error}`));
      it.initialize(video, manifest, false);
      return {
        heights: () => (it.getRepresentationsByType?.("video") ?? []).map((one) => one.height),
        showCaptions() {
          it.enableText(true);
          it.setTextTrack(0);
        },
      };
    },
  };
  const library = kinds[kind]();

  let begun = false;
  video.addEventListener("playing", () => {
    begun = true;
    seen.firstFrameMs ??= Math.round(performance.now() - began);
  });
  video.addEventListener("waiting", () => {
    if (begun && !video.seeking && !video.ended && video.currentTime < video.duration - 0.5) seen.stalls += 1;
  });
  video.addEventListener("error", () => note(true, `media ${video.error.code} ${video.error.message}`));
  const rung = () => {
    const height = video.videoHeight;
    if (height > 0 && seen.rungs.at(-1) !== height) seen.rungs.push(height);
  };
  video.addEventListener("resize", rung);
  video.addEventListener("timeupdate", rung);

  /** Until it is so, or something fatal happened, or patience is over. */
  const until = (isSo) =>
    new Promise((resolve) => {
      const deadline = performance.now() + patience;
      const look = () => {
        if (isSo()) resolve("so");
        else if (fatal.length > 0) resolve("failed");
        else if (performance.now() > deadline) resolve("timed out");
        else setTimeout(look, 50);
      };
      look();
    });
  const report = (how, more) => {
    const quality = video.getVideoPlaybackQuality();
    let played = 0;
    for (let n = 0; n < video.played.length; n += 1) played += video.played.end(n) - video.played.start(n);
    return {
      how,
      at: video.currentTime,
      duration: video.duration,
      played_s: played,
      frames: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      audioBytes: video.webkitAudioDecodedByteCount,
      ...seen,
      ...more,
    };
  };
  const play = () => {
    // A library may not be ready for it yet; then it is said again.
    const again = setInterval(() => {
      if (video.paused && !video.ended && video.readyState > 0) void video.play().catch(() => {});
      if (begun) clearInterval(again);
    }, 50);
  };
  const shown = () => {
    const cues = [...video.textTracks].flatMap((track) => [...(track.activeCues ?? [])]).map((cue) => cue.text);
    // Shaka and dash.js may draw captions themselves.
    const drawn = [...document.querySelectorAll("#box > :not(video)")].map((node) => node.textContent);
    return [...cues, ...drawn].map((text) => text?.trim()).filter(Boolean);
  };

  window.player = {
    async untilEnd() {
      play();
      return report(await until(() => video.ended));
    },
    async seek() {
      play();
      const first = await until(() => video.currentTime > 0.5);
      if (first !== "so") return report(first);
      const to = video.duration / 2;
      video.currentTime = to;
      return report(await until(() => !video.seeking && video.currentTime > to + 2), { to });
    },
    async captions() {
      play();
      const first = await until(() => video.currentTime > 0.2);
      if (first !== "so") return report(first);
      library.showCaptions();
      const how = await until(() => shown().length > 0);
      return report(how, { shown: shown() });
    },
    async untilRung(isIt) {
      play();
      return report(await until(() => video.videoHeight > 0 && video.currentTime > 0 && isIt(video.videoHeight, library.heights())), { heights: library.heights() });
    },
    async untilError() {
      play();
      return report(await until(() => video.currentTime > 1));
    },
  };
}
