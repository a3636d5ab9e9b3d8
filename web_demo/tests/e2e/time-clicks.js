/**
 * Time from a click to its mask, in Chromium and with the native runtime: npm run time -- OUT.json MODEL.tflite …
 *
 * Both run the session graphs on the sample photo, with as many threads as the page takes; the first click is left out.
 */

import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { Person, folder, launch, ritmEdge, sample, startDemo } from "./harness.js";

const CLICKS = [[100, 225], [140, 240], [160, 200], [60, 260], [120, 180], [200, 230], [90, 250], [150, 215], [110, 205], [130, 260]];
const [out, ...models] = process.argv.slice(2);
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const summary = (values, threads) => ({ threads, median_ms: median(values.slice(1)), ms: values });

const browser = await launch();
const rows = [];
for (const model of models.map((name) => resolve(process.env.INIT_CWD ?? ".", name))) {
  const demo = await startDemo(model);
  const person = await Person.at(browser, demo.address);
  await person.page.waitForFunction(() => document.body.dataset.offline);
  await person.openSample();
  const engine = await person.page.textContent("#engine");
  const ms = [];
  for (const [row, column] of CLICKS) {
    await person.click(row, column);
    await person.page.waitForFunction((n) => performance.getEntriesByName("click to mask").length === n, ms.length + 1);
    ms.push(await person.page.evaluate(() => performance.getEntriesByName("click to mask").at(-1).duration));
    await person.page.waitForTimeout(300);
  }
  await person.close();
  await demo.stop();
  const threads = Number(/(\d+) threads?/.exec(engine)[1]);
  const options = ["--artifact", model, "--session-graphs", "--threads", String(threads), "--json", "-o", join(folder, "timed.png")];
  const native = JSON.parse(ritmEdge("predict", sample, ...CLICKS.flatMap((click) => ["--click", click.join(",")]), ...options));
  rows.push({
    file: basename(model),
    browser: summary(ms, threads),
    native: summary(native.clicks.map((click) => click.ms), threads),
  });
  console.log(`${basename(model)}: browser ${rows.at(-1).browser.median_ms.toFixed(0)} ms, native ${rows.at(-1).native.median_ms.toFixed(0)} ms`);
}
const version = browser.version();
await browser.close();
const result = { kind: "ritm-edge browser click times", format_version: 1, browser: `Chromium ${version}`, processors: availableParallelism(), models: rows };
writeFileSync(resolve(process.env.INIT_CWD ?? ".", out), `${JSON.stringify(result, null, 1)}\n`);
