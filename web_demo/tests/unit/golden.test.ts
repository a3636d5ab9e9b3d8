import assert from "node:assert/strict";
import test from "node:test";
import { Session, type Size, type TraceDocument, passed, readTraces, replay } from "../../session/index.js";
import { SETTINGS, madeStep } from "./made-graphs.js";

const SIZE: Size = [3, 4];
const PHOTO = Uint8Array.from({ length: 36 }, (_, i) => 7 * i);

/** Traces of a session on made-up graphs, and the files that they name. */
async function recorded(): Promise<{ document: TraceDocument; files: Map<string, Uint8Array> }> {
  const { step } = madeStep();
  const files = new Map([["photo.rgb", PHOTO]]);
  let runs: { network_clicks: number[]; output: string }[] = [];
  const session = new Session(
    async (name, arrays) => {
      const found = await step(name, arrays);
      if (name === "network") {
        const output = `${files.size}.f32`;
        files.set(output, new Uint8Array(found.mask.slice().buffer));
        runs.push({ network_clicks: [...arrays.clicks], output });
      }
      return found;
    },
    PHOTO, SIZE, SETTINGS,
  );
  const steps = [];
  for (const [row, column, positive] of [[1, 2, true], [0, 0, false]] as const) {
    runs = [];
    await session.click(row, column, positive);
    const [rows, columns] = SIZE.map((n) => Float32Array.from({ length: n }, (_, i) => i));
    const mask = await session.maskAt(rows, columns);
    const bits = new Uint8Array(2);
    mask.forEach((value, i) => (bits[i >> 3] |= value << (7 - (i & 7))));
    files.set(`${files.size}.bits`, bits);
    steps.push({
      action: "click", row, column, positive, index: 0, runs, mask: `${files.size - 1}.bits`, box: null,
      clicks: session.clicks.map((c) => [c.row, c.column, c.positive] as const),
      crop: [...session.state.roi], placed: [...session.state.placed],
    });
  }
  const trace = {
    photo: "photo.rgb", height: 3, width: 4, fit: "context", flip: false, threshold: 0.49,
    start_mask: null, network: "artifact", steps,
  };
  const document = { artifact_sha256: "", side: SETTINGS.side, slots: 3, prev_mask: true, traces: [trace, { ...trace, fit: "stretch" }] };
  return { document: JSON.parse(JSON.stringify(document)), files };
}

async function replayed(change: (document: any, files: Map<string, Uint8Array>) => void = () => undefined) {
  const { document, files } = await recorded();
  change(document, files);
  const { step } = madeStep();
  return replay(document, { fit: "context", step }, async (name) => files.get(name)!);
}

test("a session that is repeated exactly passes; traces of another fit are left out", async () => {
  const report = await replayed();
  assert.deepEqual(report.differing, []);
  assert.deepEqual([report.traces, report.skipped, report.steps, report.pixels], [1, 1, 2, 24]);
  assert.deepEqual([report.network.runs, report.network.max_abs, report.network.min_mask_iou], [2, 0, 1]);
  assert.ok(passed(report));
});

for (const [what, change] of Object.entries({
  crop: (d: any) => (d.traces[0].steps[1].crop[0] += 1),
  placed: (d: any) => (d.traces[0].steps[0].placed[3] += 1),
  box: (d: any) => (d.traces[0].steps[0].box = [0, 1, 0, 1]),
  clicks: (d: any) => (d.traces[0].steps[0].clicks[0][0] = 2),
  runs: (d: any) => d.traces[0].steps[0].runs.push({ network_clicks: [], output: "1.f32" }),
  network: (d: any) => (d.traces[0].steps[0].runs[0].network_clicks[0] += 0.5),
  mask: (d: any, files: Map<string, Uint8Array>) => (files.get(d.traces[0].steps[0].mask)![0] ^= 0x10),
}))
  test(`another ${what} is noticed`, async () => {
    const report = await replayed(change);
    assert.ok(!passed(report));
    if (!["network", "mask"].includes(what)) assert.match(report.differing.join(), new RegExp(what));
  });

test("nothing replayed is not passed, and other documents are refused", async () => {
  assert.ok(!passed(await replayed((d) => (d.traces = []))));
  assert.throws(() => readTraces('{"kind": "ritm-edge clicks"}'), /no version 1/);
});
