// The watch page: says how far the video is, and has it played by what is best for it at each moment.

import "shaka-player/dist/controls.modern.css";
import "./watch.css";

import { Stage, isPlayable, shape } from "./stage";
import { type State, follow } from "./state";
import { situation } from "./words";

const main = element("main");
const video = element<HTMLVideoElement>("video");
const notice = element("#notice");
const stateUrl = main.dataset.stateUrl ?? "";
let state = JSON.parse(main.dataset.state ?? "{}") as State;
let stage: Stage | undefined;
let trouble: string | undefined;

/** Whether another way to play it, or more of it, is there than what is being played. */
function isBetterThere(): boolean {
  if (stage === undefined || state.playback.hls === null) return false;
  // Beside a file that plays well, the lowest rung alone is no gain; to someone who has not begun it is.
  if (stage.showing === "file") return state.state === "ready" || (video.paused && video.currentTime === 0);
  if (stage.showing === "nothing") return true;
  const has = new Set(stage.heights);
  return state.rungs.some(({ height }) => !has.has(height));
}

/** Takes over what is better, unless that would disturb someone. */
async function takeOver(asked = false): Promise<void> {
  if (stage === undefined || !isBetterThere() || (stage.isBusy && !asked)) return;
  trouble = undefined;
  await stage.show();
  tell();
}

function tell(): void {
  const parts: Node[] = [];
  if (trouble !== undefined) {
    parts.push(sentence(trouble), button("Try again", () => void stage?.again()));
  } else {
    const said = situation(state, stage?.showing ?? "nothing");
    if (said !== undefined) parts.push(...(said.progress === null ? [] : [bar(said.progress)]), sentence(said.text));
    if (isBetterThere() && stage?.isBusy) {
      parts.push(...better());
    }
  }
  notice.classList.toggle("trouble", trouble !== undefined || state.state === "failed");
  // Said again only when it is something else: a screen reader reads what changes.
  if (notice.textContent !== parts.map((part) => part.textContent).join("")) notice.replaceChildren(...parts);
  else update(state.progress);
  notice.hidden = parts.length === 0;
}

function better(): Node[] {
  // A rung is known by its shorter side, as in the player's menu.
  const most = Math.max(...state.rungs.map(({ width, height }) => Math.min(width, height)), 0);
  const what = stage?.showing === "file" || most === 0 ? "A stream that suits any connection" : `${most}p`;
  return [sentence(`${what} is there.`), button("Switch to it", () => void takeOver(true))];
}

function sentence(text: string): Node {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

function bar(progress: number): Node {
  const meter = document.createElement("progress");
  meter.setAttribute("aria-label", "Prepared so far");
  meter.max = 100;
  meter.value = Math.floor(progress * 100);
  const percent = document.createElement("b");
  percent.ariaHidden = "true";
  percent.dataset.percent = `${meter.value} %`;
  const both = document.createDocumentFragment();
  both.append(meter, percent);
  return both;
}

function update(progress: number | null): void {
  const meter = notice.querySelector("progress");
  const percent = notice.querySelector<HTMLElement>("[data-percent]");
  if (progress === null || meter === null || percent === null) return;
  meter.value = Math.floor(progress * 100);
  percent.dataset.percent = `${meter.value} %`;
}

function button(label: string, deed: () => void): Node {
  const it = document.createElement("button");
  it.type = "button";
  it.textContent = label;
  it.addEventListener("click", deed);
  return it;
}

function element<E extends HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (found === null) throw new Error(`the page lacks ${selector}`);
  return found;
}

async function begin(): Promise<void> {
  if (state.playback.hls === null && !isPlayable(state.content_type)) {
    trouble = undefined;
    notice.replaceChildren(sentence("This file is no video: it can only be downloaded."));
    notice.hidden = false;
    video.hidden = true;
    return;
  }
  const listener = {
    failed(said: string) {
      trouble = said;
      // What cannot be played yet will be soon: that is no failure.
      if (stage?.showing !== "adaptive" && state.state === "processing") trouble = undefined;
      tell();
    },
    recovered() {
      trouble = undefined;
      tell();
    },
  };
  const { default: shaka } = await import("shaka-player/dist/shaka-player.ui-es2021.js");
  for (const source of video.querySelectorAll("source")) source.remove();
  video.removeAttribute("src");
  stage = await Stage.open(shaka, element(".stage"), video, stateUrl, state, listener);
  if (stage === undefined) {
    // Neither Media Source Extensions nor HLS of its own: the file, with the browser's controls.
    video.src = state.source;
    tell();
    return;
  }
  await stage.show(new URLSearchParams(location.search).get("via"));
  tell();
  video.addEventListener("pause", () => void takeOver());
  video.addEventListener("play", tell);
  follow(stateUrl, state, (next) => {
    state = next;
    stage?.learn(next);
    tell();
    void takeOver();
  });
}

shape(video, state);
tell();
begin().catch((error: unknown) => {
  // The browser's own player is still better than none.
  console.error(error);
  video.controls = true;
  if (video.currentSrc === "") video.src = state.source;
});
