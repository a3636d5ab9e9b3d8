/** Pictures from files, clipboard, camera and the sample. */

import { Problem } from "../engine/client.js";
import { type Size, fitPhoto } from "../session/index.js";

export interface Photo {
  readonly name: string;
  /** As it was opened; decoded again where the original pixels are needed. */
  readonly file: Blob;
  readonly size: Size;
  /** What the model sees: reduced if the photo has more pixels than it takes. */
  readonly fitted: Size;
  /** Of the fitted size. */
  readonly canvas: OffscreenCanvas;
}

const MOST_BYTES = 200e6;
const MOST_PIXELS = 120e6;

export async function openPhoto(file: Blob, name: string, largest: number): Promise<Photo> {
  const bitmap = await decode(file, name);
  const size: Size = [bitmap.height, bitmap.width];
  const fitted = fitPhoto(size, largest);
  const canvas = new OffscreenCanvas(fitted[1], fitted[0]);
  // In the processor's memory: what a lost GPU held would be blank, and its masks wrong.
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, fitted[1], fitted[0]);
  bitmap.close();
  return { name, file, size, fitted, canvas };
}

/** RGBA of the fitted photo. */
export function pixelsOf({ canvas, fitted }: Photo): ArrayBuffer {
  const data = canvas.getContext("2d")!.getImageData(0, 0, fitted[1], fitted[0]).data;
  return data.buffer as ArrayBuffer;
}

/** Turned as the camera says. */
export async function decode(file: Blob, name: string): Promise<ImageBitmap> {
  if (file.size > MOST_BYTES)
    throw new Problem(`${name} has ${Math.round(file.size / 1e6)} MB. Open a picture of at most 200 MB.`);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Problem(
      `${name} cannot be read as a picture, or is too large for this device. Open a JPEG, PNG or WebP file.`,
    );
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    const millions = Math.round((bitmap.width * bitmap.height) / 1e6);
    bitmap.close();
    throw new Problem(`${name} has ${millions} megapixels. Open a picture of at most 120.`);
  }
  return bitmap;
}

/** A file name without its suffix, for the names of what is saved. */
export function stem(name: string): string {
  return name.replace(/\.[^.]*$/, "") || "photo";
}
