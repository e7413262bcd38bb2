// The time beside the play button. Shaka takes a stream that still grows for a broadcast and counts back from its end;
// here the length of the whole is known, so it reads as it always does.

import { clock } from "../shared/format";
import type { Shaka } from "./stage";

export const TIME = "time_of_whole";

export function register(shaka: Shaka, wholeSeconds: () => number | null): void {
  class Time extends shaka.ui.Element {
    readonly #text = document.createElement("span");

    constructor(...[parent, controls]: ConstructorParameters<typeof shaka.ui.Element>) {
      super(parent, controls);
      this.#text.className = "time";
      this.parent?.append(this.#text);
      this.eventManager?.listen(controls, "timeandseekrangeupdated", () => this.#update());
      this.#update();
    }

    #update(): void {
      const { player, controls } = this;
      if (!player || !controls) return;
      const { start, end } = player.seekRange();
      const seen = player.isDynamic() ? Math.max(wholeSeconds() ?? 0, end) : end - start;
      const text = `${clock(controls.getDisplayTime() - start)} / ${clock(seen)}`;
      if (this.#text.textContent !== text) this.#text.textContent = text;
    }
  }
  shaka.ui.Controls.registerElement(TIME, { create: (parent, controls) => new Time(parent, controls) });
}
