// Keys that the player's own controls lack. Theirs: space and k, the arrows left and right, page up and down, home and
// end, f, m, p, digits, `<` and `>`, comma and full stop.

export interface Keyed {
  video: HTMLVideoElement;
  /** The stretch that can be sought to. */
  range(): { start: number; end: number };
  toggleCaptions(): void;
}

const JUMP_S = 10;
const VOLUME_STEP = 0.05;

/** Listens to keys until the signal. */
export function listen({ video, range, toggleCaptions }: Keyed, signal: AbortSignal): void {
  const jump = (by: number) => {
    const { start, end } = range();
    video.currentTime = Math.min(Math.max(video.currentTime + by, start), end);
  };
  const louder = (by: number) => {
    video.muted = false;
    video.volume = Math.min(Math.max(video.volume + by, 0), 1);
  };
  const deeds: Record<string, () => void> = {
    j: () => jump(-JUMP_S),
    l: () => jump(JUMP_S),
    c: toggleCaptions,
  };
  const arrows: Record<string, () => void> = {
    ArrowUp: () => louder(VOLUME_STEP),
    ArrowDown: () => louder(-VOLUME_STEP),
  };
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isForWriting(event.target)) return;
    if (isForOthers(event.target)) {
      // Nor is it the player's own controls', which listen on the window.
      event.stopPropagation();
      return;
    }
    // Arrows move through menus and scroll the page: they are the volume's on the player alone, outside of menus.
    const onPlayer = event.target instanceof Element && event.target.closest(".stage") !== null;
    const inMenu = event.target instanceof Element && event.target.closest('[role="menu"], input, .shaka-settings-menu, .shaka-overflow-menu') !== null;
    const deed = deeds[event.key.toLowerCase()] ?? (onPlayer && !inMenu ? arrows[event.key] : undefined);
    if (deed === undefined) return;
    event.preventDefault();
    deed();
  };
  document.addEventListener("keydown", press, { signal });
}

/** Keys on a button or a link beside the player press that. */
function isForOthers(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".stage") === null && target.closest("dialog, [role=menu], button, a, summary") !== null;
}

function isForWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('textarea, select, input:not([type="range"])'));
}
