/**
 * A click session on one photo: the loop of docs/session.md around an artifact's own graphs.
 *
 * Nothing here knows a browser, an engine or a screen: `step` runs one graph.
 */

import { type GivenMask, boundingBox } from "./given-mask.js";

export type Array1D = Float32Array | Uint8Array;
export type Arrays = Record<string, Array1D>;
/** Runs the graph of that name on flat arrays; "network" is the network itself. */
export type Step = (name: string, arrays: Arrays) => Promise<Arrays>;
/** Height and width. */
export type Size = readonly [number, number];

/** In pixels of the photo; pixel centres are at whole numbers. */
export interface Click {
  readonly row: number;
  readonly column: number;
  readonly positive: boolean;
}

/** Everything that a click changes; never written to. */
export interface State {
  readonly clicks: readonly Click[];
  /** The network's last output, H × W probabilities. */
  readonly output: Float32Array;
  /** Where the output is in the photo: first row, last row, first column, last column. */
  readonly placed: Float32Array;
  /** The stored crop, in the same order; −1 where there is none. */
  readonly roi: Float32Array;
}

export interface SessionSettings {
  /** Click slots of each sign. */
  readonly slots: number;
  /** Size of the network's input. */
  readonly side: Size;
  /** Average with the mirrored photo; each click then costs two runs. */
  readonly flip?: boolean;
  /** Whether the network takes a previous mask; without it a session cannot start from one. */
  readonly previousMask?: boolean;
  /** Rows and columns of the screen that `finish` is declared for; without: any. */
  readonly screen?: Size;
  /** A pixel is object above this probability. */
  readonly threshold: number;
}

/** Something that a caller can cause: a click outside the photo, one too many, nothing to undo. */
export class SessionError extends Error {
  override name = "SessionError";
}

/** A position beside every photo; fills up rows and columns of a screen of fixed size. */
const OUTSIDE = -9;

/**
 * One object of one photo. After any error it is as it was before the call.
 *
 * @param step runs a graph.
 * @param pixels RGB of the photo, row by row; may be longer where a graph has a fixed length.
 * @param size of the photo.
 */
export class Session {
  readonly size: Size;
  private readonly extent: Float32Array;
  private versions: State[][] = [];
  private shown = 0;
  private given: GivenMask | undefined;
  private busy = false;

  constructor(
    private readonly step: Step,
    private readonly pixels: Uint8Array,
    size: Size,
    readonly settings: SessionSettings,
  ) {
    if (pixels.length < 3 * size[0] * size[1] || size[0] < 1 || size[1] < 1)
      throw new SessionError(`a photo of ${size[0]} × ${size[1]} pixels needs three bytes for each.`);
    this.size = size;
    this.extent = Float32Array.from(size);
    this.reset();
  }

  /** What is shown. */
  get state(): State {
    return this.versions[this.shown].at(-1)!;
  }

  get clicks(): readonly Click[] {
    return this.state.clicks;
  }

  /** The mask that the session started from. */
  get startMask(): GivenMask | undefined {
    return this.given;
  }

  get canUndo(): boolean {
    return this.shown > 0;
  }

  get canRedo(): boolean {
    return this.shown + 1 < this.versions.length;
  }

  /** Forgets clicks, masks and history; keeps the photo. */
  reset(): void {
    this.requireIdle();
    const [height, width] = this.size;
    this.given = undefined;
    const [rows, columns] = this.settings.side;
    this.restart(new Float32Array(rows * columns), Float32Array.of(0, height - 1, 0, width - 1));
  }

  /** Starts from an external mask; forgets clicks and history. */
  async setMask(mask: GivenMask): Promise<void> {
    if (this.settings.previousMask === false)
      throw new SessionError("this model takes no previous mask and cannot start from one.");
    if (mask.size[0] !== this.size[0] || mask.size[1] !== this.size[1])
      throw new SessionError(
        `the mask has ${mask.size.join(" × ")} pixels and the photo ${this.size.join(" × ")}: ` +
          "pass a mask of the photo's size.",
      );
    await this.alone(async () => {
      const box = boundingBox(mask, this.settings.threshold);
      // As long as the photo is declared in a graph of fixed length.
      const values = new Uint8Array(this.pixels.length / 3);
      values.set(mask.values);
      const found = await this.step("begin", { mask: values, size: this.extent, box });
      this.given = mask;
      this.restart(found.output as Float32Array, found.new_placed as Float32Array);
    });
  }

  /** Adds a click. */
  click(row: number, column: number, positive = true): Promise<void> {
    return this.edit(this.clicks.length, [...this.clicks, { row, column, positive }]);
  }

  /** Takes one click back and makes the later ones again, as if it had never been made. */
  remove(index: number): Promise<void> {
    this.requireClick(index);
    return this.edit(index, this.clicks.filter((_, i) => i !== index));
  }

  /** Puts one click elsewhere and makes the later ones again; it keeps its sign. */
  move(index: number, row: number, column: number): Promise<void> {
    this.requireClick(index);
    return this.edit(index, this.clicks.map((c, i) => (i === index ? { ...c, row, column } : c)));
  }

  /** Takes the last click, removal or move back. */
  undo(): void {
    this.requireIdle();
    if (!this.canUndo) throw new SessionError("there is no click to undo: click first.");
    this.shown--;
  }

