import { resolve } from "node:path";
import { defineConfig } from "vite";
import solid from "vite-plugin-solid";

const entry = (name: string) => resolve(import.meta.dirname, `${name}.html`);

export default defineConfig({
  plugins: [solid()],
  build: {
    outDir: "../livemon/pages",
    emptyOutDir: true,
    // Nothing may become a data: address: the pages run under a policy of 'self' alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: {
        index: entry("index"),
        wallboard: entry("wallboard"),
        audit: entry("audit"),
        login: entry("login"),
        setup: entry("setup"),
      },
    },
  },
  worker: { format: "es" },
});
