// Reads the manifest of an asset with mpd-parser, which others wrote, and prints as JSON what it says.
//
//   node manifests_dash.mjs MANIFEST_URL

import { parse } from "mpd-parser";

const url = process.argv[2];
const answer = await fetch(url);
if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
const warnings = [];
const manifest = parse(await answer.text(), {
  manifestUri: url,
  eventHandler: ({ type, message }) => warnings.push(`${type}: ${message}`),
});

const track = (playlist) => ({
  bandwidth: playlist.attributes.BANDWIDTH,
  codecs: playlist.attributes.CODECS?.split(",") ?? [],
  resolution: playlist.attributes.RESOLUTION
    ? [playlist.attributes.RESOLUTION.width, playlist.attributes.RESOLUTION.height]
    : null,
  frame_rate: playlist.attributes["FRAME-RATE"] ?? null,
  whole: playlist.endList,
  init: playlist.segments[0]?.map?.resolvedUri ?? null,
  segments: playlist.segments.map((segment) => ({ uri: segment.resolvedUri, duration: segment.duration })),
});

const group = (kind) =>
  Object.values(manifest.mediaGroups[kind]).flatMap((entries) =>
    Object.entries(entries).map(([label, entry]) => ({
      label,
      language: entry.language,
      default: entry.default,
      ...track(entry.playlists[0]),
    })),
  );

console.log(
  JSON.stringify({
    warnings,
    duration: manifest.duration,
    rungs: manifest.playlists.map(track),
    audio: group("AUDIO"),
    subtitles: group("SUBTITLES"),
  }),
);
