/** What a .tflite file says about itself, and whether it is whole; nothing is run for that. */

import type { GraphFacts } from "../session/click-log.js";
import type { Size } from "../session/session.js";

/** A file that cannot be used, in words for people. */
export class ArtifactError extends Error {
  override name = "ArtifactError";
}

export interface ArtifactInfo {
  readonly name: string;
  readonly precision: string;
  readonly side: Size;
  readonly slots: number;
  readonly previousMask: boolean;
  readonly facts: GraphFacts;
  /** Pixels that `prepare` is declared for. */
  readonly largestPhoto: number;
  /** Rows and columns that `finish` is declared for. */
  readonly screen: Size;
  /** SHA-256 of the whole file. */
  readonly sha256: string;
  readonly megabytes: number;
}

const METADATA_KEY = "ritm_edge";
const CONTRACT = 1;
/** Bounds against a description that would make the page allocate without end. */
const MOST_PIXELS = 1 << 25;
const MOST_SIDE = 1 << 13;

export async function readArtifact(bytes: Uint8Array<ArrayBuffer>): Promise<ArtifactInfo> {
  if (bytes.length < 8 || new TextDecoder("latin1").decode(bytes.subarray(4, 8)) !== "TFL3")
    throw new ArtifactError(
      `This is not a TFLite file (${bytes.length} bytes without its mark). Choose a .tflite made by ` +
        "ritm-edge export --target tflite --session.",
    );
  let text: string | undefined;
  try {
    text = metadataText(bytes, METADATA_KEY);
  } catch {
    throw new ArtifactError("The model file is damaged or cut off. Copy or export it again.");
  }
  if (text === undefined)
    throw new ArtifactError("The model was not made by ritm-edge. Export it with ritm-edge export.");
  await requireUnchanged(bytes);
  let values;
  try {
    values = JSON.parse(text);
  } catch {
    throw new ArtifactError("The model's description cannot be read. Export it again.");
  }
  if (!(values?.contract >= 1 && values.contract <= CONTRACT))
    throw new ArtifactError(
      `The model follows version ${values?.contract ?? "none"} of the graph's contract and this page ` +
        `knows version ${CONTRACT}. Use a page and a model of the same ritm-edge version.`,
    );
  const { io, session, model } = values;
  if (!session)
    throw new ArtifactError("The model has no session graphs. Export it with --session.");
  const whole = (value: unknown, most: number): number => {
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most)
      throw new ArtifactError(
        `The model's description has ${JSON.stringify(value)} where a size from 1 to ${most} is ` +
          "expected. Export it again with --session and a fixed --size.",
      );
    return value as number;
  };
  if (typeof session.fit !== "string" || !(session.threshold > 0 && session.threshold < 1))
    throw new ArtifactError("The model's description of its session graphs cannot be read. Export it again.");
  return {
    name: String(model?.name ?? "model"),
    precision: String(values.precision ?? ""),
    side: [whole(io?.height, MOST_SIDE), whole(io?.width, MOST_SIDE)],
    slots: whole(io?.max_clicks, 1024),
    previousMask: io?.prev_mask === true,
    facts: session,
    largestPhoto: whole(session.largest_photo, MOST_PIXELS),
    screen: [whole(session.screen_rows, MOST_SIDE), whole(session.screen_columns, MOST_SIDE)],
    sha256: await sha256(bytes),
    megabytes: bytes.length / 1e6,
  };
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The file's bytes without these 64 digits have the SHA-256 that the digits say. */
async function requireUnchanged(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const text = new TextDecoder("latin1").decode(bytes);
  const key = text.lastIndexOf('"content_sha256"');
  const found = key < 0 ? null : /^"content_sha256"\s*:\s*"([0-9a-f]{64})"/.exec(text.slice(key, key + 120));
  if (!found) throw new ArtifactError("The model file has no checksum. Export it again.");
  const start = key + found[0].length - 65;
  const rest = new Uint8Array(bytes.length - 64);
  rest.set(bytes.subarray(0, start));
  rest.set(bytes.subarray(start + 64), start);
  if ((await sha256(rest)) !== found[1])
    throw new ArtifactError(
      "The model file changed after it was exported, so its masks may be wrong. Copy or export it again.",
    );
}

/** A metadata entry of a TFLite flatbuffer; DataView throws where an offset leads outside. */
function metadataText(bytes: Uint8Array, key: string): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const follow = (at: number): number => at + view.getUint32(at, true);
  const field = (table: number, index: number): number => {
    const vtable = table - view.getInt32(table, true);
    const entry = 4 + 2 * index;
    const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
    return offset && table + offset;
  };
  const content = (at: number): Uint8Array => {
    const vector = follow(at);
    const length = view.getUint32(vector, true);
    if (vector + 4 + length > bytes.length) throw new RangeError("a vector leads outside");
    return bytes.subarray(vector + 4, vector + 4 + length);
  };
  const model = follow(0);
  const [buffers, entries] = [field(model, 4), field(model, 6)];
  if (!buffers || !entries) return undefined;
  const list = follow(entries);
  for (let i = 0; i < Math.min(view.getUint32(list, true), 1000); i++) {
    const entry = follow(list + 4 + 4 * i);
    const name = field(entry, 0);
    if (!name || new TextDecoder().decode(content(name)) !== key) continue;
    const index = field(entry, 1) ? view.getUint32(field(entry, 1), true) : 0;
    const data = field(follow(follow(buffers) + 4 + 4 * index), 0);
    return data ? new TextDecoder().decode(content(data)) : undefined;
  }
  return undefined;
}
