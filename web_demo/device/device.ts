/** The device's end of the wire: a socket to the command that was started with --on browser. */

import { sha256 } from "../engine/artifact.js";
import { type Head, type Message, ProtocolError, type Tensor, decode, encode } from "./frames.js";
import type { Opened, Order, Outcome, Ran } from "./worker.js";

const SUFFIX = ".tflite";
const RETRY_MS = 1000;
/** After so many tries in a row the command has ended, and with it its address. */
const MOST_TRIES = 60;

/** What the command is told, with the name of its class of error. */
class Refusal extends Error {
  constructor(readonly kind: string, message: string) {
    super(message);
  }
}

const element = (id: string): HTMLElement => document.getElementById(id)!;
const say = (text: string): void => void (element("status").textContent = text);
/** Drawing costs time that would be counted as the wire's. */
const SAY_EVERY_MS = 1000;
let said = 0;

function sayRun(ms: number): void {
  if (performance.now() < said + SAY_EVERY_MS) return;
  said = performance.now();
  say(`Running: ${ms.toFixed(0)} ms.`);
}

const files = new Map<string, Uint8Array<ArrayBuffer>>();
const models = new Map<number, Opener>();
let opened = 0;

/** A worker with one file; one order at a time. */
class Opener {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { name: "engine" });

  order(order: Order, transfer: Transferable[] = []): Promise<{ opened?: Opened; ran?: Ran }> {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }: MessageEvent<Outcome>) =>
        "problem" in data ? reject(new Refusal(data.kind, data.problem)) : resolve(data);
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(new Refusal("ArtifactError", `the engine stopped (${event.message || "out of memory"}).`));
      };
      this.worker.postMessage(order, transfer);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}

type Answer = [Head, Record<string, Tensor>?];

const requests: Record<string, (request: Message) => Promise<Answer>> = {
  async hello() {
    return [{ device: navigator.userAgent, suffixes: [SUFFIX] }];
  },
  async put({ head, tensors }) {
    const content = tensors.get("file")?.values.slice();
    if (!(content instanceof Uint8Array) || typeof head.sha256 !== "string") throw new Refusal("UsageError", "there is no file.");
    // Only pages from this machine or by HTTPS may compute hashes.
    if (crypto.subtle && (await sha256(content)) !== head.sha256)
      throw new Refusal("ArtifactError", "the model file changed on its way: send it again.");
    files.set(head.sha256, content);
    return [{}];
  },
  async open({ head }) {
    const content = files.get(String(head.sha256));
    if (!content) return [{ missing: true }];
    const before = performance.now();
    const opener = new Opener();
    try {
      const threads = Number.isInteger(head.threads) ? (head.threads as number) : null;
      const wasm = new URL("../wasm/", location.href).href;
      const share = typeof head.share === "string" ? head.share : null;
      const found = await opener.order({ open: content, wasm, threads, share });
      const ms = performance.now() - before;
      models.set(++opened, opener);
      return [{ model: opened, ms, runtime: "tflite", ...found.opened! }];
    } catch (error) {
      opener.end();
      throw error;
    }
  },
  async run({ head, tensors }) {
    const buffers = new Set(Array.from(tensors.values(), ({ values }) => values.buffer as ArrayBuffer));
    const order = { run: tensors, image: head.image, shared: head.shared };
    const { ms, mask, shared } = (await openModel(head).order(order, [...buffers])).ran!;
    return mask ? [{ ms }, { mask }] : [shared ? { ms, shared } : { missing: true }];
  },
  async close({ head }) {
    openModel(head).end();
    models.delete(head.model as number);
    return [{}];
  },
  async memory() {
    return [{ bytes: null }];
  },
};

function openModel(head: Head): Opener {
  const model = models.get(head.model as number);
  if (!model) throw new Refusal("UsageError", `model ${JSON.stringify(head.model)} is not open: open it first.`);
  return model;
}

async function answer(buffer: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  const request = decode(buffer);
  const { id, do: name } = request.head;
  const known = typeof name === "string" && Object.hasOwn(requests, name);
  try {
    if (!known) throw new Refusal("UsageError", `there is no request ${JSON.stringify(name)?.slice(0, 40)}.`);
    const [head, tensors] = await requests[name](request);
    if (typeof head.ms === "number") sayRun(head.ms);
    return encode({ id, ...head }, tensors);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return encode({ id, error: error instanceof Refusal ? error.kind : "DeviceError", message });
  }
}

function connect(tries: number): void {
  const address = new URL("socket", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  address.search = `token=${encodeURIComponent(location.hash.slice(1))}`;
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  let connected = false;
  socket.onopen = () => {
    connected = true;
    say("Connected. Waiting for the command.");
  };
  socket.onmessage = async ({ data }: MessageEvent<ArrayBuffer | string>) => {
    try {
      if (typeof data === "string") throw new ProtocolError("This is no message.");
      socket.send(await answer(data));
    } catch (error) {
      socket.close(4002); // a page may not say 1002, "protocol error"
      say(error instanceof Error ? error.message : String(error));
    }
  };
  socket.onclose = () => {
    models.forEach((model) => model.end());
    models.clear();
    if (!connected && tries >= MOST_TRIES) return say("The command has ended. Start it again, and open the address that it says.");
    say("Not connected to a command; trying again …");
    setTimeout(() => connect(connected ? 0 : tries + 1), RETRY_MS);
  };
}

connect(0);
