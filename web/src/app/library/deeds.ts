// What can be done with videos, from wherever they are shown.

import { get, patch, post, remove } from "../api/client";
import type { Asset, AssetChange, Visibility } from "../api/types";
import { plural } from "../../shared/format";
import { complain, say } from "../ui/toast";
import { titleOf } from "../words";

/** Requests at once when there are many. */
const AT_ONCE = 4;

/** Moves videos to the trash, and offers the way back. */
export async function discard(assets: Asset[], gone: (ids: Set<string>) => void, back: () => void): Promise<void> {
  const done = await each(assets, (asset) => remove(`/assets/${asset.id}`));
  if (done.length === 0) return;
  gone(new Set(done.map(({ id }) => id)));
  const [only] = done;
  const what = done.length === 1 && only !== undefined ? `“${short(titleOf(only))}”` : plural(done.length, "video");
  say(`Moved ${what} to the trash.`, { label: "Undo", run: () => void restore(done, back) });
}

export async function restore(assets: Asset[], back: (ids: Set<string>) => void): Promise<void> {
  const done = await each(assets, (asset) => post(`/assets/${asset.id}/restore`));
  if (done.length > 0) {
    back(new Set(done.map(({ id }) => id)));
    const [only] = done;
    say(done.length === 1 && only !== undefined ? `“${short(titleOf(only))}” is back.` : `${plural(done.length, "video")} are back.`);
  }
}

export function change(id: string, by: AssetChange): Promise<Asset> {
  return patch<Asset>(`/assets/${id}`, by);
}

export async function changeEach(assets: Asset[], by: (asset: Asset) => AssetChange, changed: (asset: Asset) => void): Promise<number> {
  const done = await each(assets, async (asset) => changed(await change(asset.id, by(asset))));
  return done.length;
}

/** Has what failed tried again: the newest of its jobs that can be. */
export async function retry(asset: Asset): Promise<void> {
  const { jobs } = await get<{ jobs: { id: string; asset: string; state: string }[] }>("/jobs", { query: { asset: asset.id, limit: 100 } });
  const failed = jobs.filter((job) => job.asset === asset.id && ["failed", "dead"].includes(job.state));
  if (failed.length === 0) throw new Error("nothing to try again");
  for (const job of failed) await post(`/jobs/${job.id}/retry`);
}

/** The address of the page that plays it. */
export function watchLink(id: string): string {
  return new URL(`/watch/${id}`, location.href).href;
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied.`);
  } catch {
    // No secure context, or not allowed.
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(box);
    box.select();
    const did = document.execCommand("copy");
    box.remove();
    if (did) say(`${what} copied.`);
    else complain("The browser does not let this page copy. Select the text and copy it by hand.");
  }
}

export const AUDIENCE: Record<Visibility, string> = {
  private: "Only you can watch it now.",
  unlisted: "Whoever has the link can watch it now.",
  public: "Everyone can watch it now.",
};

/** Runs `deed` for each; what fails is said once. Returns those for which it went well. */
async function each(assets: Asset[], deed: (asset: Asset) => Promise<unknown>): Promise<Asset[]> {
  const queue = [...assets];
  const done: Asset[] = [];
  let fault: unknown;
  let failures = 0;
  const work = async () => {
    for (let asset = queue.shift(); asset !== undefined; asset = queue.shift()) {
      try {
        await deed(asset);
        done.push(asset);
      } catch (error) {
        fault = error;
        failures += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures > 0) complain(fault);
  return done;
}

function short(text: string): string {
  const chars = [...text];
  return chars.length > 60 ? `${chars.slice(0, 58).join("")}…` : text;
}
