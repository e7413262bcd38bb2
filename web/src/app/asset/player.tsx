// The player of the watch page, in a page of the dashboard.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { State } from "../../watch/state";
import { Note, Trouble } from "../ui/basics";
import { isBusy } from "../upload/items";

const RELOADED = "tidegate-reloaded-for";

export function Player({ id }: { id: string }): JSX.Element {
  const stage = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const notice = useRef<HTMLParagraphElement>(null);
  const [trouble, setTrouble] = useState<string>();
  const [isBarred, setBarred] = useState(false);
  useEffect(() => {
    setBarred(false);
    let isOver = false;
    const ends: (() => void)[] = [];
    const begin = async () => {
      const stateUrl = `/watch/${id}/state.json`;
      const { ask } = await import("../../watch/state");
      const state: State = await ask(stateUrl);
      if (isOver || stage.current === null || video.current === null || notice.current === null) return;
      if (!isAllowed(state.base)) {
        // Loading the page anew would interrupt what is being uploaded.
        if (isBusy()) setBarred(true);
        else location.reload();
        return;
      }
      // The controls' style too is loaded only now.
      const [{ Screen }, { Play }] = await Promise.all([import("../../watch/player"), import("../../watch/play")]);
      if (isOver) return;
      const screen = new Screen({ stage: stage.current, video: video.current, notice: notice.current, stateUrl, state });
      const play = new Play(video.current, { asset: id });
      ends.push(() => play.close(), () => void screen.close());
    };
    begin().catch((error: unknown) => {
      // A request that came to nothing is the network's doing, or the page is being left.
      if (!(error instanceof TypeError)) console.error(error);
      if (!isOver) setTrouble("The player could not be loaded. Reload the page.");
    });
    return () => {
      isOver = true;
      for (const end of ends) end();
    };
  }, [id]);
  return (
    <div class="screen">
      <div class="stage" ref={stage}>
        <video ref={video} playsInline crossOrigin="anonymous" preload="none" />
      </div>
      <p class="notice" ref={notice} role="status" hidden />
      {isBarred && (
        <Note icon="play">
          <p>
            It cannot play in this page while something is being uploaded.{" "}
            <a href={`/watch/${id}`} target="_blank" rel="noopener">
              Watch it in another tab
            </a>
          </p>
        </Note>
      )}
      {trouble !== undefined && <Trouble error={trouble} />}
    </div>
  );
}

/**
 * What this document may load from was said when it was loaded. An edge that has come since needs a document that knows
 * of it: the page is to be loaded anew, once.
 */
function isAllowed(base: string): boolean {
  const { origin } = new URL(base === "" ? "/" : base, location.href);
  const edges = document.querySelector<HTMLElement>("#app")?.dataset.edges?.split(" ") ?? [];
  if (origin === location.origin || edges.some((edge) => edge !== "" && new URL(edge).origin === origin)) return true;
  if (sessionStorage.getItem(RELOADED) === origin) return true;
  if (!isBusy()) sessionStorage.setItem(RELOADED, origin);
  return false;
}
