import assert from "node:assert/strict";
import test from "node:test";
import { GivenMask, boundingBox, clickLog, fitPhoto, positions, toFitted } from "../../session/index.js";

test("a photo of any shape is reduced to at most so many pixels, and no further than needed", () => {
  for (const [height, width] of [[6000, 8000], [8000, 6000], [1, 10 ** 8], [10 ** 8, 1], [3, 10 ** 7], [4096, 3072]]) {
    const most = 4096 * 3072;
    const [rows, columns] = fitPhoto([height, width], most);
    assert.ok(rows >= 1 && columns >= 1 && rows * columns <= most, `${height} × ${width}: ${rows} × ${columns}`);
    assert.ok(rows * columns > 0.5 * Math.min(most, height * width), `${rows} × ${columns}`);
  }
  assert.deepEqual(fitPhoto([4096, 3072], 4096 * 3072), [4096, 3072]);
});

test("first and last pixel of a photo stay first and last when it is reduced", () => {
  for (const [length, fitted] of [[6000, 3072], [8000, 4096], [100, 100], [2, 1], [1, 1]]) {
    assert.equal(toFitted(0, length, fitted), 0);
    assert.equal(toFitted(length - 1, length, fitted), fitted - 1);
    assert.ok(toFitted(length - 0.01, length, fitted) < fitted);
  }
  assert.deepEqual([...positions(2, 0.5, 3, 10, 10)], [2, 2.5, 3]);
});

test("a start mask is interpolated between pixels and nothing beyond them", () => {
  const mask = new GivenMask(Uint8Array.of(0, 255, 0, 255), [2, 2]);
  const at = Float32Array.of(-1, 0, 0.4, 0.6, 1, 1.5);
  assert.deepEqual([...mask.at(Float32Array.of(0), at, 0.49)], [0, 0, 0, 1, 1, 0]);
  assert.deepEqual([...boundingBox(mask, 0.49)], [0, 1, 1, 1]);
  assert.deepEqual([...boundingBox(new GivenMask(new Uint8Array(4), [2, 2]), 0.49)], [-1, -1, -1, -1]);
  assert.throws(() => new GivenMask(new Uint8Array(3), [2, 2]), RangeError);
});

test("a click log has the entries that Python reads", () => {
  const facts = { fit: "context", threshold: 0.49, expansion: 1.4, min_crop: 200, recompute_iou: 0.5 };
  const click = { row: 1, column: 2.5, positive: true };
  const log = clickLog("ab", [3, 4], [click], facts, { flip: false, maskSha256: null });
  assert.equal(log.kind, "ritm-edge clicks");
  assert.deepEqual(log.clicks, [click]);
});
