/** What is saved, and how it reaches the user's files. */

import { type Click, clickLog } from "../../session/index.js";
import type { ArtifactInfo } from "../../engine/artifact.js";
import { Problem } from "../../engine/client.js";
import { type Photo, decode, stem } from "../photo.js";
import { cocoDocument } from "./coco.js";
import { greyPng } from "./png.js";

export interface SavedObject {
  readonly name: string;
  readonly clicks: readonly Click[];
  readonly startMaskSha256: string | null;
  /** 0 or 1 for each pixel of the photo as it was opened. */
  readonly mask: Uint8Array;
}

export type Kind = "mask" | "labels" | "cutout" | "coco" | "clicks";

export interface File_ {
  readonly name: string;
  readonly content: Blob;
}

/** Ids of a label map of 8 bits. */
const MOST_OBJECTS = 255;

/** @param objects those of the photo; for a mask, a cut-out or a click log, the one that it is of. */
export async function makeFile(
  kind: Kind,
  photo: Photo,
  objects: readonly SavedObject[],
  info: ArtifactInfo,
  flip: boolean,
): Promise<File_> {
  const [height, width] = photo.size;
  const name = stem(photo.name);
  const [object] = objects;
  if (kind === "mask")
    return {
      name: `${name}.${slug(object.name)}.mask.png`,
      content: await greyPng(object.mask.map((value) => 255 * value), width, height),
    };
  if (kind === "labels") {
    if (objects.length > MOST_OBJECTS)
      throw new Problem(`A label map holds ${MOST_OBJECTS} objects and there are ${objects.length}. Delete some.`);
    const labels = new Uint8Array(width * height);
    objects.forEach(({ mask }, index) => mask.forEach((value, i) => value && (labels[i] = index + 1)));
    return { name: `${name}.labels.png`, content: await greyPng(labels, width, height) };
  }
  if (kind === "cutout")
    return { name: `${name}.${slug(object.name)}.cutout.png`, content: await cutOut(photo, object.mask) };
  if (kind === "coco")
    return json(`${name}.coco.json`, cocoDocument({ name: photo.name, width, height }, objects));
  const log = clickLog(info.sha256, photo.size, object.clicks, info.facts, {
    flip,
    maskSha256: object.startMaskSha256,
  });
  return json(`${name}.${slug(object.name)}.clicks.json`, log);
}

export function download({ name, content }: File_): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The object's pixels of the photo as it was opened; everything else is transparent. */
async function cutOut(photo: Photo, mask: Uint8Array): Promise<Blob> {
  const [height, width] = photo.size;
  const bitmap = await decode(photo.file, photo.name);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = context.getImageData(0, 0, width, height);
  mask.forEach((value, i) => value || (image.data[4 * i + 3] = 0));
  context.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

function json(name: string, value: unknown): File_ {
  return { name, content: new Blob([`${JSON.stringify(value, null, 1)}\n`], { type: "application/json" }) };
}

function slug(name: string): string {
  return name.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "object";
}
