/** Compares the engine with the outputs that another computed on the same inputs. */

import type { Arrays, ReadFile, Size, Step } from "../session/index.js";

/** `parity.json`: see docs/web.md. */
export interface ParityDocument {
  readonly kind: "ritm-edge parity cases";
  readonly format_version: 1;
  readonly artifact_sha256: string;
  readonly reference: string;
  readonly side: Size;
  readonly threshold: number;
  readonly cases: readonly { readonly name: string; readonly inputs: Record<string, string>; readonly mask: string }[];
}

export interface ParityReport {
  reference: string;
  cases: { name: string; max_abs: number; mask_iou: number; ms: number }[];
  max_abs: number;
  min_mask_iou: number;
  /** Median over the cases, the first one left out. */
  ms: number;
}

/** Refuses cases of another file: they would compare two different models. */
export function readCases(text: string, sha256: string): ParityDocument {
  const document = JSON.parse(text);
  if (document?.kind !== "ritm-edge parity cases" || document.format_version !== 1)
    throw new Error("parity.json is no version 1 of ritm-edge parity cases");
  if (document.artifact_sha256 !== sha256) throw new Error("the parity cases are of another model file");
  return document as ParityDocument;
}

export async function compare(
  document: ParityDocument,
  step: Step,
  read: ReadFile,
  now: () => number,
  progress: (done: number, all: number) => void = () => undefined,
): Promise<ParityReport> {
  const cases: ParityReport["cases"] = [];
  for (const [number, each] of document.cases.entries()) {
    progress(number, document.cases.length);
    const inputs: Arrays = {};
    for (const [name, file] of Object.entries(each.inputs)) inputs[name] = floats(await read(file));
    const expected = floats(await read(each.mask));
    const before = now();
    const { mask } = await step("network", inputs);
    const ms = now() - before;
    cases.push({ name: each.name, ...difference(mask as Float32Array, expected, document.threshold), ms });
  }
  const times = cases.slice(1).map((each) => each.ms).sort((a, b) => a - b);
  return {
    reference: document.reference,
    cases,
    max_abs: Math.max(...cases.map((each) => each.max_abs)),
    min_mask_iou: Math.min(...cases.map((each) => each.mask_iou)),
    ms: times[times.length >> 1] ?? cases[0]?.ms ?? 0,
  };
}

/** NaN anywhere and another length count as an infinite difference. */
export function difference(
  found: Float32Array,
  expected: Float32Array,
  threshold: number,
): { max_abs: number; mask_iou: number } {
  if (found.length !== expected.length) return { max_abs: Infinity, mask_iou: 0 };
  const limit = Math.fround(threshold);
  let [worst, both, either] = [0, 0, 0];
  for (let i = 0; i < found.length; i++) {
    const error = Math.abs(found[i] - expected[i]);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
    const [a, b] = [found[i] > limit, expected[i] > limit];
    if (a && b) both++;
    if (a || b) either++;
  }
  return { max_abs: worst, mask_iou: either ? both / either : 1 };
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
