/** Photos larger than the graphs are declared for: reduced first, with clicks and masks mapped. */

import type { Size } from "./session.js";

/** The size to which a photo is reduced so that it has at most `most` pixels. */
export function fitPhoto([height, width]: Size, most: number): Size {
  if (height * width <= most) return [height, width];
  const scale = Math.sqrt(most / (height * width));
  const fitted = [height, width].map((n) => Math.max(1, Math.floor(n * scale)));
  // A long strip: one side is held at a pixel, so that the other has to give way.
  if (fitted[0] * fitted[1] > most) fitted[fitted[0] > fitted[1] ? 0 : 1] = most;
  return [fitted[0], fitted[1]];
}

/** A position along an axis of `length` pixels in the reduced photo of `fitted` pixels. */
export function toFitted(position: number, length: number, fitted: number): number {
  return length === fitted ? position : (position * (fitted - 1)) / Math.max(length - 1, 1);
}

/** `count` positions from `first` on, `distance` apart, of an axis as in `toFitted`. */
export function positions(
  first: number,
  distance: number,
  count: number,
  length: number,
  fitted: number,
): Float32Array {
  return Float32Array.from({ length: count }, (_, i) =>
    toFitted(first + i * distance, length, fitted),
  );
}
