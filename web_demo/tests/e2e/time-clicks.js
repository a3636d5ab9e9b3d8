/**
 * Times of clicks in Chromium and with the native runtime: npm run time -- OUT.json ROUNDS MODEL.tflite …
 *
 * All run the session graphs on the sample photo with as many threads as the page takes, in turns; the first click of
 * every turn, for which an engine gets ready, is left out.
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { basename, join, resolve } from "node:path";
import { Person, folder, launch, ritmEdge, sample, startDemo } from "./harness.js";

const CLICKS = [[100, 225], [140, 240], [160, 200], [60, 260], [120, 180], [200, 230], [90, 250], [150, 215], [110, 205], [130, 260]];
const from = process.env.INIT_CWD ?? ".";
const [out, rounds, ...names] = process.argv.slice(2);
const measured = names.map((name) => ({ model: resolve(from, name), page: [], browser: [], native: [] }));

function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median_ms: median, samples_ms: values };
}

/** From the click to the drawn mask, and of that the session's own time. */
async function timeOnPage(browser, { model, page, browser: session }) {
  const demo = await startDemo(model);
  const person = await Person.at(browser, demo.address);
  await person.until(() => document.body.dataset.offline);
  await person.openSample();
  const engine = await person.page.textContent("#engine");
  for (const [index, [row, column]] of CLICKS.entries()) {
    await person.click(row, column);
    await person.until((n) => performance.getEntriesByName("click to mask").length === n, index + 1);
    const shown = await person.page.evaluate(() => performance.getEntriesByName("click to mask").at(-1).duration);
    const computed = Number(/(\d+) ms$/.exec(await person.page.textContent("#status"))[1]);
    if (index) [shown, computed].forEach((ms, i) => [page, session][i].push(ms));
  }
  await person.close();
  await demo.stop();
  return Number(/(\d+) threads?/.exec(engine)[1]);
}

function timeNative({ model, native }, threads) {
  const options = ["--artifact", model, "--session-graphs", "--threads", String(threads), "--json", "-o", join(folder, "timed.png")];
  const found = ritmEdge("predict", sample, ...CLICKS.flatMap((click) => ["--click", click.join(",")]), ...options);
  native.push(...JSON.parse(found).clicks.slice(1).map((click) => click.ms));
}

const browser = await launch();
let threads = 0;
for (let round = 0; round < Number(rounds); round++)
  for (const each of measured) {
    threads = await timeOnPage(browser, each);
    timeNative(each, threads);
  }
const result = {
  kind: "ritm-edge browser click times",
  format_version: 1,
  browser: `Chromium ${browser.version()}`,
  cpu: cpus()[0].model,
  processors: availableParallelism(),
  threads,
  rounds: Number(rounds),
  clicks: CLICKS.length - 1,
  models: measured.map(({ model, page, browser: session, native }) => ({
    file: basename(model),
    page: summary(page),
    browser: summary(session),
    native: summary(native),
  })),
};
await browser.close();
writeFileSync(resolve(from, out), `${JSON.stringify(result, null, 1)}\n`);
