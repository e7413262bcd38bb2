// A video on a page: says how far it is, and has it played by what is best for it at each moment. The watch page, the
// page for other sites' frames and the dashboard all have it.

import "shaka-player/dist/controls.modern.css";
import "./stage.css";

import { Stage, isPlayable, shape } from "./stage";
import { type State, follow } from "./state";
import { situation } from "./words";

export interface Place {
  /** What the player stands in. */
  stage: HTMLElement;
  video: HTMLVideoElement;
  /** Where there is something to say. */
  notice: HTMLElement;
  stateUrl: string;
  state: State;
  /** The address names one way to play it that is tried first: `dash`, `file`. */
  via?: string | null;
}

export class Screen {
  readonly #place: Place;
  #state: State;
  #stage: Stage | undefined;
  #trouble: string | undefined;
  #isClosed = false;
  #unfollow: (() => void) | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.#state = place.state;
    shape(place.video, place.state);
    this.#tell();
    this.#begin().catch((error: unknown) => {
      // The browser's own player is still better than none.
      console.error(error);
      const { video } = place;
      video.controls = true;
      if (video.currentSrc === "") video.src = this.#state.source;
    });
  }

  /** Takes everything off the page again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unfollow?.();
    await this.#stage?.close();
  }

  async #begin(): Promise<void> {
    const { video, stage, notice, stateUrl } = this.#place;
    const state = this.#state;
    if (state.playback.hls === null && !isPlayable(state.content_type)) {
      notice.replaceChildren(sentence("This file is no video: it can only be downloaded."));
      notice.hidden = false;
      video.hidden = true;
      return;
    }
    const { default: shaka } = await import("shaka-player/dist/shaka-player.ui-es2021.js");
    if (this.#isClosed) return;
    for (const source of video.querySelectorAll("source")) source.remove();
    video.removeAttribute("src");
    const listener = {
      failed: (said: string) => {
        // What cannot be played yet will be soon: that is no failure.
        const isSoon = this.#stage?.showing !== "adaptive" && this.#state.state === "processing";
        this.#trouble = isSoon ? undefined : said;
        this.#tell();
      },
      recovered: () => {
        this.#trouble = undefined;
        this.#tell();
      },
    };
    this.#stage = await Stage.open(shaka, stage, video, stateUrl, state, listener);
    if (this.#stage === undefined) {
      // Neither Media Source Extensions nor HLS of its own: the file, with the browser's controls.
      video.src = state.source;
      this.#tell();
      return;
    }
    if (this.#isClosed) return this.#stage.close();
    await this.#stage.show(this.#place.via);
    this.#tell();
    video.addEventListener("pause", () => void this.#takeOver());
    video.addEventListener("play", () => this.#tell());
    this.#unfollow = follow(stateUrl, state, (next) => {
      this.#state = next;
      this.#stage?.learn(next);
      this.#tell();
      void this.#takeOver();
    });
  }

  /** Whether another way to play it, or more of it, is there than what is being played. */
  #isBetterThere(): boolean {
    const stage = this.#stage;
    const { video } = this.#place;
    const { state, playback, rungs } = this.#state;
    if (stage === undefined || playback.hls === null) return false;
    // Beside a file that plays well, the lowest rung alone is no gain; to someone who has not begun it is.
    if (stage.showing === "file") return state === "ready" || (video.paused && video.currentTime === 0);
    if (stage.showing === "nothing") return true;
    const has = new Set(stage.heights);
    return rungs.some(({ height }) => !has.has(height));
  }

  /** Takes over what is better, unless that would disturb someone. */
  async #takeOver(asked = false): Promise<void> {
    if (this.#isClosed || this.#stage === undefined || !this.#isBetterThere() || (this.#stage.isBusy && !asked)) return;
    this.#trouble = undefined;
    await this.#stage.show();
    this.#tell();
  }

  #tell(): void {
    const { notice } = this.#place;
    const parts: Node[] = [];
    if (this.#trouble !== undefined) {
      parts.push(sentence(this.#trouble), button("Try again", () => void this.#stage?.again()));
    } else {
      const said = situation(this.#state, this.#stage?.showing ?? "nothing");
      if (said !== undefined) parts.push(...(said.progress === null ? [] : [bar(said.progress)]), sentence(said.text));
      if (this.#isBetterThere() && this.#stage?.isBusy) parts.push(...this.#better());
    }
    notice.classList.toggle("trouble", this.#trouble !== undefined || this.#state.state === "failed");
    // Said again only when it is something else: a screen reader reads what changes.
    if (notice.textContent !== parts.map((part) => part.textContent).join("")) notice.replaceChildren(...parts);
    else update(notice, this.#state.progress);
    notice.hidden = parts.length === 0;
  }

  #better(): Node[] {
    // A rung is known by its shorter side, as in the player's menu.
    const most = Math.max(...this.#state.rungs.map(({ width, height }) => Math.min(width, height)), 0);
    const what = this.#stage?.showing === "file" || most === 0 ? "A stream that suits any connection" : `${most}p`;
    return [sentence(`${what} is there.`), button("Switch to it", () => void this.#takeOver(true))];
  }
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

function update(notice: HTMLElement, progress: number | null): void {
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
