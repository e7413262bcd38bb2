// The player: Shaka with its controls, playing the adaptive stream, or the file where there is none.

import type shakas from "shaka-player/dist/shaka-player.ui-es2021.js";

import { Addresses } from "./addresses";
import * as keys from "./keys";
import * as pictures from "./pictures";
import { Refused, type State, ask } from "./state";
import * as time from "./time";
import { type Fault, inWords, isFault, isInterruption, isRefusal, mayPass } from "./words";

/** The library, loaded when it is needed. */
export type Shaka = typeof shakas;
export type Showing = "nothing" | "file" | "adaptive";

/** What someone has chosen. */
interface Kept {
  rate: number;
  height: number | null | undefined;
  captions: string | undefined;
}

/** What the page is told. */
export interface Listener {
  /** It plays no more; what to say. */
  failed(sentence: string): void;
  /** It plays, or is about to. */
  recovered(): void;
}

const HLS = "application/x-mpegurl";
const DASH = "application/dash+xml";
/** Pauses before each try to go on by itself; then someone is asked. Together longer than the origin takes to see that
 * an edge is gone. */
const RECOVERY_MS = [300, 2_000, 4_000, 8_000];
/** After so long without trouble it begins anew. */
const STABLE_MS = 30_000;
/** A part of a second at the end that no one misses. */
const END_S = 0.5;

export class Stage {
  readonly #player: shakas.Player;
  readonly #addresses: Addresses;
  #showing: Showing = "nothing";
  #state: State;
  #recoveries = 0;
  #recoveredAt = 0;
  #isRecovering = false;
  #storyboard: Promise<string | undefined> | undefined;
  #poster: Promise<string | undefined> | undefined;
  /** Someone has come near the player's controls. */
  #isNear = false;
  #heights: number[] = [];
  #lastCaptions: number | undefined;
  #controls: shakas.ui.Overlay | undefined;
  readonly #end = new AbortController();

  private constructor(
    readonly shaka: Shaka,
    readonly video: HTMLVideoElement,
    readonly stateUrl: string,
    readonly listener: Listener,
    state: State,
  ) {
    this.#player = new shaka.Player();
    this.#state = state;
    this.#addresses = new Addresses(state.base);
  }

  /** Puts the player in the place of the browser's own. */
  static async open(
    shaka: Shaka,
    container: HTMLElement,
    video: HTMLVideoElement,
    stateUrl: string,
    state: State,
    listener: Listener,
  ): Promise<Stage | undefined> {
    shaka.polyfill.installAll();
    if (!shaka.Player.isBrowserSupported()) return undefined;
    const stage = new Stage(shaka, video, stateUrl, listener, state);
    await stage.#begin(container);
    return stage;
  }

  get showing(): Showing {
    return this.#showing;
  }

  /** Someone watches at this moment. */
  get isBusy(): boolean {
    return !this.video.paused && !this.video.ended;
  }

  /** The heights that the stream had when it was loaded. */
  get heights(): number[] {
    return this.#heights;
  }

