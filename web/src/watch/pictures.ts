// Pictures from an edge, asked for without the cookie that an <img> would send along where the edge is the same host on
// another port.

/** An address in this page for what is at `url`; nothing if it cannot be had. */
export async function local(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { credentials: "omit" });
    return answer.ok ? URL.createObjectURL(await answer.blob()) : undefined;
  } catch {
    return undefined;
  }
}

/** A storyboard with its sprites in this page: WebVTT whose cues name parts of pictures (`storyboard.jpg#xywh=…`). */
export async function storyboard(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { credentials: "omit" });
    if (!answer.ok) return undefined;
    const sprites = new Map<string, string | undefined>();
    const lines = [];
    for (const line of (await answer.text()).split("\n")) {
      const [name, part] = line.trim().split("#xywh=");
      if (name === undefined || part === undefined) {
        lines.push(line);
        continue;
      }
      if (!sprites.has(name)) sprites.set(name, await local(new URL(name, url).href));
      lines.push(`${sprites.get(name) ?? name}#xywh=${part}`);
    }
    return `data:text/vtt,${encodeURIComponent(lines.join("\n"))}`;
  } catch {
    return undefined;
  }
}
