// How the page is built: static files in dist/, all of them from one origin, none of them inline.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/** Where `npm run dev` finds a running server. */
const DEV_SERVER = "http://127.0.0.1:8642";

/** A rule that draws a picture: in MapLibre's style these are buttons and a logo, of which the page shows none. */
const PICTURED = /[^{}]*\{[^{}]*url\([^{}]*\}/g;

/** MapLibre's style without its pictures, which are five sixths of it. */
const unpictured: Plugin = {
  name: "unpictured",
  enforce: "pre",
  transform: (code, id) =>
    id.includes("/maplibre-gl/dist/maplibre-gl.css") ? { code: code.replace(PICTURED, ""), map: null } : undefined,
};

export default defineConfig({
  plugins: [unpictured, svelte()],
  build: {
    target: "es2022",
    // The server's content security policy allows no data: fonts and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // MapLibre is one chunk of about 300 kB compressed, loaded behind the log-in form.
    chunkSizeWarningLimit: 1200,
    license: { fileName: "licenses.md" },
    rollupOptions: {
      output: {
        // Some servers know no media type for .mjs, and a module worker without one does not start.
        assetFileNames: (asset) =>
          asset.names.some((name) => name.endsWith(".mjs"))
            ? "assets/[name]-[hash].js"
            : "assets/[name]-[hash][extname]",
      },
    },
  },
  server: { host: "127.0.0.1", proxy: { "/v1": DEV_SERVER, "^/waymark\\.v1\\.": DEV_SERVER } },
});
