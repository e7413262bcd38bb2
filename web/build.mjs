// Makes dist/ of src/: `node build.mjs` writes what has changed, `node build.mjs --check` only says whether anything
// would. The same sources give the same bytes on every machine; the compressed twins are compared by what is in them,
// since zlib's output is not the same everywhere.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { build } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "dist");
const onlyCheck = process.argv.includes("--check");

const TYPES = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** What is smaller is sent as it is. */
const COMPRESS_FROM_BYTES = 1400;
/** Script of a page before its player or its uploader is loaded, compressed. */
const MOST_SCRIPT_BYTES = 150_000;

/** Pages, and what of the rest of the build their scripts ask for at once. */
const PAGES = { app: [], watch: ["shaka-player.ui-es2021"] };

const { output } = await build({ root: here, configFile: join(here, "vite.config.ts"), mode: "production", logLevel: "warn" });
const wanted = new Map(output.map((it) => [it.fileName, Buffer.from(it.type === "chunk" ? it.code : it.source)]));
const chunks = new Map(output.filter((it) => it.type === "chunk").map((it) => [it.fileName, it]));
const icon = readFileSync(join(here, "src/icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
wanted.set(iconName, icon);

const compressed = [...wanted.keys()].filter((name) => wanted.get(name).length >= COMPRESS_FROM_BYTES).sort();
const names = [...wanted.keys()].sort();
const pages = Object.keys(PAGES).map(page);
wanted.set("table.rs", Buffer.from(table()));

const stale = existsSync(dist) ? readdirSync(dist).filter((name) => !wanted.has(name) && !isTwin(name)) : [];
const changed = [...wanted.keys()].filter((name) => !same(name)).sort();
const twins = compressed.filter((name) => !sameTwin(name));

if (onlyCheck) {
  const wrong = [...stale, ...changed, ...twins.map((name) => `${name}.gz`)];
  if (wrong.length > 0) {
    console.error(`web/dist is not what the sources give (make web): ${wrong.join(", ")}`);
    process.exit(1);
  }
} else {
  mkdirSync(dist, { recursive: true });
  for (const name of stale) rmSync(join(dist, name));
  for (const name of changed) writeFileSync(join(dist, name), wanted.get(name));
  for (const name of twins) writeFileSync(join(dist, `${name}.gz`), zipped(name));
}
report();

function read(name) {
  const path = join(dist, name);
  return existsSync(path) ? readFileSync(path) : undefined;
}

function same(name) {
  return read(name)?.equals(wanted.get(name)) ?? false;
}

function isTwin(name) {
  return name.endsWith(".gz") && compressed.includes(name.slice(0, -3));
}

function sameTwin(name) {
  const twin = read(`${name}.gz`);
  try {
    return twin !== undefined && gunzipSync(twin).equals(wanted.get(name));
  } catch {
    return false;
  }
}

function zipped(name) {
  return gzipSync(wanted.get(name), { level: 9 });
}

/** What a page's document names: its script, its styles, and what the script will ask for at once. */
function page(name) {
  const entry = [...chunks.values()].find((chunk) => chunk.isEntry && chunk.name === name);
  const next = closure([entry.fileName]).filter((file) => file !== entry.fileName);
  for (const wish of PAGES[name]) {
    const more = [...chunks.values()].filter((chunk) => chunk.name === wish).map(({ fileName }) => fileName);
    if (more.length === 0) throw new Error(`no chunk is called ${wish}`);
    next.push(...closure(more).filter((file) => file !== entry.fileName && !next.includes(file)));
  }
  // What is imported comes before what imports it, and may be overruled by it.
  const styles = [...next, entry.fileName].flatMap((file) => [...(chunks.get(file)?.viteMetadata?.importedCss ?? [])]);
  return { name, script: entry.fileName, styles: [...new Set(styles)], next: next.sort() };
}

/** Files, and all that they import before they run. */
function closure(files) {
  const all = new Set(files);
  for (const file of all) for (const more of chunks.get(file)?.imports ?? []) all.add(more);
  return [...all];
}

/** What the origin embeds: every file, and the pages. */
function table() {
  const rows = names.map((name) => {
    const type = TYPES[name.slice(name.lastIndexOf("."))];
    if (type === undefined) throw new Error(`of which type is ${name}?`);
    const twin = compressed.includes(name) ? `Some(include_bytes!("${name}.gz"))` : "None";
    return `        File { name: "${name}", content_type: "${type}", bytes: include_bytes!("${name}"), gzip: ${twin} },\n`;
  });
  const list = (names) => `&[${names.map((name) => `"${name}"`).join(", ")}]`;
  const lines = pages.map(({ name, script, styles, next }) => `        ("${name}", Page { script: "${script}", styles: ${list(styles)}, next: ${list(next)} }),\n`);
  return `// Made by web/build.mjs from web/src.\nWeb {\n    icon: "${iconName}",\n    files: &[\n${rows.join("")}    ],\n    pages: &[\n${lines.join("")}    ],\n}\n`;
}

/** Says what each page costs, and refuses what costs too much. */
function report() {
  const size = (files) => files.filter((file) => file.endsWith(".js")).reduce((sum, file) => sum + zipped(file).length, 0);
  const { script, next } = pages.find(({ name }) => name === "app");
  const shell = [script, ...next];
  const bytes = { "every page": size(shell) };
  for (const file of chunks.get(script).dynamicImports) {
    const { name } = chunks.get(file);
    bytes[`${name} (${file})`] = size(closure([file]).filter((it) => !shell.includes(it)));
  }
  for (const [what, cost] of Object.entries(bytes)) console.log(`${what}: ${cost} bytes of script, compressed`);
  if (bytes["every page"] > MOST_SCRIPT_BYTES) {
    console.error(`more than ${MOST_SCRIPT_BYTES} bytes before anything is done`);
    process.exit(1);
  }
}
