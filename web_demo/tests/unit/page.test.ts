import assert from "node:assert/strict";
import test from "node:test";
import { difference } from "../../session/index.js";
import { readMask } from "../../ui/mask-file.js";
import { paintMasks } from "../../ui/overlay.js";
import { View } from "../../ui/view.js";

test("zooming keeps what is below the pointer, and the way to the photo and back is exact", () => {
  const view = new View({ width: 640, height: 480 }, { width: 320, height: 480 });
  assert.equal(view.scale, 0.5);
  assert.deepEqual(view.visible, { left: 0, top: 0, right: 640, bottom: 480 });
  const point = { x: 200, y: 240 };
  const before = view.toPhoto(point);
  for (const factor of [3, 1.7, 0.6]) {
    view.zoom(factor, point);
    const after = view.toPhoto(point);
    assert.ok(Math.hypot(after.x - before.x, after.y - before.y) < 1e-9);
  }
  const there = view.toStage({ x: 12, y: 34 });
  assert.ok(Math.abs(view.toPhoto(there).x - 12) < 1e-9);
});

test("no zoom and no pan leaves a gap beside the photo or loses it", () => {
  const view = new View({ width: 100, height: 100 }, { width: 200, height: 200 });
  view.zoom(1e9, { x: 0, y: 0 });
  assert.equal(view.scale, 40);
  view.pan(1e6, -1e6);
  const { left, bottom } = view.visible;
  assert.deepEqual([left, bottom], [0, 100]);
  view.zoom(1e-9, { x: 50, y: 50 });
  assert.equal(view.scale, 2);
  view.resize(100, 400);
  assert.equal(view.scale, 1);
});

test("later objects lie on top, contours are opaque, a cut-out hides the rest", () => {
  const width = 7;
  const full = new Uint8Array(49).fill(1);
  const small = new Uint8Array(49);
  small[24] = 1;
  const look = { opacity: 0.5, contour: false, cutOut: false };
  const plain = paintMasks([full, small], [[1, 2, 3], [4, 5, 6]], width, look);
  assert.deepEqual([...plain.slice(96, 100)], [4, 5, 6, 128]);
  assert.deepEqual([...plain.slice(0, 4)], [1, 2, 3, 128]);
  const lined = paintMasks([small], [[4, 5, 6]], width, { ...look, contour: true });
  assert.deepEqual([...lined.slice(96, 100)], [4, 5, 6, 255]);
  const cut = paintMasks([small], [[4, 5, 6]], width, { ...look, cutOut: true });
  assert.equal(cut[99], 0);
  assert.equal(cut[3], 255);
});

test("mask files are read by transparency, brightness or colour", () => {
  const pixels = (...list: number[][]): Uint8ClampedArray => Uint8ClampedArray.from(list.flat());
  const read = (...list: number[][]): number[] => [...readMask(pixels(...list)).values];
  assert.deepEqual(read([0, 0, 0, 255], [255, 255, 255, 255], [100, 100, 100, 255]), [0, 255, 0]);
  assert.deepEqual(read([0, 0, 0, 255], [3, 3, 3, 255], [1, 1, 1, 255]), [0, 255, 255]);
  assert.deepEqual(read([0, 0, 0, 255], [128, 0, 0, 255], [0, 0, 128, 255]), [0, 255, 255]);
  assert.deepEqual(read([9, 9, 9, 0], [0, 0, 0, 255], [0, 0, 0, 200]), [0, 255, 255]);
});

test("a parity difference is infinite for NaN and for another length", () => {
  const of = (...values: number[]): Float32Array => Float32Array.from(values);
  assert.deepEqual(difference(of(0.25, 0.75), of(0.25, 0.5), 0.49), { max_abs: 0.25, mask_iou: 1 });
  assert.equal(difference(of(Number.NaN, 0), of(0, 0), 0.49).max_abs, Infinity);
  assert.equal(difference(of(0), of(0, 0), 0.49).max_abs, Infinity);
  assert.equal(difference(of(1, 0), of(0, 1), 0.49).mask_iou, 0);
});
