/** What is being edited: the photo, its objects, and the engine that answers. */

import { EngineClient, Problem } from "../engine/client.js";
import type { Edit, Loaded } from "../engine/protocol.js";
import { type Click, type Size, positions, toFitted } from "../session/index.js";
import type { SavedObject } from "./exports/save.js";
import type { ObjectEntry, Objects } from "./objects.js";
import { type Photo, pixelsOf } from "./photo.js";
import type { MaskView } from "./stage.js";

export class Editor {
  photo: Photo | undefined;
  loaded: Loaded | undefined;
  flip = false;
  /** Clicks that wait for their answer, by object. */
  readonly pending = new Map<number, Click[]>();
  /** How many edits and models wait for their answer. */
  private waiting = 0;
  private client: EngineClient;

  constructor(
    readonly objects: Objects,
    private readonly base: URL,
    private readonly on: {
      progress: (what: string, done: number, all: number) => void;
      change: () => void;
      stop: (problem: Problem) => void;
    },
  ) {
    this.client = new EngineClient(on.progress, on.stop);
  }

  get busy(): boolean {
    return this.waiting > 0;
  }

  /** Loads a model, the page's own or a file; what was clicked is made again with it. */
  load(file?: Blob): Promise<void> {
    return this.working(() => this.replaceEngine(file));
  }

  private async replaceEngine(file?: Blob): Promise<void> {
    const client = new EngineClient(this.on.progress, this.on.stop);
    const model = file ? await file.arrayBuffer() : new URL("model.tflite", this.base).href;
    let loaded: Loaded;
    try {
      loaded = await client.ask("load", { model, wasm: new URL("wasm/", this.base).href });
    } catch (error) {
      client.end();
      throw error;
    }
    const { photo } = this;
    const lacking = photo && this.lacking(photo, loaded);
    if (lacking) {
      client.end();
      throw new Problem(lacking);
    }
    this.client.end();
    [this.client, this.loaded] = [client, loaded];
    if (photo) await this.again(photo);
  }

  async open(photo: Photo): Promise<void> {
    const rgba = pixelsOf(photo);
    this.photo = photo;
    this.pending.clear();
    this.objects.clear();
    await this.client.ask("photo", { rgba, size: photo.fitted, flip: this.flip }, [rgba]);
    this.on.change();
  }

  /** Averages masks with those of the mirrored photo, or not; all clicks are made again. */
  setFlip(flip: boolean): Promise<void> {
    this.flip = flip;
    return this.working(async () => this.photo && this.again(this.photo));
  }

  /** Clicks of an object in pixels of the photo, those that wait for an answer behind the others. */
  clicks(entry: ObjectEntry): (Click & { pending?: boolean })[] {
    const answered = entry.standing.clicks.map((click) => this.fromFitted(click));
    return [...answered, ...(this.pending.get(entry.id) ?? []).map((click) => ({ ...click, pending: true }))];
  }

  async click(entry: ObjectEntry, click: Click): Promise<void> {
    const waiting = this.pending.get(entry.id) ?? [];
    this.pending.set(entry.id, [...waiting, click]);
    await this.edit(entry, { action: "click", positive: click.positive, ...this.toFitted(click) }, () =>
      this.pending.set(entry.id, (this.pending.get(entry.id) ?? []).filter((other) => other !== click)),
    );
  }

  move(entry: ObjectEntry, index: number, click: Click): Promise<void> {
    return this.edit(entry, { action: "move", index, ...this.toFitted(click) });
  }

  edit(entry: ObjectEntry, edit: Edit, answered: () => void = () => undefined): Promise<void> {
    const { client } = this;
    return this.working(async () => {
      try {
        const standing = await client.ask("edit", { object: entry.id, edit });
        if (client !== this.client) return;
        entry.standing = standing;
        if (edit.action === "mask") entry.startMask = edit.values;
      } finally {
        answered();
      }
    });
  }

  private async working(work: () => Promise<unknown>): Promise<void> {
    this.waiting++;
    this.on.change();
    try {
      await work();
    } finally {
      this.waiting--;
      this.on.change();
    }
  }

