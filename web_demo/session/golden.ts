/** Replays golden traces (docs/golden-traces.md) with an engine's own session graphs. */

import { GivenMask } from "./given-mask.js";
import { type Array1D, type Arrays, Session, type Size, type Step } from "./session.js";

interface Run {
  readonly network_clicks: readonly number[];
  readonly output: string;
}

interface TraceStep {
  readonly action: "click" | "move" | "remove" | "undo" | "redo";
  readonly row: number;
  readonly column: number;
  readonly positive: boolean;
  readonly index: number;
  readonly runs: readonly Run[];
  readonly clicks: readonly (readonly [number, number, boolean])[];
  readonly crop: readonly number[] | null;
  readonly placed: readonly number[] | null;
  readonly box: readonly number[] | null;
  readonly mask: string;
}

export interface Trace {
  readonly photo: string;
  readonly height: number;
  readonly width: number;
  readonly fit: string;
  readonly flip: boolean;
  readonly threshold: number;
  readonly start_mask: string | null;
  /** Whether the outputs are those of the artifact's own network. */
  readonly network: "made" | "artifact";
  readonly steps: readonly TraceStep[];
}

export interface TraceDocument {
  readonly artifact_sha256: string;
  readonly side: Size;
  readonly slots: number;
  readonly prev_mask: boolean;
  readonly traces: readonly Trace[];
}

export interface ReplayReport {
  traces: number;
  /** Traces of another fit than that of the artifact's graphs. */
  skipped: number;
  steps: number;
  /** Steps whose crop, place, box or clicks differ, in words; at most ten are named. */
  differing: string[];
  differing_steps: number;
  pixels: number;
  differing_pixels: number;
  /** Largest difference of a click's network coordinates. */
  max_click_error: number;
  /** The network itself, run on the inputs of the sessions whose outputs the artifact gave. */
  network: { runs: number; max_abs: number; min_mask_iou: number; milliseconds: number[] };
}

export type ReadFile = (name: string) => Promise<Uint8Array>;

/** Checks the outer form of `traces.json`. */
export function readTraces(text: string): TraceDocument {
  const document = JSON.parse(text);
  if (document?.kind !== "ritm-edge golden traces" || document.format_version !== 1)
    throw new Error("traces.json is no version 1 of ritm-edge golden traces");
  return document as TraceDocument;
}

/** Masks may differ by one pixel in 10,000; crops, places, boxes and clicks may not. */
export function passed(report: ReplayReport): boolean {
  return (
    report.steps > 0 &&
    report.differing_steps === 0 &&
    report.max_click_error <= 1e-3 &&
    report.differing_pixels <= report.pixels / 10_000
  );
}

/** What replays: runs the graphs of an artifact. */
export interface ReplayEngine {
  /** Of the artifact's session graphs. */
  readonly fit: string;
  /** Also runs the network, to compare it; sessions go on with its recorded outputs. */
  readonly step: Step;
  /** Rows and columns that `finish` is declared for, if fixed. */
  readonly screen?: Size;
  /** Pixels that `prepare` is declared for, if fixed. */
  readonly padded?: number;
  /** A clock in milliseconds, for the time of the network. */
  readonly now?: () => number;
}

export async function replay(
  document: TraceDocument,
  engine: ReplayEngine,
  read: ReadFile,
  progress: (done: number, all: number) => void = () => undefined,
): Promise<ReplayReport> {
  const report: ReplayReport = {
    traces: 0, skipped: 0, steps: 0, differing: [], differing_steps: 0,
    pixels: 0, differing_pixels: 0, max_click_error: 0,
    network: { runs: 0, max_abs: 0, min_mask_iou: 1, milliseconds: [] },
  };
  for (const [number, trace] of document.traces.entries()) {
    progress(number, document.traces.length);
    if (trace.fit !== engine.fit) {
      report.skipped++;
      continue;
    }
    report.traces++;
    await replayTrace(document, trace, number, engine, read, report);
  }
  return report;
}

async function replayTrace(
  document: TraceDocument,
  trace: Trace,
  number: number,
  { step, screen, padded, now = Date.now }: ReplayEngine,
  read: ReadFile,
  report: ReplayReport,
): Promise<void> {
  let runs: Run[] = [];
  const recorded: Step = async (name, arrays): Promise<Arrays> => {
    if (name !== "network") return step(name, arrays);
    const run = runs.shift();
    if (!run) throw new Error(`trace ${number}: the network is run more often than recorded`);
    run.network_clicks.forEach((value, i) => {
      const error = Math.abs(arrays.clicks[i] - Math.fround(value));
      report.max_click_error = Math.max(report.max_click_error, Number.isNaN(error) ? Infinity : error);
    });
    const mask = floats(await read(run.output));
    if (trace.network === "artifact") {
      const before = now();
      const found = await step(name, arrays);
      report.network.milliseconds.push(now() - before);
      const { max_abs, mask_iou } = difference(found.mask, mask, trace.threshold);
      report.network.runs++;
      report.network.max_abs = Math.max(report.network.max_abs, max_abs);
      report.network.min_mask_iou = Math.min(report.network.min_mask_iou, mask_iou);
    }
    return { mask };
  };
  const size: Size = [trace.height, trace.width];
  const photo = await read(trace.photo);
  const pixels = new Uint8Array(3 * Math.max(padded ?? 0, trace.height * trace.width));
  pixels.set(photo.subarray(0, 3 * trace.height * trace.width));
  const { slots, side } = document;
  const { flip, threshold } = trace;
  const session = new Session(recorded, pixels, size, { slots, side, flip, threshold, screen });
  if (trace.start_mask) await session.setMask(new GivenMask(await read(trace.start_mask), size));
  for (const [index, action] of trace.steps.entries()) {
    runs = [...action.runs];
    const { row, column, positive } = action;
    if (action.action === "click") await session.click(row, column, positive);
    else if (action.action === "move") await session.move(action.index, row, column);
    else if (action.action === "remove") await session.remove(action.index);
    else session[action.action]();
    const { clicks, placed, roi } = session.state;
    const box = clicks.length ? await session.box() : undefined;
    const wrong = Object.entries({
      runs: runs.length === 0,
      clicks: same(clicks.map((c) => [c.row, c.column, c.positive]), action.clicks),
      crop: same(listed(roi), action.crop),
      placed: same(clicks.length ? listed(placed) : action.placed, action.placed),
      box: !clicks.length || same(box ? [...box] : null, action.box),
    }).filter(([, right]) => !right);
    report.steps++;
    if (wrong.length) {
      report.differing_steps++;
      const what = wrong.map(([name]) => name).join(", ");
      if (report.differing.length < 10)
        report.differing.push(`trace ${number}, step ${index} (${action.action}): ${what}`);
    }
    const [rows, columns] = size.map((n) => Float32Array.from({ length: n }, (_, i) => i));
    const mask = await session.maskAt(rows, columns);
    const bits = await read(action.mask);
    report.pixels += mask.length;
    mask.forEach((value, i) => {
      if (value !== ((bits[i >> 3] >> (7 - (i & 7))) & 1)) report.differing_pixels++;
    });
  }
}

/** NaN anywhere and another length count as an infinite difference. */
export function difference(
  found: Array1D,
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

function listed(rectangle: Array1D): number[] | null {
  return rectangle[0] < 0 ? null : [...rectangle];
}

function same(found: unknown, expected: unknown): boolean {
  return JSON.stringify(found) === JSON.stringify(expected);
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
