import { cpSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { type Plugin, defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";

const root = import.meta.dirname;
const outDir = resolve(root, "../ritm_edge/page");

/** The engine's files for the CPU: with threads, without, and without relaxed SIMD. */
function engineFiles(): Plugin {
  return {
    name: "engine-files",
    closeBundle() {
      mkdirSync(resolve(outDir, "wasm"), { recursive: true });
      for (const kind of ["threaded_", "", "compat_"])
        for (const suffix of ["js", "wasm"]) {
          const name = `litert_wasm_${kind}internal.${suffix}`;
          cpSync(resolve(root, "node_modules/@litertjs/core/wasm", name), resolve(outDir, "wasm", name));
        }
      cpSync(resolve(root, "../ritm_edge/samples/astronaut.jpg"), resolve(outDir, "sample.jpg"));
    },
  };
}

export default defineConfig({
  root,
  base: "./",
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    rollupOptions: { input: [resolve(root, "index.html"), resolve(root, "check/index.html"), resolve(root, "device/index.html")] },
  },
  plugins: [
    engineFiles(),
    VitePWA({
      registerType: "autoUpdate",
      injectRegister: null,
      manifest: {
        name: "ritm-edge",
        short_name: "ritm-edge",
        description: "Click on an object and get its mask, on your own device.",
        start_url: "./",
        display: "standalone",
        background_color: "#14191f",
        theme_color: "#1c2733",
        icons: [
          { src: "icon.svg", sizes: "any", type: "image/svg+xml", purpose: "any" },
          ...[192, 512].map((n) => ({ src: `icon-${n}.png`, sizes: `${n}x${n}`, type: "image/png", purpose: "any maskable" as const })),
        ],
      },
      workbox: {
        globPatterns: ["**/*.{html,js,css,svg,png}"],
        globIgnores: ["wasm/**"],
        navigateFallback: null,
        clientsClaim: true,
        skipWaiting: true,
        // The model may be replaced behind its address; everything else changes its name with its content.
        runtimeCaching: [
          { urlPattern: /\/(wasm\/[^/]+|sample\.jpg|model\.tflite)$/, handler: "NetworkFirst", options: { cacheName: "engine" } },
        ],
      },
    }),
  ],
});
