/** An external mask that a session starts from. */

import type { Size } from "./session.js";

export class GivenMask {
  /** @param values one byte for each photo pixel, row by row: 0 … 255 for probability 0 … 1. */
  constructor(
    readonly values: Uint8Array,
    readonly size: Size,
  ) {
    if (values.length !== size[0] * size[1])
      throw new RangeError(`${values.length} bytes are no mask of ${size[0]} × ${size[1]} pixels`);
  }

  /** As `Session.maskAt`: interpolated between pixels. */
  at(rows: Float32Array, columns: Float32Array, threshold: number): Uint8Array {
    const [height, width] = this.size;
    const mask = new Uint8Array(rows.length * columns.length);
    const limit = Math.fround(threshold);
    rows.forEach((row, i) => {
      if (!(row >= 0 && row <= height - 1)) return;
      const top = Math.floor(row);
      const below = Math.min(top + 1, height - 1);
      columns.forEach((column, j) => {
        if (!(column >= 0 && column <= width - 1)) return;
        const left = Math.floor(column);
        const right = Math.min(left + 1, width - 1);
        const along = (line: number): number =>
          this.values[line * width + left] * (1 - (column - left)) +
          this.values[line * width + right] * (column - left);
        const value = along(top) * (1 - (row - top)) + along(below) * (row - top);
        mask[i * columns.length + j] = value / 255 > limit ? 1 : 0;
      });
    });
    return mask;
  }
}

/** First and last row, first and last column above the threshold; all −1 without any. */
export function boundingBox(mask: GivenMask, threshold: number): Float32Array {
  const [height, width] = mask.size;
  const limit = Math.fround(threshold);
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      if (Math.fround(mask.values[row * width + column] / 255) > limit) {
        if (row < top) top = row;
        bottom = row;
        if (column < left) left = column;
        if (column > right) right = column;
      }
  return bottom < 0 ? new Float32Array(4).fill(-1) : Float32Array.of(top, bottom, left, right);
}
