// How the page is built: static files in dist/, all of them from one origin, none of them inline.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Where `npm run dev` finds a running server. */
const DEV_SERVER = "http://127.0.0.1:8642";

export default defineConfig({
  plugins: [svelte()],
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
