import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = "../src/charrua_web/static/built";

/** Beside each file that packs well, the same in gzip: the server need not pack it for every visitor. */
function packed(): Plugin {
  return {
    name: "packed",
    closeBundle() {
      for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        if (!/\.(js|css|wasm|svg|json)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

/** Cornerstone styles its text by an attribute, which the policy of our pages stops; by the object model it may. */
function withoutStyleAttributes(): Plugin {
  return {
    name: "without-style-attributes",
    transform(code, id) {
      if (!id.includes("@cornerstonejs/tools")) return undefined;
      return code.replaceAll(".setAttribute('style', ", ".style.cssText = (");
    },
  };
}

export default defineConfig({
  base: "/static/built/",
  plugins: [withoutStyleAttributes(), packed()],
  worker: { format: "es" },
  optimizeDeps: { exclude: ["@cornerstonejs/dicom-image-loader"], include: ["dicom-parser"] },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 6000,
    rollupOptions: { input: ["src/pages/main.ts", "src/viewer/main.ts"] },
  },
});
