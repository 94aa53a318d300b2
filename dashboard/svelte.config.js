// Svelte's compiler: runes everywhere, styles in files of their own (the policy forbids inline ones).
import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, css: "external" },
};