  async #begin(container: HTMLElement): Promise<void> {
    const { shaka } = this;
    // The browser's own controls go first: Shaka looks whether they are there.
    this.video.controls = false;
    this.video.preload = "metadata";
    // Captions are drawn by the player, so that they make room for the controls.
    this.#player.setVideoContainer(container);
    await this.#player.attach(this.video);
    this.#player.configure({
      streaming: {
        bufferingGoal: 30,
        bufferBehind: 30,
        // All rungs come from the same edge: to leave one out for a while helps nobody.
        maxDisabledTime: 0,
        retryParameters: { maxAttempts: 4, baseDelay: 300, timeout: 20_000, stallTimeout: 8_000 },
      },
      manifest: {
        retryParameters: { maxAttempts: 4, baseDelay: 300, timeout: 20_000 },
        // A stream that grows is no broadcast: it grows faster than it plays, and begins at its beginning.
        hls: { liveSegmentsDelay: 1 },
      },
    });
    this.#player.getNetworkingEngine()?.registerRequestFilter((_type, request) => {
      request.uris = request.uris.map((uri) => this.#addresses.current(uri));
      // What kind of picture a preview is; nobody answers HEAD for what lies in this page.
      if (request.uris[0]?.startsWith("blob:")) request.method = "GET";
    });
    this.#player.addEventListener("error", (event) => void this.#onError((event as unknown as { detail: unknown }).detail));
    // A stream that grew has come to its end: previews need to know how long it is.
    this.video.addEventListener("durationchange", () => void this.#addStoryboard());

    time.register(shaka, () => this.#state.duration_s);
    const ui = new shaka.ui.Overlay(this.#player, container, this.video);
    this.#controls = ui;
    ui.configure({
      controlPanelElements: ["play_pause", "mute_volume", time.TIME, "spacer", "overflow_menu", "picture_in_picture", "fullscreen"],
      overflowMenuButtons: ["captions", "quality", "language", "playback_rate"],
      topControlPanelElements: [],
      contextMenuElements: ["statistics", "loop", "picture_in_picture"],
      playbackRates: [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2],
      enableKeyboardPlaybackControlsInWindow: true,
      keyboardSeekDistance: 5,
      // A label that only repeats the language's code says less than the language's name.
      // (Shaka counts parameters, and its own, compiled, has none.)
      customTrackLabel: (...[, track]: [unknown, { label: string | null; language: string }, string]) =>
        track.label !== null && track.label !== "" && track.label !== track.language ? track.label : null,
      qualityMarks: { 720: "", 1080: "", 1440: "", 2160: "", 4320: "" },
      // A key that does nothing here is better than one that downloads a picture; captions are ours.
      shortcuts: { captions: "", take_screenshot: "" },
      castSenderUrl: "",
      seekBarColors: { played: "var(--accent-on-video)" },
    });
    for (const coming of ["pointermove", "pointerdown", "focusin"]) {
      container.addEventListener(coming, () => this.#comeNear(), { once: true });
    }
    const keyed = {
      video: this.video,
      range: () => this.#player.seekRange(),
      toggleCaptions: () => this.#toggleCaptions(),
    };
    keys.listen(keyed, this.#end.signal);
  }

  /** Stops playing and takes the player off the page. */
  async close(): Promise<void> {
    this.#end.abort();
    this.#recoveries = RECOVERY_MS.length;
    await this.#controls?.destroy();
    await this.#player.destroy();
  }

  /** What is known of the video has changed. */
  learn(state: State): void {
    this.#state = state;
    shape(this.video, state);
    this.#addresses.move(state.base);
    this.#showPoster();
    void this.#addStoryboard();
  }

  /** Plays the best there is, from where it stands. `via` has one way tried first. */
  async show(via?: string | null): Promise<void> {
    const resume = this.isBusy;
    const at = this.video.ended ? 0 : this.video.currentTime;
    this.#showPoster();
    const kept = this.#keep();
    let fault: unknown;
    for (const [showing, uri, type] of this.#ways(via)) {
      try {
        await this.#player.load(this.#addresses.current(uri), at, type);
        this.#showing = showing;
        // The player leaves out for a while what it could not fetch.
        this.#heights = this.#player.getVariantTracks().map((track) => track.height ?? 0);
        this.#restore(kept);
        if (showing === "file") void this.#addCaptions();
        void this.#addStoryboard();
        if (resume) void this.video.play().catch(() => {});
        this.listener.recovered();
        return;
      } catch (error) {
        if (isInterruption(error)) return;
        fault ??= error;
        // Who may not have one may not have the other.
        if (isFault(error) && isRefusal(error)) break;
      }
    }
    this.#showing = "nothing";
    if (isFault(fault) && mayPass(fault) && (await this.#renew())) return this.show(via);
    if (fault !== undefined) await this.#give(fault);
  }

  #ways(via?: string | null): [Showing, string, string][] {
    const { source, content_type } = this.#state;
    const { hls, dash } = this.#state.playback;
    const ways: ([Showing, string, string] | undefined)[] = [
      hls === null ? undefined : ["adaptive", absolute(hls), HLS],
      dash === null ? undefined : ["adaptive", absolute(dash), DASH],
      // A type that the browser does not know may still be a container it plays (QuickTime).
      isPlayable(content_type)
        ? ["file", absolute(source), this.video.canPlayType(content_type) === "" ? "video/mp4" : content_type]
        : undefined,
    ];
    if (via === "dash") ways.unshift(ways[1]);
    if (via === "file") ways.unshift(ways[2]);
    return ways.filter((way) => way !== undefined);
  }

  /** What someone has chosen, to be as it was after a change of the stream. */
  #keep(): Kept {
    const chosen = this.#player.getConfiguration().abr.enabled
      ? undefined
      : this.#player.getVariantTracks().find((track) => track.active)?.height;
    const captions = this.#player.getTextTracks().find((track) => track.active);
    return { rate: this.video.playbackRate, height: chosen, captions: captions?.language };
  }

  #restore({ rate, height, captions }: Kept): void {
    if (rate !== 1 && rate > 0) this.#player.trickPlay(rate, false);
    const same = this.#player.getVariantTracks().find((track) => track.height === height);
    if (height !== undefined && same !== undefined) this.#player.selectVariantTrack(same);
    const text = this.#player.getTextTracks().find((track) => track.language === captions);
    if (captions !== undefined && text !== undefined) this.#player.selectTextTrack(text);
  }

  #showPoster(): void {
    const { poster } = this.#state.playback;
    if (poster === null || this.#poster !== undefined) return;
    this.#poster = pictures.local(absolute(poster));
    void this.#poster.then((it) => {
      if (it !== undefined) this.video.poster = it;
    });
  }

  async #addCaptions(): Promise<void> {
    for (const { src, language, label } of this.#state.captions) {
      await this.#player.addTextTrackAsync(absolute(src), language, "subtitles", "text/vtt", "", label).catch(() => {});
    }
  }

  /** Pictures over the seek bar: when the length is known, and someone has come near the bar. */
  async #addStoryboard(): Promise<void> {
    const { storyboard } = this.#state.playback;
    const isTime = () => this.#showing !== "nothing" && Number.isFinite(this.video.duration) && !this.#player.isDynamic();
    if (storyboard === null || !this.#isNear || !isTime()) return;
    this.#storyboard ??= pictures.storyboard(absolute(storyboard));
    const track = await this.#storyboard;
    // It may have been loaded anew meanwhile, or given its pictures by another call.
    if (track === undefined || !isTime() || this.#player.getImageTracks().length > 0) return;
    await this.#player.addThumbnailsTrack(track, "text/vtt").catch(() => {});
  }

  #comeNear(): void {
    this.#isNear = true;
    void this.#addStoryboard();
  }

  #toggleCaptions(): void {
    const tracks = this.#player.getTextTracks();
    const active = tracks.find((track) => track.active);
    if (active !== undefined) {
      this.#lastCaptions = active.id;
      this.#player.selectTextTrack(null);
      return;
    }
    const next = tracks.find((track) => track.id === this.#lastCaptions) ?? tracks[0];
    if (next !== undefined) this.#player.selectTextTrack(next);
  }

  async #onError(fault: unknown): Promise<void> {
    if (isInterruption(fault)) return;
    if (isFault(fault) && (fault as Fault & { severity: number }).severity !== this.shaka.util.Error.Severity.CRITICAL) return;
    // While it loads, `show` hears of it too; sound and pictures fail together.
    if (this.#showing === "nothing" || this.#isRecovering) return;
    if (isFault(fault) && mayPass(fault) && (await this.#renew()) && this.#player.retryStreaming(0.2)) return;
    await this.#give(fault);
  }

  /** A new permission, another edge, or the same once more. */
  async #renew(): Promise<boolean> {
    if (performance.now() - this.#recoveredAt > STABLE_MS) this.#recoveries = 0;
    const pause = RECOVERY_MS[this.#recoveries];
    if (pause === undefined) return false;
    this.#recoveries += 1;
    this.#isRecovering = true;
    try {
      await new Promise((resolve) => setTimeout(resolve, pause));
      this.learn(await ask(this.stateUrl));
      return true;
    } catch (error) {
      // An origin that is away may be back for the next try; what it refuses stays refused.
      return !(error instanceof Refused);
    } finally {
      this.#recoveredAt = performance.now();
      this.#isRecovering = false;
    }
  }

  async #give(fault: unknown): Promise<void> {
    this.listener.failed(this.#showing === "adaptive" ? inWords(fault) : await this.#whyNotTheFile(fault));
  }

  /** A video element does not say why an address gives nothing. */
  async #whyNotTheFile(fault: unknown): Promise<string> {
    const { NETWORK } = this.shaka.util.Error.Category;
    if (isFault(fault) && fault.category === NETWORK) return inWords(fault);
    try {
      const { ok, status } = await fetch(absolute(this.#state.source), { method: "HEAD" });
      if (ok) return inWords(fault);
      return inWords({ category: NETWORK, code: 1001, data: ["", status] } satisfies Fault);
    } catch {
      return inWords({ category: NETWORK, code: 1002, data: [] } satisfies Fault);
    }
  }

  /** Asks where things are by now and begins again. */
  async again(): Promise<void> {
    this.#recoveries = 0;
    try {
      this.learn(await ask(this.stateUrl));
    } catch (error) {
      this.listener.failed(error instanceof Error && error.message !== "" ? `${error.message}` : "The server does not answer.");
      return;
    }
    await this.show();
  }

  /** How far it can be played now. */
  get available(): number {
    return this.#player.seekRange().end - END_S;
  }
}

/** The stage has the form of the picture before it is there. */
export function shape(video: HTMLVideoElement, { width, height, content_type }: State): void {
  const stage = video.parentElement;
  if (stage === null) return;
  stage.classList.toggle("sound", content_type.startsWith("audio/"));
  if (width !== null && height !== null) stage.style.aspectRatio = `${width} / ${height}`;
}

export function isPlayable(contentType: string): boolean {
  return /^(video|audio)\//.test(contentType);
}

function absolute(address: string): string {
  return new URL(address, location.href).href;
}
