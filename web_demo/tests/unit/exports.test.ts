import assert from "node:assert/strict";
import test from "node:test";
import { inflateSync } from "node:zlib";
import { cocoDocument, extent, runLengths } from "../../ui/exports/coco.js";
import { outlines } from "../../ui/exports/outlines.js";
import { crc32, greyPng } from "../../ui/exports/png.js";

function mask(...lines: string[]): { values: Uint8Array; width: number; height: number } {
  const values = Uint8Array.from(lines.join(""), (c) => (c === "#" ? 1 : 0));
  return { values, width: lines[0].length, height: lines.length };
}

/** Fills polygons of pixel edges: a pixel is inside if a ray from its centre crosses an odd number. */
function fill(polygons: readonly number[][], width: number, height: number): Uint8Array {
  const filled = new Uint8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      for (const points of polygons)
        for (let i = 0; i < points.length; i += 2) {
          const [x, y] = [points[i], points[i + 1]];
          const [nextX, nextY] = [points[(i + 2) % points.length], points[(i + 3) % points.length]];
          const crosses = x === nextX && x > column && Math.min(y, nextY) <= row && row < Math.max(y, nextY);
          if (crosses) filled[row * width + column] ^= 1;
        }
  return filled;
}

test("outlines of masks without holes give back the mask, and holes are counted", () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const shapes = [
    mask("#"), mask("##", "##"), mask("#.", ".#"), mask(".#", "#."), mask("#.#", "###", "#.#"),
    ...Array.from({ length: 200 }, () => {
      const [width, height] = [1 + Math.floor(random() * 7), 1 + Math.floor(random() * 7)];
      return { values: Uint8Array.from({ length: width * height }, () => (random() < 0.8 ? 1 : 0)), width, height };
    }),
  ];
  let withHoles = 0;
  for (const { values, width, height } of shapes) {
    const { outer, holes } = outlines(values, width, height);
    withHoles += holes ? 1 : 0;
    if (!holes) assert.deepEqual(fill(outer, width, height), values);
  }
  assert.ok(withHoles > 10);
  const ring = mask("###", "#.#", "###");
  assert.equal(outlines(ring.values, 3, 3).holes, 1);
});

test("run lengths go down the columns and begin with the background", () => {
  const { values, width, height } = mask("#.", "##");
  assert.deepEqual(runLengths(values, width, height), [0, 2, 1, 1]);
  assert.deepEqual(runLengths(new Uint8Array(6), 3, 2), [6]);
  assert.deepEqual(extent(values, width), { area: 3, box: [0, 0, 2, 2] });
});

test("COCO has polygons without holes, run lengths with, and nothing for an empty object", () => {
  const [plain, ring] = [mask("##.", "##.", "..."), mask("###", "#.#", "###")];
  const document = cocoDocument({ name: "a.jpg", width: 3, height: 3 }, [
    { name: "cat", mask: plain.values },
    { name: "empty", mask: new Uint8Array(9) },
    { name: "cat", mask: ring.values },
  ]) as { annotations: Record<string, any>[]; categories: unknown[] };
  assert.equal(document.annotations.length, 2);
  assert.deepEqual(document.annotations.map((a) => [a.id, a.category_id, a.area]), [[1, 1, 4], [2, 1, 8]]);
  assert.ok(Array.isArray(document.annotations[0].segmentation));
  assert.deepEqual(document.annotations[1].segmentation, { size: [3, 3], counts: [0, 4, 1, 4] });
});

test("a grey PNG holds exactly the values", async () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  const values = Uint8Array.of(0, 1, 2, 253, 254, 255);
  const bytes = Buffer.from(await (await greyPng(values, 3, 2)).arrayBuffer());
  const start = bytes.indexOf("IDAT") + 4;
  const lines = inflateSync(bytes.subarray(start, start + bytes.readUInt32BE(start - 8)));
  assert.deepEqual([...lines], [0, 0, 1, 2, 0, 253, 254, 255]);
});
