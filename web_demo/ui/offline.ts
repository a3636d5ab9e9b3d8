/** Keeps what the page needs for working without a network. */

import type { Loaded } from "../engine/protocol.js";

/** @returns a sentence for people where this browser keeps nothing, else nothing. */
export async function keepOffline(base: URL, { script }: Loaded): Promise<string | undefined> {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return "This browser cannot keep the page for offline use.";
  try {
    await navigator.serviceWorker.register(new URL("sw.js", base));
    await navigator.serviceWorker.ready;
    const files = [`wasm/${script}`, `wasm/${script.replace(/js$/, "wasm")}`];
    const cache = await caches.open("engine");
    for (const file of [...files, "sample.jpg", "model.tflite"]) {
      const address = new URL(file, base).href;
      if (!(await cache.match(address))) await cache.add(address);
    }
    return undefined;
  } catch {
    return "This browser keeps nothing for offline use (storage is full or denied). Everything else works.";
  }
}
