// The watch page, and the page for other sites' frames.

import "./watch.css";

import { Play } from "./play";
import { Screen } from "./player";
import type { State } from "./state";

const main = element("main");
const video = element<HTMLVideoElement>("video");
const state = JSON.parse(main.dataset.state ?? "{}") as State;
const via = new URLSearchParams(location.search).get("via");

new Screen({ stage: element(".stage"), video, notice: element("#notice"), stateUrl: main.dataset.stateUrl ?? "", state, via });
// What someone may watch by the address alone is counted without a session.
const grant = /^\/g\/([^/]+)\//.exec(location.pathname)?.[1];
new Play(video, { asset: main.dataset.asset ?? "", grant });

function element<E extends HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (found === null) throw new Error(`the page lacks ${selector}`);
  return found;
}
