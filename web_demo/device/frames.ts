/** Messages of the device protocol as bytes; docs/device-protocol.md describes them. */

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Uint8Array<ArrayBuffer>;
}

export type Head = Record<string, unknown>;

export interface Message {
  readonly head: Head;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Bytes that are no message. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

const MAGIC = 0x4d544952; // "RITM", little-endian
const VERSION = 1;
const PROLOGUE = 16;
const MOST_HEAD = 1 << 20;
const MOST_AXES = 8;

export function decode(buffer: ArrayBuffer): Message {
  const view = new DataView(buffer);
  if (buffer.byteLength < PROLOGUE || view.getUint32(0, true) !== MAGIC) throw new ProtocolError("This is no message.");
  if (view.getUint32(4, true) !== VERSION)
    throw new ProtocolError(`The other side speaks version ${view.getUint32(4, true)} of the protocol, this page ${VERSION}.`);
  const [headBytes, bodyBytes] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (headBytes > MOST_HEAD || PROLOGUE + headBytes + bodyBytes !== buffer.byteLength)
    throw new ProtocolError("The lengths of a message are wrong.");
  let head;
  try {
    head = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, PROLOGUE, headBytes)));
  } catch {
    head = undefined;
  }
  if (typeof head !== "object" || head === null || Array.isArray(head) || !Array.isArray(head.tensors ?? []))
    throw new ProtocolError("The head of a message cannot be read.");
  const { tensors, end } = arrays(head.tensors ?? [], buffer, PROLOGUE + headBytes);
  if (end !== buffer.byteLength) throw new ProtocolError("A message is longer than its arrays.");
  return { head, tensors };
}

/** The arrays that a head lists, where they lie in the buffer if possible, and where they end. */
export function arrays(list: unknown, buffer: ArrayBuffer, at: number): { tensors: Map<string, Tensor>; end: number } {
  const tensors = new Map<string, Tensor>();
  for (const entry of Array.isArray(list) ? list : []) {
    const { name, type, shape } = entry ?? {};
    if (typeof name !== "string" || !["float32", "uint8"].includes(type) || !Array.isArray(shape) || shape.length > MOST_AXES)
      throw new ProtocolError("An array of a message cannot be read.");
    const count = shape.reduce((product, n) => product * (Number.isInteger(n) && n >= 0 ? n : Number.NaN), 1);
    const bytes = count * (type === "uint8" ? 1 : 4);
    if (!(at + bytes <= buffer.byteLength)) throw new ProtocolError(`The array ${name} is longer than its message.`);
    const values =
      type === "uint8" ? new Uint8Array(buffer, at, bytes)
      : at % 4 ? new Float32Array(buffer.slice(at, at + bytes))
      : new Float32Array(buffer, at, count);
    tensors.set(name, { shape, values });
    at += bytes;
  }
  return { tensors, end: at };
}

/** How a head lists arrays. */
export function list(tensors: Record<string, Tensor>): object[] {
  return Object.entries(tensors).map(([name, { shape, values }]) => ({
    name,
    type: values instanceof Uint8Array ? "uint8" : "float32",
    shape,
  }));
}

export function encode(head: Head, tensors: Record<string, Tensor> = {}): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify({ ...head, tensors: list(tensors) });
  const encoded = new TextEncoder().encode(text);
  const headBytes = encoded.length + (-encoded.length & 3);
  const arrays = Object.values(tensors).map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const bodyBytes = arrays.reduce((sum, array) => sum + array.length, 0);
  const message = new Uint8Array(PROLOGUE + headBytes + bodyBytes).fill(32, PROLOGUE, PROLOGUE + headBytes);
  const view = new DataView(message.buffer);
  [MAGIC, VERSION, headBytes, bodyBytes].forEach((value, index) => view.setUint32(4 * index, value, true));
  message.set(encoded, PROLOGUE);
  let at = PROLOGUE + headBytes;
  for (const array of arrays) {
    message.set(array, at);
    at += array.length;
  }
  return message;
}