  async remove(index: number): Promise<void> {
    const [{ id }] = this.objects.entries.slice(index, index + 1);
    this.objects.delete(index);
    this.on.change();
    await this.client.ask("drop", { object: id });
  }

  /** Masks of these objects for a view; null when another view was asked for since. */
  masks(entries: readonly ObjectEntry[], at: MaskView): Promise<Uint8Array[] | null> {
    const [rows, columns] = this.extent(at);
    return this.client.ask("masks", { objects: entries.map(({ id }) => id), rows, columns, replaceable: true });
  }

  /** What can be saved of the objects, at the size of the photo as it was opened; masks are empty unless wanted. */
  async saved(entries: readonly ObjectEntry[], withMasks: boolean): Promise<SavedObject[]> {
    const [height, width] = this.photo!.size;
    const [rows, columns] = this.extent({ left: 0, top: 0, step: 1, rows: height, columns: width });
    const saved: SavedObject[] = [];
    for (const entry of entries) {
      const masks = withMasks ? await this.client.ask("masks", { objects: [entry.id], rows, columns }) : null;
      const startMaskSha256 = await this.client.ask("startMaskDigest", { object: entry.id });
      saved.push({
        name: entry.name,
        clicks: entry.standing.clicks.map((click) => this.fromFitted(click)),
        startMaskSha256,
        mask: masks?.[0] ?? new Uint8Array(),
      });
    }
    return saved;
  }

  /** The photo and all clicks to an engine that knows nothing of them; history is not kept. */
  private async again(photo: Photo): Promise<void> {
    const rgba = pixelsOf(photo);
    await this.client.ask("photo", { rgba, size: photo.fitted, flip: this.flip }, [rgba]);
    const before = this.objects.entries.map((entry) => ({ entry, standing: entry.standing }));
    try {
      for (const { entry, standing } of before) {
        if (entry.startMask) await this.edit(entry, { action: "mask", values: entry.startMask });
        for (const click of standing.clicks) await this.edit(entry, { action: "click", ...click });
      }
    } catch (error) {
      // The next engine starts from all clicks, too.
      for (const { entry, standing } of before) entry.standing = standing;
      throw error;
    }
  }

  /** Why a model cannot go on with what is open. */
  private lacking(photo: Photo, { info }: Loaded): string | undefined {
    const { entries } = this.objects;
    if (photo.fitted[0] * photo.fitted[1] > info.largestPhoto)
      return "This model takes smaller photos only. Load it before you open the photo.";
    if (!info.previousMask && entries.some(({ startMask }) => startMask))
      return "This model cannot start from a mask, and an object does. Delete that object first.";
    const most = entries.flatMap(({ standing: { clicks } }) =>
      [true, false].map((sign) => clicks.filter(({ positive }) => positive === sign).length),
    );
    return Math.max(...most) > info.slots
      ? `This model takes ${info.slots} clicks of a sign, and an object has more. Delete some first.`
      : undefined;
  }

  private extent({ left, top, step, rows, columns }: MaskView): [Float32Array, Float32Array] {
    const [size, fitted] = [this.photo!.size, this.photo!.fitted];
    const held = (first: number, count: number, axis: 0 | 1): Float32Array =>
      // The outermost pixels reach half a pixel beyond their centres.
      positions(first, step, count, size[axis], fitted[axis]).map((p) => Math.min(Math.max(p, 0), fitted[axis] - 1));
    return [held(top, rows, 0), held(left, columns, 1)];
  }

  private toFitted({ row, column }: Click): { row: number; column: number } {
    const { size, fitted } = this.photo!;
    return { row: toFitted(row, size[0], fitted[0]), column: toFitted(column, size[1], fitted[1]) };
  }

  private fromFitted(click: Click): Click {
    const { size, fitted } = this.photo!;
    const back = (position: number, axis: 0 | 1): number => {
      const found = toFitted(position, fitted[axis], size[axis]);
      return Math.round(found * 1e6) / 1e6;
    };
    return { ...click, row: back(click.row, 0), column: back(click.column, 1) };
  }
}

/** The photo's size as people say it: width first. */
export function spoken([height, width]: Size): string {
  return `${width} × ${height}`;
}
