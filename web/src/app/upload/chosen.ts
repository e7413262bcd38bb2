// Files as they come from a drop, a chooser or a folder, with a handle to open them again where there is one.

import type { Handle } from "./memory";

export interface Chosen {
  file: File;
  /** The folder they came in; empty for a file by itself. */
  folder: string;
  handle?: Handle | undefined;
}

/** More files than this in one go are a mistake. */
const MOST = 2_000;
const PLAYABLE = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m2ts|mts|ts|wmv|flv|ogv|3gp|mxf|mp3|m4a|aac|wav|flac|ogg|opus|aiff?)$/i;

/** Whether it can be made playable, as far as its name and type tell. */
export function looksPlayable({ type, name }: File): boolean {
  return /^(video|audio)\//.test(type) || (!/^(text|image|application\/(pdf|zip|json))/.test(type) && PLAYABLE.test(name)) || PLAYABLE.test(name);
}

export function fromInput(list: FileList | null): Chosen[] {
  const files = [...(list ?? [])].filter(isSeen).slice(0, MOST);
  return files.map((file) => ({ file, folder: file.webkitRelativePath.split("/").slice(0, -1).join("/") }));
}

/** The browser's chooser that gives handles; nothing where there is none. */
export async function fromPicker(): Promise<Chosen[] | undefined> {
  const pick = (window as { showOpenFilePicker?: (options: object) => Promise<Handle[]> }).showOpenFilePicker;
  if (pick === undefined) return undefined;
  try {
    const handles = await pick.call(window, { multiple: true });
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), folder: "", handle })));
  } catch (error) {
    // Nothing chosen is a choice too.
    return error instanceof DOMException && error.name === "AbortError" ? [] : undefined;
  }
}

/** What was dropped, folders with all that is in them. Has to be called while the drop is being handled. */
export async function fromDrop(data: DataTransfer): Promise<Chosen[]> {
  // Everything is asked for before anything is waited for: afterwards the browser gives nothing any more.
  const parts = [...data.items].filter((item) => item.kind === "file").map((item) => ({
    handle: (item as { getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> }).getAsFileSystemHandle?.(),
    entry: item.webkitGetAsEntry?.() ?? undefined,
    file: item.getAsFile() ?? undefined,
  }));
  const chosen: Chosen[] = [];
  for (const { handle, entry, file } of parts) {
    const found = await handle?.catch(() => null);
    if (found !== null && found !== undefined) await walkHandle(found, "", chosen);
    else if (entry?.isDirectory === true) await walkEntry(entry, "", chosen);
    else if (file !== undefined) chosen.push({ file, folder: "" });
  }
  return chosen.filter(({ file }) => isSeen(file)).slice(0, MOST);
}

async function walkHandle(handle: FileSystemHandle, folder: string, chosen: Chosen[]): Promise<void> {
  if (chosen.length >= MOST) return;
  if (handle.kind === "file") {
    const file = handle as Handle;
    chosen.push({ file: await file.getFile(), folder, handle: file });
    return;
  }
  const inside = (handle as FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> }).values();
  for await (const child of inside) await walkHandle(child, join(folder, handle.name), chosen);
}

async function walkEntry(entry: FileSystemEntry, folder: string, chosen: Chosen[]): Promise<void> {
  if (chosen.length >= MOST) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    chosen.push({ file, folder });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // It gives a hundred at a time.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some) await walkEntry(child, join(folder, entry.name), chosen);
  }
}

/** What the system puts into folders is nobody's video. */
function isSeen({ name }: File): boolean {
  return !name.startsWith(".") && name !== "Thumbs.db" && name !== "desktop.ini";
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
