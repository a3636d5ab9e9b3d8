/** The worker: one engine, the photo, and a session for each object. Requests are answered in order. */

import { GivenMask, Session, SessionError, type Size, readTraces, replay } from "../session/index.js";
import { ArtifactError, sha256 } from "./artifact.js";
import { Engine, said } from "./litert.js";
import type { Answer, Edit, Request, RequestName, Requests, Standing } from "./protocol.js";

const post = (answer: Answer, transfer: Transferable[] = []): void =>
  (self as DedicatedWorkerGlobalScope).postMessage(answer, transfer);

const waiting: Request[] = [];
let running = false;
let engine: Engine | undefined;
let photo: { pixels: Uint8Array; size: Size; flip: boolean } | undefined;
const sessions = new Map<number, Session>();

const handlers: { [N in RequestName]: (body: Requests[N][0]) => Promise<Requests[N][1]> } = {
  async load({ model, wasm }) {
    const bytes = typeof model === "string" ? await download(model) : new Uint8Array(model);
    post({ progress: "start the engine", done: 0, all: 0 });
    engine = await Engine.open(bytes, new URL(wasm));
    const { info, threads, simd, script } = engine;
    return { info, threads, simd, script };
  },
  async photo({ rgba, size, flip }) {
    const { info } = opened();
    sessions.clear();
    opened().forgetPhoto();
    if (size[0] * size[1] > info.largestPhoto) throw new Error("the photo was not reduced");
    photo = { pixels: packed(new Uint8Array(rgba), info.largestPhoto), size, flip };
    return null;
  },
  async edit({ object, edit }) {
    const session = sessionOf(object);
    const before = performance.now();
    await apply(session, edit);
    return standing(session, performance.now() - before);
  },
  async drop({ object }) {
    sessions.delete(object);
    return null;
  },
  async masks({ objects, rows, columns, replaceable }) {
    if (replaceable && waiting.some((other) => other.name === "masks")) return null;
    const masks = [];
    for (const object of objects) masks.push(await sessionOf(object).maskAt(rows, columns));
    return masks;
  },
  async startMaskDigest({ object }) {
    const given = sessionOf(object).startMask;
    if (!given) return null;
    const shares = Float32Array.from(given.values, (value) => value / 255);
    return sha256(new Uint8Array(shares.buffer));
  },
  async replay({ traces }) {
    const { info } = opened();
    const document = readTraces(new TextDecoder().decode(await fetched(traces)));
    if (document.artifact_sha256 !== info.sha256) throw new Error("the golden traces are of another model file");
    opened().forgetPhoto();
    const engine = { fit: info.facts.fit, step, screen: info.screen, padded: info.largestPhoto, now: () => performance.now() };
    return replay(document, engine, beside(traces), (done, all) => post({ progress: "golden traces", done, all }));
  },
};

self.onmessage = ({ data }: MessageEvent<Request>): void => {
  // Whatever waits for the old photo is of no use any more.
  if (data.name === "photo") for (const old of waiting.splice(0)) post({ id: old.id, problem: "stale", ours: false });
  waiting.push(data);
  void work();
};

async function work(): Promise<void> {
  if (running) return;
  running = true;
  for (let request = waiting.shift(); request; request = waiting.shift()) {
    const { id, name, body } = request;
    try {
      const value = await (handlers[name] as (body: unknown) => Promise<unknown>)(body);
      const transfer = Array.isArray(value) ? value.map((mask: Uint8Array) => mask.buffer as ArrayBuffer) : [];
      post({ id, value }, transfer);
    } catch (error) {
      const expected = error instanceof SessionError || error instanceof ArtifactError;
      post({ id, problem: expected ? error.message : said(error), ours: !expected });
    }
    // Lets messages in that arrived meanwhile, so that they can replace what waits.
    await new Promise((resolve) => setTimeout(resolve));
  }
  running = false;
}

async function apply(session: Session, edit: Edit): Promise<void> {
  if (edit.action === "click") await session.click(edit.row, edit.column, edit.positive);
  else if (edit.action === "move") await session.move(edit.index, edit.row, edit.column);
  else if (edit.action === "remove") await session.remove(edit.index);
  else if (edit.action === "mask") await session.setMask(new GivenMask(edit.values, session.size));
  else session[edit.action]();
}

function standing(session: Session, milliseconds: number): Standing {
  const { clicks, canUndo, canRedo, startMask } = session;
  return { clicks, canUndo, canRedo, hasStartMask: startMask !== undefined, milliseconds };
}

function sessionOf(object: number): Session {
  const { info } = opened();
  if (!photo) throw new SessionError("There is no photo yet. Open one first.");
  let session = sessions.get(object);
  if (!session) {
    const { side, slots, previousMask, screen, facts } = info;
    const settings = { side, slots, previousMask, screen, flip: photo.flip, threshold: facts.threshold };
    session = new Session(step, photo.pixels, photo.size, settings);
    sessions.set(object, session);
  }
  return session;
}

const step: Engine["step"] = (name, arrays) => opened().step(name, arrays);

function opened(): Engine {
  if (!engine) throw new ArtifactError("No model is loaded. Load one first.");
  return engine;
}

/** RGB on white, in the length that the graph is declared for. */
function packed(rgba: Uint8Array, length: number): Uint8Array {
  const pixels = new Uint8Array(3 * length);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3];
    for (let c = 0; c < 3; c++)
      pixels[to + c] = alpha === 255 ? rgba[from + c] : Math.round((rgba[from + c] * alpha) / 255 + 255 - alpha);
  }
  return pixels;
}

function beside(address: string): (name: string) => Promise<Uint8Array> {
  const kept = new Map<string, Promise<Uint8Array>>();
  return (name) => {
    if (!/^[\w.-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} is no file name`);
    if (!kept.has(name)) kept.set(name, fetched(new URL(name, address).href));
    return kept.get(name)!;
  };
}

async function fetched(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address);
  if (!response.ok) throw new Error((await response.text()).slice(0, 160) || `status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The model's bytes, with progress while they come. */
async function download(address: string): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch {
    throw new ArtifactError("The model could not be downloaded. Check the connection and reload the page.");
  }
  if (!response.ok || !response.body)
    throw new ArtifactError(
      `There is no model at ${address} (status ${response.status}). Choose a model file of your own below.`,
    );
  const all = Number(response.headers.get("Content-Length")) || 0;
  const parts: Uint8Array[] = [];
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    done += part.value.length;
    post({ progress: "load the model", done, all });
  }
  const bytes = new Uint8Array(done);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
