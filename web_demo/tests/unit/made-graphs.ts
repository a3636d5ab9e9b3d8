/** Session graphs and a network made up so that every input changes the answer. */

import type { Arrays, SessionSettings, Step } from "../../session/index.js";

export const SETTINGS: SessionSettings = { slots: 3, side: [4, 5], threshold: 0.49, previousMask: true };

function digest(arrays: Arrays): number {
  let sum = 1;
  for (const name of Object.keys(arrays).sort())
    arrays[name].forEach((value, i) => (sum = (sum * 31 + Math.round(value * 64) * (i + 7)) % 999983));
  return sum;
}

function noise(seed: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.abs(Math.sin(seed + i * 12.9898) * 43758.5453) % 1);
}

export function madeStep(screen?: readonly [number, number]): { step: Step; names: string[] } {
  const names: string[] = [];
  const step: Step = async (name, arrays): Promise<Arrays> => {
    names.push(name);
    const seed = digest(arrays);
    if (name === "prepare")
      return {
        net_image: noise(seed, 60), net_prev_mask: arrays.output, net_clicks: arrays.clicks,
        new_placed: noise(seed + 1, 4), new_roi: noise(seed + 2, 4),
      };
    if (name === "network") return { mask: noise(seed, 20) };
    if (name === "mirror")
      return { net_image: noise(seed, 60), net_prev_mask: noise(seed, 20), net_clicks: arrays.clicks };
    if (name === "average") return { output: noise(seed, 20) };
    if (name === "begin") return { output: noise(seed, 20), new_placed: noise(seed, 4) };
    // The selection depends on output and position alone, as that of the real graph.
    const { rows, columns, output } = arrays;
    if (screen && (rows.length !== screen[0] || columns.length !== screen[1])) throw new Error("another screen");
    const mask = new Uint8Array(rows.length * columns.length);
    rows.forEach((row, i) =>
      columns.forEach((column, j) => {
        const inside = row >= 0 && column >= 0;
        mask[i * columns.length + j] = inside && output[Math.floor(row * 3 + column * 5) % 20] > 0.5 ? 1 : 0;
      }),
    );
    return { mask, box: Float32Array.of(-1, -1, -1, -1) };
  };
  return { step, names };
}
