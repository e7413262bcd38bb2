// Makes dist/ of src/: `node build.mjs` writes what has changed, `node build.mjs --check` only says whether anything
// would. The same sources give the same bytes on every machine; the compressed twins are compared by what is in them,
// since zlib's output is not the same everywhere.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const dist = join(here, "dist");
const onlyCheck = process.argv.includes("--check");

/** The pages: each is a script and its style. */
const PAGES = ["watch"];
const TYPES = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** What is smaller is sent as it is. */
const COMPRESS_FROM_BYTES = 1400;

/** Shaka's style names a font on another site: nothing of ours is loaded from there. */
const noForeignFonts = {
  name: "no-foreign-fonts",
  setup(it) {
    it.onLoad({ filter: /shaka-player.*\.css$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, "").replace(/\/\*# source.*/, "");
      if (/url\((?!"?data:)/.test(text)) throw new Error(`${path} still loads something`);
      return { contents: text, loader: "css" };
    });
  },
};

const { outputFiles, metafile } = await build({
  absWorkingDir: here,
  entryPoints: PAGES.map((page) => ({ in: `src/${page}/index.ts`, out: page })),
  outdir: "dist",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "eof",
  charset: "utf8",
  metafile: true,
  write: false,
  plugins: [noForeignFonts],
  logLevel: "warning",
});

const wanted = new Map(outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]));
const icon = readFileSync(join(here, "src/icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;
wanted.set(iconName, icon);

const compressed = [...wanted.keys()].filter((name) => wanted.get(name).length >= COMPRESS_FROM_BYTES).sort();
const names = [...wanted.keys()].sort();
wanted.set("table.rs", Buffer.from(table(names)));

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
  for (const name of twins) writeFileSync(join(dist, `${name}.gz`), gzipSync(wanted.get(name), { level: 9 }));
}
for (const name of names) {
  const zipped = compressed.includes(name) ? `, ${gzipSync(wanted.get(name), { level: 9 }).length} compressed` : "";
  console.log(`${name}: ${wanted.get(name).length} bytes${zipped}`);
}

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

/** What the origin embeds: every file, and for each page what its document names. */
function table(names) {
  const rows = names.map((name) => {
    const type = TYPES[name.slice(name.lastIndexOf("."))];
    const twin = compressed.includes(name) ? `Some(include_bytes!("${name}.gz"))` : "None";
    return `        File { name: "${name}", content_type: "${type}", bytes: include_bytes!("${name}"), gzip: ${twin} },\n`;
  });
  const pages = PAGES.map((page) => {
    const outputs = Object.entries(metafile.outputs);
    const [script, made] = outputs.find(([, output]) => output.entryPoint === `src/${page}/index.ts`);
    // What the script will ask for at once: known early, it comes at the same time.
    const next = made.imports.map(({ path }) => `"${basename(path)}"`).sort();
    const styles = outputs.map(([path]) => path).filter((path) => path.endsWith(".css"));
    const style = made.cssBundle ?? styles[0];
    return `        ("${page}", Page { script: "${basename(script)}", style: "${basename(style)}", next: &[${next.join(", ")}] }),\n`;
  });
  return (
    `// Made by web/build.mjs from web/src.\n` +
    `Web {\n    icon: "${iconName}",\n    files: &[\n${rows.join("")}    ],\n    pages: &[\n${pages.join("")}    ],\n}\n`
  );
}
