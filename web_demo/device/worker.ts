/** One opened file: LiteRT.js in a worker of its own, so that opening is a cold start and closing frees everything. */

import { type CompiledModel, Tensor, loadAndCompile, loadLiteRt, supportsFeature } from "@litertjs/core";
import { said } from "../engine/litert.js";
import { dependencies } from "../package.json";
import { type Tensor as Given, arrays, list } from "./frames.js";

export interface Opened {
  readonly engine: string;
  readonly threads: number;
  readonly fallback: string | null;
  /** Whether there is a file that the other side can find. */
  readonly shared: boolean;
}

export interface Ran {
  readonly ms: number;
  /** Neither of them where the image is to be sent, for it is not one of the last. */
  readonly mask?: Given;
  /** How the head lists a mask that lies in the shared file. */
  readonly shared?: object[];
}

export type Order =
  | { readonly open: Uint8Array<ArrayBuffer>; readonly wasm: string; readonly threads: number | null; readonly share: string | null }
  | { readonly run: ReadonlyMap<string, Given>; readonly image: unknown; readonly shared: unknown };
export type Outcome = { readonly opened: Opened } | { readonly ran: Ran } | { readonly problem: string; readonly kind: string };

const NETWORK = "serving_default";
/** What the engine takes if nobody says how many; more gain nothing at these sizes. */
const USUAL_THREADS = 4;

/** The protocol's: requests may name one of the last images instead of sending it again. */
const KEPT_IMAGES = 4;

let model: CompiledModel | undefined;
const images = new Map<unknown, Float32Array>();
let file: FileSystemSyncAccessHandle | undefined;
/** What was read from the file. */
let read = new ArrayBuffer(0);

const send = (outcome: Outcome, transfer: Transferable[] = []): void =>
  (self as DedicatedWorkerGlobalScope).postMessage(outcome, transfer);

self.onmessage = async ({ data }: MessageEvent<Order>): Promise<void> => {
  try {
    if ("open" in data) {
      const opened = await open(data.open, new URL(data.wasm), data.threads);
      return send({ opened: { ...opened, shared: data.share !== null && (await share(data.share)) } });
    }
    const ran = await run(data.shared ? received(data.shared) : data.run, data.image);
    if (data.shared && ran.mask) {
      file!.write(ran.mask.values, { at: 0 });
      return send({ ran: { ms: ran.ms, shared: list({ mask: ran.mask }) } });
    }
    send({ ran }, ran.mask ? [ran.mask.values.buffer as ArrayBuffer] : []);
  } catch (error) {
    const kind = error instanceof RangeError ? "ShapeError" : "ArtifactError";
    send({ problem: `${said(error).replace(/\.?$/, "")}: export the file again.`, kind });
  }
};

/** A file that the other side finds by its first bytes; false where the browser has none for this page. */
async function share(token: string): Promise<boolean> {
  try {
    const folder = await navigator.storage.getDirectory();
    file = await (await folder.getFileHandle(token, { create: true })).createSyncAccessHandle();
    return file.write(new TextEncoder().encode(token), { at: 0 }) === token.length;
  } catch {
    return false;
  }
}

function received(entries: unknown): ReadonlyMap<string, Given> {
  if (!file) throw new Error("there is no shared file");
  const bytes = file.getSize();
  if (read.byteLength < bytes) read = new ArrayBuffer(bytes);
  file.read(new Uint8Array(read), { at: 0 });
  return arrays(entries, read, 0).tensors;
}

async function open(bytes: Uint8Array<ArrayBuffer>, wasm: URL, wanted: number | null): Promise<Omit<Opened, "shared">> {
  const simd = await supportsFeature("relaxedSimd");
  const threaded = simd && self.crossOriginIsolated && (await supportsFeature("threads"));
  const name = `litert_wasm_${threaded ? "threaded_" : simd ? "" : "compat_"}internal.js`;
  const processors = navigator.hardwareConcurrency || 1;
  const threads = threaded ? Math.min(wanted ?? USUAL_THREADS, processors) : 1;
  // In a worker the engine would look for its files beside the worker's own script.
  const files = { locateFile: (file: string) => new URL(file, wasm).href, mainScriptUrlOrBlob: new URL(name, wasm).href };
  Object.assign(self, { Module: files });
  await loadLiteRt(wasm.href, { threads: threaded });
  model = await loadAndCompile(bytes, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
  if (!model.signatures[NETWORK]) throw new Error(`there is no graph ${NETWORK}`);
  const reasons = [
    simd ? "" : "no relaxed SIMD",
    threaded || !simd ? "" : self.crossOriginIsolated ? "no threads" : "no threads, since the address is not secure",
    threaded && threads < (wanted ?? 1) ? `${processors} processors` : "",
  ];
  const fallback = reasons.filter(Boolean).join(", ") || null;
  return { engine: `LiteRT.js ${dependencies["@litertjs/core"]}, WASM`, threads, fallback };
}

async function run(given: ReadonlyMap<string, Given>, image: unknown): Promise<Ran> {
  const runner = model!.signatures[NETWORK];
  if (!given.has("image") && !images.has(image)) return { ms: 0 };
  const arrays: [string, Float32Array, number[]][] = runner.getInputDetails().map(({ name, shape }) => {
    const [tensor, declared] = [given.get(name), Array.from(shape)];
    const known = tensor ? undefined : images.get(image);
    if (name === "image" && known) return [name, known, declared];
    // Zeros are left out.
    if (name === "prev_mask" && !tensor) return [name, new Float32Array(declared.reduce((a, b) => a * b, 1)), declared];
    const expected = declared.length === 4 ? [declared[0], declared[3], declared[1], declared[2]] : declared;
    if (tensor?.shape.join() !== expected.join())
      throw new RangeError(`${name} is ${tensor?.shape.join("x") ?? "missing"} instead of ${expected.join("x")}`);
    const { values } = tensor;
    if (name === "image") return [name, keep(image, values), declared];
    return [name, values instanceof Float32Array ? values : new Float32Array(values), declared];
  });
  const made: Tensor[] = [];
  try {
    const before = performance.now();
    const inputs = Object.fromEntries(arrays.map(([name, values, shape]) => [name, Tensor.fromTypedArray(values, shape)]));
    made.push(...Object.values(inputs));
    const outputs = await runner.run(inputs);
    made.push(...Object.values(outputs));
    const values = outputs.mask?.toTypedArray();
    const ms = performance.now() - before;
    if (!(values instanceof Float32Array)) throw new Error("the graph gives no mask");
    const [, height, width] = runner.getOutputDetails().find(({ name }) => name === "mask")!.shape;
    return { ms, mask: { shape: [1, 1, height, width], values } };
  } finally {
    made.forEach((tensor) => tensor.delete());
  }
}

/** An image as the file has it, channels last; in the memory of the oldest one that is kept. */
function keep(name: unknown, planes: Float32Array | Uint8Array): Float32Array {
  images.delete(name);
  const oldest = images.size < KEPT_IMAGES ? undefined : images.keys().next().value;
  const image = images.get(oldest) ?? new Float32Array(planes.length);
  images.delete(oldest);
  images.set(name, image);
  const pixels = planes.length / 3;
  for (let pixel = 0, to = 0; pixel < pixels; pixel++) {
    image[to++] = planes[pixel];
    image[to++] = planes[pixel + pixels];
    image[to++] = planes[pixel + 2 * pixels];
  }
  return image;
}
