/** Masks as COCO annotations: polygons for masks without holes, run lengths for the others. */

import { outlines } from "./outlines.js";

export interface CocoObject {
  readonly name: string;
  /** 0 or 1 for each pixel, row by row. */
  readonly mask: Uint8Array;
}

/** The document; objects that select nothing are left out, objects of one name are one category. */
export function cocoDocument(
  photo: { readonly name: string; readonly width: number; readonly height: number },
  objects: readonly CocoObject[],
): Record<string, unknown> {
  const { width, height } = photo;
  const names = [...new Set(objects.map((object) => object.name))];
  const annotations = objects.flatMap((object) => {
    const { area, box } = extent(object.mask, width);
    if (!area) return [];
    const { outer, holes } = outlines(object.mask, width, height);
    const whole = holes === 0 && outer.every((polygon) => polygon.length >= 6);
    return [
      {
        image_id: 1,
        category_id: names.indexOf(object.name) + 1,
        segmentation: whole ? outer : { size: [height, width], counts: runLengths(object.mask, width, height) },
        area,
        bbox: box,
        iscrowd: 0,
      },
    ];
  });
  return {
    info: { description: "made with ritm-edge", version: "1.0" },
    images: [{ id: 1, file_name: photo.name, width, height }],
    categories: names.map((name, index) => ({ id: index + 1, name, supercategory: "" })),
    annotations: annotations.map((annotation, index) => ({ id: index + 1, ...annotation })),
  };
}

/** Lengths of runs of 0 and 1 in turns, column by column, 0 first. */
export function runLengths(mask: Uint8Array, width: number, height: number): number[] {
  const counts: number[] = [];
  let [value, length] = [0, 0];
  for (let column = 0; column < width; column++)
    for (let row = 0; row < height; row++) {
      const found = mask[row * width + column] ? 1 : 0;
      if (found === value) length++;
      else {
        counts.push(length);
        [value, length] = [found, 1];
      }
    }
  counts.push(length);
  return counts;
}

/** Number of pixels, and [left, top, width, height] around them. */
export function extent(mask: Uint8Array, width: number): { area: number; box: number[] } {
  let [area, left, right, top, bottom] = [0, width, -1, -1, -1];
  for (let i = 0; i < mask.length; i++) {
    if (!mask[i]) continue;
    area++;
    const column = i % width;
    if (column < left) left = column;
    if (column > right) right = column;
    bottom = Math.floor(i / width);
    if (top < 0) top = bottom;
  }
  return { area, box: area ? [left, top, right - left + 1, bottom - top + 1] : [0, 0, 0, 0] };
}
