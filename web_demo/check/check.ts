/** The self-check: golden traces replayed in this browser, as a table and as JSON (docs/web.md). */

import { EngineClient } from "../engine/client.js";
import type { Loaded } from "../engine/protocol.js";
import { type ReplayReport, passed } from "../session/index.js";

/** Those of `ritm-edge verify` for float32 files, see docs/verify.md. */
const LIMITS = { max_abs: 1e-4, mask_iou: 0.999 };
const base = new URL("../", location.href);
const element = (id: string): HTMLElement => document.getElementById(id)!;
const say = (text: string): void => void (element("status").textContent = text);
const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function document_({ info, threads, simd }: Loaded, report: ReplayReport) {
  const { runs, max_abs, min_mask_iou, milliseconds } = report.network;
  const session = passed(report);
  const network = runs > 0 && max_abs <= LIMITS.max_abs && min_mask_iou >= LIMITS.mask_iou;
  const times = [...milliseconds].sort((a, b) => a - b);
  return {
    kind: "ritm-edge browser check",
    format_version: 1,
    passed: session && network,
    artifact_sha256: info.sha256,
    model: info.name,
    precision: info.precision,
    engine: "LiteRT.js 2.5.3",
    accelerator: "cpu",
    half_precision: false,
    threads,
    relaxed_simd: simd,
    cross_origin_isolated: self.crossOriginIsolated,
    user_agent: navigator.userAgent,
    logical_processors: navigator.hardwareConcurrency,
    network: { passed: network, runs, max_abs, min_mask_iou, median_ms: times[times.length >> 1] ?? 0 },
    session: { ...report, network: undefined, passed: session },
  };
}

function show(found: ReturnType<typeof document_>): void {
  const { network, session } = found;
  const rows = {
    result: found.passed ? "passed" : "not passed",
    model: `${found.model} ${found.precision}`,
    engine: `${found.engine} on the processor, ${found.threads} threads, single precision`,
    "relaxed SIMD": found.relaxed_simd ? "yes" : "no",
    "network: runs compared": network.runs,
    "network: largest difference": network.max_abs.toExponential(1),
    "network: smallest mask IoU": network.min_mask_iou.toFixed(4),
    "network: median time": `${network.median_ms.toFixed(0)} ms`,
    "session: traces": `${session.traces} replayed, ${session.skipped} of another fit left out`,
    "session: steps that differ": `${session.differing_steps} of ${session.steps}`,
    "session: pixels that differ": `${session.differing_pixels} of ${session.pixels}`,
  };
  element("result").replaceChildren(
    ...Object.entries(rows).map(([name, value]) => {
      const row = document.createElement("tr");
      const [head, cell] = [document.createElement("th"), document.createElement("td")];
      head.scope = "row";
      [head.textContent, cell.textContent] = [name, String(value)];
      row.append(head, cell);
      return row;
    }),
  );
}

const button = element("run") as HTMLButtonElement;
const save = element("save") as HTMLButtonElement;
button.onclick = async () => {
  button.disabled = true;
  const client = new EngineClient((what, done, all) => say(all ? `${what}: ${done} of ${all}` : `${what} …`));
  try {
    const [model, wasm, traces] = ["model.tflite", "wasm/", "golden/traces.json"].map((name) => new URL(name, base).href);
    const loaded = await client.ask("load", { model, wasm });
    const found = document_(loaded, await client.ask("replay", { traces }));
    show(found);
    say(found.passed ? "Passed." : "Not passed; the table says what differs.");
    save.disabled = false;
    save.onclick = () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([`${JSON.stringify(found, null, 1)}\n`], { type: "application/json" }));
      link.download = "ritm-edge-check.json";
      link.click();
    };
  } catch (error) {
    say(words(error));
  } finally {
    client.end();
    button.disabled = false;
  }
};
