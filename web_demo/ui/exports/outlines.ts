/** Outlines of a mask along the edges of its pixels. */

/** Right, down, left, up: with the object to the right of the way, outlines run clockwise. */
const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]] as const;

/**
 * @returns outer outlines as x, y, x, y, … of their corners, and how many holes there are.
 */
export function outlines(
  mask: Uint8Array,
  width: number,
  height: number,
): { outer: number[][]; holes: number } {
  const at = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] !== 0;
  // Top edges of object pixels: every outline, also of a hole, has some.
  const seen = new Uint8Array(mask.length);
  const outer: number[][] = [];
  let holes = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (!at(x, y) || at(x, y - 1) || seen[y * width + x]) continue;
      const { corners, area } = follow(at, seen, width, x, y);
      if (area > 0) outer.push(corners);
      else holes++;
    }
  return { outer, holes };
}

function follow(
  at: (x: number, y: number) => boolean,
  seen: Uint8Array,
  width: number,
  startX: number,
  startY: number,
): { corners: number[]; area: number } {
  const corners: number[] = [];
  let [x, y, direction, area] = [startX, startY, 0, 0];
  do {
    if (direction === 0) seen[y * width + x] = 1;
    const [dx, dy] = STEPS[direction];
    area += x * dy - y * dx;
    x += dx;
    y += dy;
    // The pixels ahead, left and right of the way, seen from the corner (x, y).
    const ahead = ([[0, -1], [0, 0], [-1, 0], [-1, -1]] as const).map(([px, py]) => at(x + px, y + py));
    const [left, right] = [ahead[direction], ahead[(direction + 1) % 4]];
    // Pixels that touch at a corner only are different objects: turn right there.
    const turn = !right ? 1 : left ? 3 : 0;
    if (turn) corners.push(x, y);
    direction = (direction + turn) % 4;
  } while (x !== startX || y !== startY || direction !== 0);
  return { corners, area };
}
