import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Person, eventually, folder, launch, model, reopen, ritmEdge, sample, shipped, startDemo, startPlainServer } from "./harness.js";

let browser, demo;
before(async () => ([browser, demo] = [await launch(), await startDemo()]));
after(async () => {
  await browser?.close();
  await demo?.stop();
});

const file = (name, content) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

/** The model with another text of the same length in its description, and the checksum that goes with it. */
function edited(from, to) {
  const text = readFileSync(model).toString("latin1");
  assert.ok(text.includes(from) && from.length === to.length, from);
  const changed = text.replace(from, to);
  const key = '"content_sha256": "';
  const start = changed.lastIndexOf(key) + key.length;
  const rest = changed.slice(0, start) + changed.slice(start + 64);
  const digest = createHash("sha256").update(Buffer.from(rest, "latin1")).digest("hex");
  return Buffer.from(changed.slice(0, start) + digest + changed.slice(start + 64), "latin1");
}

test("files that cannot be used are refused in words, and nothing is lost", async () => {
  const person = await Person.at(browser, demo.address);
  await person.openSample();
  await person.click(100, 225);
  const mask = await person.saved("mask");
  const whole = readFileSync(model);
  const damaged = Buffer.from(whole);
  damaged[whole.length >> 1] ^= 255;
  const small = join(folder, "small-mask.png");
  reopen("make", small, "small-mask");
  const empty = join(folder, "empty-mask.png");
  reopen("make", empty, "empty-mask");
  for (const [id, path, words] of [
    ["open", file("notes.jpg", "no picture"), /notes\.jpg cannot be read as a picture/],
    ["open", file("empty.png", ""), /empty\.png cannot be read as a picture/],
    ["mask", file("mask.png", "no picture"), /mask\.png cannot be read as a picture/],
    ["mask", small, /30 × 20 pixels and the photo 512 × 512/],
    ["mask", empty, /selects nothing/],
    ["model", file("short.tflite", whole.subarray(0, whole.length >> 1)), /damaged or cut off/],
    ["model", file("cut.tflite", whole.subarray(0, whole.length - 1)), /changed after it was exported|damaged or cut off/],
    ["model", file("page.tflite", "<html>not found</html>"), /not a TFLite file/],
    ["model", file("nothing.tflite", ""), /not a TFLite file/],
    ["model", file("bytes.tflite", damaged), /changed after it was exported/],
    ["model", file("contract.tflite", edited('"contract": 1', '"contract": 7')), /version 7 of the graph's contract and this page knows version 1/],
    ["model", file("plain.tflite", edited('"session": {', '"sessiom": {')), /has no session graphs/],
    ["model", file("slots.tflite", edited('"max_clicks": 24', '"max_clicks": 25')), /takes 144 values as clicks/],
    ["model", file("any.tflite", edited('"height": 256', '"height": 0.5')), /description (has|cannot)/],
  ]) {
    await person.open(id, path);
    assert.match(await person.problem(), words, path);
    await person.page.click("#dismiss");
    assert.equal(await person.count(), 1, path);
  }
  assert.deepEqual(await person.saved("mask"), mask);
  await person.click(225, 225, "right");
  await person.open("model", model);
  await person.settled(2); // the clicks are made again with the other model
  await person.page.click("#undo");
  await person.settled(1);
  assert.deepEqual(await person.saved("mask"), mask);
  assert.deepEqual(await person.close(), []);
});

test("a click too many of a sign is refused, and the others stay", async () => {
  const person = await Person.at(browser, demo.address);
  await person.openSample();
  for (let i = 0; i < 24; i++) await person.click(60 + 15 * i, 225);
  const { x, y } = await person.place(480, 480);
  await person.page.mouse.click(x, y);
  assert.match(await person.problem(), /takes 24 positive clicks/);
  assert.equal(await person.count(), 24);
  assert.deepEqual(await person.close(), []);
});

test("a photo of 48 megapixels is reduced for the model and saved at full size", async () => {
  const person = await Person.at(browser, demo.address);
  const large = join(folder, "large.jpg");
  reopen("make", large, "large");
  await person.open("open", large);
  await person.says(/reduced to 4\d\d\d × 3\d\d\d/);
  person.photo = { width: 8000, height: 6000 };
  await person.click(3000, 4000);
  const [[row, column]] = await person.clicks();
  assert.ok(Math.abs(row - 3000) < 20 && Math.abs(column - 4000) < 20);
  const { size, share } = reopen("picture", await person.save("mask"));
  assert.deepEqual(size, [8000, 6000]);
  assert.ok(share < 1);
  assert.deepEqual(await person.close(), []);
});

test("without a model on the server one can be chosen, and the photo waits for it", async () => {
  const prepare = ({ page }) => page.route("**/model.tflite", (route) => route.fulfill({ status: 404, body: "none" }));
  const person = await Person.at(browser, demo.address, { prepare, wait: false, serviceWorkers: "block" });
  assert.match(await person.problem(), /no model at .* Choose a model file/);
  await person.open("model", model);
  await person.loaded();
  await person.openSample();
  await person.click(100, 225);
  assert.deepEqual(await person.close(), []);
});

test("a static host without the headers for threads gets a working page with one thread", async () => {
  const place = join(folder, "site");
  ritmEdge("demo", "--artifact", model, "--build", place);
  const plain = await startPlainServer(place);
  const person = await Person.at(browser, plain.address);
  assert.match(await person.page.textContent("#engine"), /1 thread \(this page was served without the headers/);
  await person.openSample();
  await person.click(100, 225);
  const expected = join(folder, "plain.png");
  const log = await person.save("clicks");
  ritmEdge("predict", sample, "--clicks", log, "--artifact", model, "--session-graphs", "-o", expected);
  assert.ok(reopen("differing", await person.save("mask"), expected).share <= 1e-4);
  assert.deepEqual(await person.close(), []);
  await plain.stop();
});

test("a browser without relaxed SIMD is told that it is slower, and works", async () => {
  // The engine asks by compiling a few bytes; everything larger is compiled as ever.
  const lacking = `const compile = WebAssembly.instantiate; WebAssembly.instantiate = (b, i) =>
    b.byteLength < 200 && String(b).includes("253") ? Promise.reject(new Error("no SIMD")) : compile(b, i);\n`;
  const prepare = ({ page }) =>
    page.route("**/assets/worker-*.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: lacking + (await response.text()) });
    });
  const person = await Person.at(browser, demo.address, { prepare, serviceWorkers: "block" });
  assert.match(await person.page.textContent("#engine"), /without fast vector instructions/);
  await person.openSample();
  await person.click(100, 225);
  assert.ok(reopen("picture", await person.save("mask")).share > 0);
  assert.deepEqual(await person.close(), []);
});

test("where storage is denied the page works and says what it cannot do", async () => {
  const prepare = ({ page }) =>
    page.addInitScript(() => {
      const denied = () => Promise.reject(new DOMException("denied", "SecurityError"));
      navigator.serviceWorker.register = denied;
      CacheStorage.prototype.open = denied;
    });
  const person = await Person.at(browser, demo.address, { prepare });
  await person.says(/keeps nothing for offline use/);
  await person.openSample();
  await person.click(100, 225);
  assert.deepEqual(await person.close(), []);
});

test("an engine that dies is started again with all clicks", async () => {
  const person = await Person.at(browser, demo.address);
  await person.openSample();
  await person.click(100, 225);
  const mask = await person.saved("mask");
  const worker = person.page.workers().find((each) => /\/worker-[^/]*$/.test(each.url()));
  await worker.evaluate(() => void setTimeout(() => { throw new Error("lost"); }));
  assert.match(await person.problem(), /engine stopped/);
  await person.page.click("#restart");
  await person.settled(1);
  assert.deepEqual(await person.saved("mask"), mask);
});

test("a graphics processor that is lost takes the picture with it until it is back, and nothing else", async () => {
  const person = await Person.at(browser, demo.address);
  await person.openSample();
  await person.click(100, 225);
  const mask = await person.saved("mask");
  const { page } = person;
  const picture = () => page.evaluate(() => document.getElementById("stage").toDataURL());
  const before = await picture();
  await page.evaluate(() => {
    const stage = document.getElementById("stage");
    stage.getContext("2d").reset();
    stage.dispatchEvent(new Event("contextlost"));
  });
  await person.says(/graphics processor was lost/);
  assert.notEqual(await picture(), before);
  await page.evaluate(() => document.getElementById("stage").dispatchEvent(new Event("contextrestored")));
  await eventually(async () => (await picture()) === before);
  assert.deepEqual(await person.saved("mask"), mask);
  assert.deepEqual(await person.close(), []);
});

test("once visited, the page works without its server", async () => {
  const own = await startDemo();
  const person = await Person.at(browser, own.address);
  await person.until(() => document.body.dataset.offline === "yes");
  await own.stop();
  await person.page.reload();
  await person.loaded();
  assert.match(await person.page.textContent("#engine"), /lite0/);
  await person.openSample();
  await person.click(100, 225);
  assert.ok(reopen("picture", await person.save("mask")).share > 0);
  assert.deepEqual(await person.close(), []);
});

// An int8 network may differ in a browser from the native one; its session may not.
for (const [name, artifact, limits] of [["exported", model, { max_abs: 1e-4, iou: 0.999 }], ["shipped", shipped, { max_abs: 0.1, iou: 0.99 }]])
  test(`the self-check of the ${name} model runs in this browser, passes and is saved`, async () => {
    const own = await startDemo(artifact);
    const person = await Person.at(browser, `${own.address}check`, { wait: false });
    const { page } = person;
    assert.ok(page.url().endsWith("/check/"));
    await page.click("#run");
    await page.waitForFunction(() => !document.getElementById("save").disabled, null, { timeout: 240_000 });
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    const path = join(folder, `check-${name}.json`);
    await download.saveAs(path);
    const found = JSON.parse(readFileSync(path));
    assert.equal(found.kind, "ritm-edge browser check");
    assert.deepEqual(found.session.differing, []);
    assert.ok(found.session.passed && found.session.traces >= 5 && found.session.steps >= 50 && found.session.pixels > 1e6);
    assert.ok(found.session.differing_pixels <= found.session.pixels / 10_000);
    const { network } = found;
    assert.ok(network.runs >= 10 && network.max_abs <= limits.max_abs && network.min_mask_iou >= limits.iou, JSON.stringify(network));
    assert.equal(found.passed, network.passed);
    assert.equal(found.cross_origin_isolated, true);
    assert.deepEqual(await person.close(), []);
    await own.stop();
  });

test("an answer that comes after another photo was opened is dropped", async () => {
  const person = await Person.at(browser, demo.address);
  await person.openSample();
  for (const [row, column] of [[100, 225], [140, 230], [180, 220]]) {
    const { x, y } = await person.place(row, column);
    await person.page.mouse.click(x, y);
  }
  await person.open("open", sample);
  await person.says(/astronaut\.jpg: 512 × 512/);
  await person.settled(0);
  assert.equal(reopen("picture", await person.save("mask")).share, 0);
  await person.click(100, 225);
  assert.deepEqual(await person.clicks(), [[100, 225, true]]);
  assert.deepEqual(await person.close(), []);
});
