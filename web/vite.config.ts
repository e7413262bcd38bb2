// How the pages are built; `build.mjs` runs it, and writes what the origin embeds.

import { readFileSync } from "node:fs";
import { type Plugin, defineConfig } from "vite";

/** Shaka's style names a font on another site: nothing of ours is loaded from there. */
const noForeignFonts: Plugin = {
  name: "no-foreign-fonts",
  enforce: "pre",
  load(id) {
    const [path = ""] = id.split("?");
    if (!/shaka-player.*\.css$/.test(path)) return undefined;
    const text = readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, "").replace(/\/\*# source.*/, "");
    if (/url\((?!["']?data:)/.test(text)) throw new Error(`${path} still loads something`);
    return text;
  },
};

export default defineConfig({
  base: "/web/",
  publicDir: false,
  plugins: [noForeignFonts],
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none", charset: "utf8" },
  build: {
    target: "es2022",
    assetsDir: "",
    // Small files too have addresses of their own: `data:` is for pictures of the player's style alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Shaka is as large as it is.
    chunkSizeWarningLimit: 1_000,
    write: false,
    rollupOptions: {
      input: { app: "src/app/index.tsx", watch: "src/watch/index.ts" },
      output: { entryFileNames: "[name]-[hash].js", chunkFileNames: "[name]-[hash].js", assetFileNames: "[name]-[hash][extname]" },
    },
  },
  // `npm run dev` beside a running `tidegate`: changes show at once.
  server: {
    proxy: Object.fromEntries(["/api", "/files", "/media", "/g", "/watch", "/embed"].map((path) => [path, "http://127.0.0.1:8080"])),
  },
});