  /** Makes again what was undone last. */
  redo(): void {
    this.requireIdle();
    if (!this.canRedo) throw new SessionError("there is nothing to redo: undo a click first.");
    this.shown++;
  }

  /**
   * The selection at photo positions: 0 or 1 for each row and column, row by row.
   *
   * Fractions are allowed; beyond the photo it is 0.
   */
  async maskAt(rows: Float32Array, columns: Float32Array): Promise<Uint8Array> {
    const { clicks, output, placed } = this.state;
    if (!clicks.length)
      return this.given
        ? this.given.at(rows, columns, this.settings.threshold)
        : new Uint8Array(rows.length * columns.length);
    const [most, widest] = this.settings.screen ?? [rows.length, columns.length];
    const mask = new Uint8Array(rows.length * columns.length);
    for (let top = 0; top < rows.length; top += most)
      for (let left = 0; left < columns.length; left += widest) {
        const lines = rows.subarray(top, top + most);
        const across = columns.subarray(left, left + widest);
        const block = await this.step("finish", {
          output,
          placed,
          rows: filled(lines, most),
          columns: filled(across, widest),
        });
        for (let i = 0; i < lines.length; i++)
          mask.set(
            block.mask.subarray(i * widest, i * widest + across.length) as Uint8Array,
            (top + i) * columns.length + left,
          );
      }
    return mask;
  }

  /** The rectangle around the object of the last output; undefined without one. */
  async box(): Promise<Float32Array | undefined> {
    const { output, placed } = this.state;
    const [rows, columns] = this.settings.screen ?? [1, 1];
    const beside = { rows: filled(new Float32Array(), rows), columns: filled(new Float32Array(), columns) };
    const { box } = await this.step("finish", { output, placed, ...beside });
    return box[0] < 0 ? undefined : (box as Float32Array);
  }

  /** Keeps the answers to the first `kept` clicks and makes the others again. */
  private async edit(kept: number, clicks: readonly Click[]): Promise<void> {
    const [height, width] = this.size;
    for (const [index, { row, column, positive }] of clicks.entries()) {
      if (!(row >= 0 && row < height && column >= 0 && column < width))
        throw new SessionError(
          `click ${index + 1} at row ${row}, column ${column} is outside the photo of ${height} rows ` +
            `and ${width} columns: click inside it.`,
        );
      if (clicks.filter((c) => c.positive === positive).length > this.settings.slots)
        throw new SessionError(
          `the model takes ${this.settings.slots} ${positive ? "positive" : "negative"} clicks: ` +
            "remove or move one instead of adding another.",
        );
    }
    await this.alone(async () => {
      const chain = this.versions[this.shown].slice(0, kept + 1);
      for (let count = kept + 1; count <= clicks.length; count++)
        chain.push(await this.answer(chain.at(-1)!, clicks.slice(0, count)));
      this.versions.splice(++this.shown, Infinity, chain);
    });
  }

  private async answer({ output, placed, roi }: State, clicks: readonly Click[]): Promise<State> {
    const { slots, flip } = this.settings;
    const packed = new Float32Array(6 * slots).fill(-1);
    let [positives, negatives] = [0, slots];
    clicks.forEach(({ row, column, positive }, order) =>
      packed.set([row, column, order], 3 * (positive ? positives++ : negatives++)),
    );
    const prepared = await this.step("prepare", {
      pixels: this.pixels,
      size: this.extent,
      clicks: packed,
      output,
      placed,
      roi,
    });
    const inputs = networkInputs(prepared);
    let { mask } = await this.step("network", inputs);
    if (flip) {
      const turned = networkInputs(await this.step("mirror", inputs));
      const { mask: mirrored } = await this.step("network", turned);
      mask = (await this.step("average", { straight: mask, mirrored })).output;
    }
    return {
      clicks,
      output: mask as Float32Array,
      placed: prepared.new_placed as Float32Array,
      roi: prepared.new_roi as Float32Array,
    };
  }

  private restart(output: Float32Array, placed: Float32Array): void {
    this.versions = [[{ clicks: [], output, placed, roi: new Float32Array(4).fill(-1) }]];
    this.shown = 0;
  }

  private requireClick(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.clicks.length)
      throw new SessionError(
        `there is no click ${index}: pass its place among the ${this.clicks.length} clicks, from 0.`,
      );
  }

  private requireIdle(): void {
    if (this.busy) throw new SessionError("an edit is still being answered: wait for it.");
  }

  /** Two edits at once would each continue the same old state. */
  private async alone(work: () => Promise<void>): Promise<void> {
    this.requireIdle();
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
    }
  }
}

/** The network's own inputs among what `prepare` or `mirror` gave. */
function networkInputs(found: Arrays): Arrays {
  return Object.fromEntries(
    ["image", "prev_mask", "clicks"]
      .filter((name) => `net_${name}` in found)
      .map((name) => [name, found[`net_${name}`]]),
  );
}

function filled(positions: Float32Array, length: number): Float32Array {
  if (positions.length === length) return positions;
  const result = new Float32Array(length).fill(OUTSIDE);
  result.set(positions);
  return result;
}
