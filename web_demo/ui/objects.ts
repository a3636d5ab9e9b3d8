/** The objects of a photo, with names and colours, and their list on the page. */

import type { Standing } from "../engine/protocol.js";
import type { Colour } from "./overlay.js";

export interface ObjectEntry {
  readonly id: number;
  name: string;
  colour: string;
  standing: Standing;
  /** Of the fitted photo; kept so that another engine can start from it too. */
  startMask?: Uint8Array;
}

/** Told apart by people with colour-blindness too, on light and dark photos. */
const COLOURS = ["#1f77ff", "#ff8c00", "#b8008a", "#00a88f", "#ffd500", "#7a3cff", "#e6003d", "#6fae00"];
const NOTHING: Standing = { clicks: [], canUndo: false, canRedo: false, hasStartMask: false, milliseconds: 0 };

export class Objects {
  entries: ObjectEntry[] = [];
  current = 0;
  private next = 1;

  constructor(
    private readonly list: HTMLElement,
    private readonly on: {
      choose: (index: number) => void;
      remove: (index: number) => void;
      change: () => void;
    },
  ) {}

  get chosen(): ObjectEntry {
    return this.entries[this.current];
  }

  clear(): void {
    this.entries = [];
    this.next = 1;
    this.add();
  }

  add(): void {
    const id = this.next++;
    this.entries.push({ id, name: `object ${id}`, colour: COLOURS[(id - 1) % COLOURS.length], standing: NOTHING });
    this.current = this.entries.length - 1;
  }

  delete(index: number): void {
    this.entries.splice(index, 1);
    if (!this.entries.length) this.add();
    this.current = Math.min(this.current, this.entries.length - 1);
  }

  show(): void {
    this.list.replaceChildren(...this.entries.map((entry, index) => this.row(entry, index)));
  }

  private row(entry: ObjectEntry, index: number): HTMLElement {
    const row = document.createElement("li");
    const choose = document.createElement("input");
    Object.assign(choose, { type: "radio", name: "object", checked: index === this.current });
    choose.setAttribute("aria-label", `Edit ${entry.name}`);
    choose.onchange = () => this.on.choose(index);
    const colour = document.createElement("input");
    Object.assign(colour, { type: "color", value: entry.colour });
    colour.setAttribute("aria-label", `Colour of ${entry.name}`);
    colour.oninput = () => {
      entry.colour = colour.value;
      this.on.change();
    };
    const name = document.createElement("input");
    Object.assign(name, { type: "text", value: entry.name, maxLength: 100 });
    name.setAttribute("aria-label", `Name of object ${index + 1}`);
    name.onfocus = () => index !== this.current && this.on.choose(index);
    name.onchange = () => {
      entry.name = name.value.trim() || `object ${entry.id}`;
      name.value = entry.name;
    };
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = `${entry.standing.clicks.length}`;
    count.title = "clicks";
    const remove = document.createElement("button");
    remove.textContent = "✕";
    remove.setAttribute("aria-label", `Delete ${entry.name}`);
    remove.onclick = () => this.on.remove(index);
    row.append(choose, colour, name, count, remove);
    row.classList.toggle("chosen", index === this.current);
    return row;
  }
}

export function rgb(colour: string): Colour {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as unknown as Colour;
}
