// Opens a watch page in headless Chromium, over and over, each time as someone who was never there, and says how long
// it took from the navigation to the first picture.
//
//   node first_frame.mjs '{"modules", "chromium", "watch", "rounds"}'
//
// Prints one line of JSON: {"ms": [...], "segments": how many came in the last round}.

import { createRequire } from "node:module";

const wish = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${wish.modules}/`)("playwright-core");
const browser = await chromium.launch({
  executablePath: wish.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"],
});
const ms = [];
let segments = 0;
try {
  for (let round = 0; round < wish.rounds; round += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    segments = 0;
    page.on("response", (response) => {
      if (response.url().endsWith(".m4s") && response.ok()) segments += 1;
    });
    await page.addInitScript(untilFirstFrame);
    await page.goto(wish.watch);
    await page.waitForFunction(() => window.firstFrameMs !== undefined, undefined, { timeout: 60_000 });
    ms.push(await page.evaluate(() => window.firstFrameMs));
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify({ ms, segments }));

/** In the page: asks the first video there is to play, and notes when a frame of it is shown. */
function untilFirstFrame() {
  const look = () => {
    const video = document.querySelector("video");
    if (video === null) return requestAnimationFrame(look);
    const play = () => {
      video.muted = true;
      if (video.paused) video.play().catch(() => {});
    };
    for (const event of ["loadedmetadata", "canplay"]) video.addEventListener(event, play);
    play();
    // Timestamps count from the beginning of the navigation.
    video.requestVideoFrameCallback((now) => (window.firstFrameMs = now));
  };
  look();
}
