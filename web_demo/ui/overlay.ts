/** Colours for masks: fill, contour, cut-out. */

export interface Look {
  /** Of the fill, 0 … 1. */
  readonly opacity: number;
  readonly contour: boolean;
  /** Shows nothing but the objects. */
  readonly cutOut: boolean;
}

export type Colour = readonly [number, number, number];

/** RGBA over the photo; later masks lie on top. Masks are 0 or 1, row by row. */
export function paintMasks(
  masks: readonly Uint8Array[],
  colours: readonly Colour[],
  width: number,
  look: Look,
): Uint8ClampedArray<ArrayBuffer> {
  const count = masks[0]?.length ?? 0;
  const rgba = new Uint8ClampedArray(4 * count);
  const fill = Math.round(255 * look.opacity);
  for (let i = 0; i < count; i++) {
    let top = masks.length - 1;
    while (top >= 0 && !masks[top][i]) top--;
    if (top < 0) {
      if (look.cutOut) {
        const light = ((i % width >> 3) + (Math.floor(i / width) >> 3)) % 2 ? 205 : 245;
        rgba.set([light, light, light, 255], 4 * i);
      }
      continue;
    }
    const edge = look.contour && isEdge(masks[top], i, width);
    if (edge || !look.cutOut) rgba.set([...colours[top], edge ? 255 : fill], 4 * i);
  }
  return rgba;
}

/** Whether a neighbour within the picture does not belong to the object. */
function isEdge(mask: Uint8Array, i: number, width: number): boolean {
  const column = i % width;
  for (let distance = 1; distance <= 2; distance++)
    if (
      (column >= distance && !mask[i - distance]) ||
      (column < width - distance && !mask[i + distance]) ||
      (i >= distance * width && !mask[i - distance * width]) ||
      (i + distance * width < mask.length && !mask[i + distance * width])
    )
      return true;
  return false;
}
