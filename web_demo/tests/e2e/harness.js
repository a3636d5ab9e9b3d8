/** Starts `ritm-edge demo` and Chromium, and does on the page what people do. */

import { spawn, execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { chromium } from "playwright-core";

const root = resolve(import.meta.dirname, "../../..");
export const bin = process.env.RITM_EDGE_BIN ?? join(root, ".venv/bin");
export const model = process.env.RITM_EDGE_WEB_MODEL ?? join(root, "out/web/lite0-256x256.tflite");
export const shipped = join(root, "ritm_edge/weights/lite0-400x400-int8.tflite");
export const sample = join(root, "ritm_edge/samples/astronaut.jpg");
export const folder = mkdtempSync(join(tmpdir(), "ritm-edge-web-"));
/** Nothing that the browser does on its own goes out; Chromium does not start as root otherwise. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
/** Chromium on slow or loaded machines needs long for the first run of a model. */
const PATIENCE = 120_000;

export function ritmEdge(...args) {
  return execFileSync(join(bin, "ritm-edge"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Answers of tests/e2e/reopen.py, which reads files with Pillow and pycocotools. */
export function reopen(...args) {
  return JSON.parse(execFileSync(join(bin, "python"), [join(import.meta.dirname, "reopen.py"), ...args], { encoding: "utf8" }));
}

export async function startDemo(artifact = model) {
  const server = spawn(join(bin, "ritm-edge"), ["demo", "--artifact", artifact, "--no-browser"]);
  let said = "";
  const address = await new Promise((done, fail) => {
    server.on("exit", () => fail(new Error(`ritm-edge demo ended: ${said}`)));
    server.stderr.on("data", (data) => {
      said += data;
      const found = /http:\/\/[\d.]+:\d+\//.exec(said);
      if (found) done(found[0]);
    });
  });
  return { address, stop: () => new Promise((done) => (server.once("exit", done), server.kill("SIGINT"))) };
}

/** Waits until something is so. */
export async function eventually(state) {
  const end = Date.now() + PATIENCE;
  while (!(await state())) if (Date.now() > end) throw new Error(`this did not become true: ${state}`);
}

/** Files of a folder as a static host serves them that knows nothing of threads. */
export async function startPlainServer(place) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css" };
  const server = createServer((request, response) => {
    const path = join(place, request.url.split("?")[0].replace(/\/$/, "/index.html"));
    if (!existsSync(path)) return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream" });
    response.end(readFileSync(path));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { address: `http://127.0.0.1:${server.address().port}/`, stop: () => new Promise((done) => server.close(done)) };
}

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS });
}

/** The page of a person: opened, with the model loaded unless told otherwise. */
export class Person {
  problems = [];
  /** To whatever the page asks. */
  answer = true;
  requests = [];

  static async at(browser, address, options = {}) {
    const { prepare, wait = true, ...context } = options;
    const person = new Person();
    person.context = await browser.newContext({ viewport: { width: 1200, height: 800 }, acceptDownloads: true, ...context });
    const page = (person.page = await person.context.newPage());
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => person.problems.push(error.message));
    page.on("dialog", (dialog) => (person.answer ? dialog.accept() : dialog.dismiss()));
    page.on("request", (request) => person.requests.push(request.url()));
    await prepare?.(person);
    await page.goto(address);
    if (wait) await person.loaded();
    return person;
  }

  /** Waits for a state of the page; a message about a problem ends the wait at once. */
  until(state, argument) {
    const failed = this.page.waitForSelector("#problem:not([hidden]) span", { timeout: 0 }).then(async (said) => {
      throw new Error(`the page says: ${await said.textContent()}`);
    });
    return Promise.race([this.page.waitForFunction(state, argument), failed]);
  }

  /** Waits until the status line says it. */
  says(words) {
    return this.until((source) => new RegExp(source).test(document.getElementById("status").textContent), words.source);
  }

  loaded() {
    return this.until(() => document.body.dataset.ready === "true");
  }

  async open(id, file) {
    await this.page.setInputFiles(`#${id}`, file);
  }

  async openSample() {
    await this.page.click("#sample");
    await this.opened();
  }

  async opened() {
    await this.until(() => document.getElementById("welcome").hidden);
    this.photo = { width: 512, height: 512 };
  }

  /** Where the photo lies on the screen while all of it is shown. */
  async frame() {
    const stage = this.page.locator("#stage");
    await stage.evaluate((element) => element.scrollIntoView({ block: "nearest" }));
    const box = await stage.boundingBox();
    const { width, height } = this.photo;
    const scale = Math.min(box.width / width, box.height / height);
    return { scale, x: box.x + (box.width - width * scale) / 2, y: box.y + (box.height - height * scale) / 2 };
  }

  /** The middle of a pixel of the photo on the screen. */
  async place(row, column) {
    const { scale, x, y } = await this.frame();
    return { x: x + (column + 0.5) * scale, y: y + (row + 0.5) * scale };
  }

  async click(row, column, button = "left") {
    const { x, y } = await this.place(row, column);
    const before = await this.count();
    await this.page.mouse.click(x, y, { button });
    await this.settled(before + 1);
  }

  /** Clicks of the object that is edited, as its row in the list says. */
  async count() {
    return Number(await this.page.textContent("#objects li.chosen .count"));
  }

  settled(count) {
    return this.until(
      (n) => Number(document.querySelector("#objects li.chosen .count").textContent) === n && document.body.dataset.busy === "false",
      count,
    );
  }

  async save(kind) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.page.click(`[data-kind=${kind}]`)]);
    const path = join(folder, `${Math.random().toString(36).slice(2)}-${download.suggestedFilename()}`);
    await download.saveAs(path);
    return path;
  }

  async saved(kind) {
    return readFileSync(await this.save(kind));
  }

  async clicks() {
    const { clicks } = JSON.parse(await this.saved("clicks"));
    return clicks.map(({ row, column, positive }) => [row, column, positive]);
  }

  async problem() {
    await this.page.waitForFunction(() => !document.getElementById("problem").hidden);
    return this.page.textContent("#problem span");
  }

  async close() {
    await this.context.close();
    return this.problems;
  }
}
