/** Reads a mask from a picture, and says as what it was read. */

import { Problem } from "../engine/client.js";
import type { Photo } from "./photo.js";
import { decode } from "./photo.js";

export interface MaskFile {
  /** 0 or 255 for each pixel of the fitted photo. */
  readonly values: Uint8Array;
  readonly readAs: string;
}

export async function openMask(file: File, photo: Photo): Promise<MaskFile> {
  const bitmap = await decode(file, file.name);
  const [height, width] = photo.size;
  if (bitmap.height !== height || bitmap.width !== width) {
    const found = `${bitmap.width} × ${bitmap.height}`;
    bitmap.close();
    throw new Problem(
      `${file.name} has ${found} pixels and the photo ${width} × ${height}. Open a mask of the photo's size.`,
    );
  }
  const [rows, columns] = photo.fitted;
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, columns, rows);
  bitmap.close();
  const found = readMask(context.getImageData(0, 0, columns, rows).data);
  if (!found.values.some((value) => value))
    throw new Problem(`${file.name} selects nothing. Open a mask that is white, or any colour on black, on the object.`);
  return found;
}

/** By transparency where there is any; else bright on dark; else, as label maps are, all but black. */
export function readMask(rgba: Uint8ClampedArray): MaskFile {
  const count = rgba.length / 4;
  const values = new Uint8Array(count);
  let [transparent, coloured, bright] = [false, false, false];
  for (let i = 0; i < count; i++) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    if (rgba[4 * i + 3] < 255) transparent = true;
    if (r !== g || g !== b) coloured = true;
    if (r > 127) bright = true;
  }
  const by = transparent ? "transparency" : bright && !coloured ? "brightness" : "colour";
  for (let i = 0; i < count; i++) {
    const selected =
      by === "transparency"
        ? rgba[4 * i + 3] > 127
        : by === "brightness"
          ? rgba[4 * i] > 127
          : rgba[4 * i] + rgba[4 * i + 1] + rgba[4 * i + 2] > 0;
    values[i] = selected ? 255 : 0;
  }
  const readAs = {
    transparency: "what is not transparent is the object",
    brightness: "what is bright is the object",
    colour: "everything but black is the object",
  }[by];
  return { values, readAs };
}
