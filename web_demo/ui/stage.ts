/** Draws the photo, the masks over it and the clicks. */

import type { Click } from "../session/index.js";
import { type Colour, type Look, paintMasks } from "./overlay.js";
import type { Photo } from "./photo.js";
import type { Point, View } from "./view.js";

/** Masks at some positions of the photo: column `left + i * step`, row `top + i * step`. */
export interface MaskView {
  readonly left: number;
  readonly top: number;
  readonly step: number;
  readonly columns: number;
  readonly rows: number;
}

export const MARKER = 8;

export class Stage {
  private readonly context: CanvasRenderingContext2D;
  private overlay: { canvas: OffscreenCanvas; at: MaskView } | undefined;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d")!;
  }

  /** The positions to ask masks for, so that the visible part is shown at the screen's resolution. */
  maskView(view: View, [rows, columns]: readonly [number, number]): MaskView | undefined {
    const { left, top, right, bottom } = view.visible;
    if (right <= left || bottom <= top) return undefined;
    const finest = 1 / (view.scale * devicePixelRatio);
    const step = Math.max(finest, (right - left) / columns, (bottom - top) / rows);
    return {
      left: left + step / 2 - 0.5,
      top: top + step / 2 - 0.5,
      step,
      columns: Math.min(columns, Math.max(1, Math.round((right - left) / step))),
      rows: Math.min(rows, Math.max(1, Math.round((bottom - top) / step))),
    };
  }

  setMasks(at: MaskView, masks: readonly Uint8Array[], colours: readonly Colour[], look: Look): void {
    const empty = masks.length ? masks : [new Uint8Array(at.rows * at.columns)];
    const canvas = new OffscreenCanvas(at.columns, at.rows);
    const image = new ImageData(paintMasks(empty, masks.length ? colours : [[0, 0, 0]], at.columns, look), at.columns);
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.overlay = { canvas, at };
  }

  clearMasks(): void {
    this.overlay = undefined;
  }

  draw(
    photo: Photo | undefined,
    view: View | undefined,
    clicks: readonly (Click & { pending?: boolean })[],
    selected: number | undefined,
    cross: Point | undefined,
  ): void {
    const { context, canvas } = this;
    const ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!photo || !view) return;
    const origin = view.toStage({ x: 0, y: 0 });
    const scale = view.scale * ratio;
    context.setTransform(scale, 0, 0, scale, origin.x * ratio, origin.y * ratio);
    context.imageSmoothingEnabled = view.scale < 4;
    context.drawImage(photo.canvas, 0, 0, photo.size[1], photo.size[0]);
    if (this.overlay) {
      const { canvas: masks, at } = this.overlay;
      const from = 0.5 - at.step / 2;
      context.drawImage(masks, at.left + from, at.top + from, at.columns * at.step, at.rows * at.step);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [index, click] of clicks.entries())
      this.marker(view.toStage({ x: click.column + 0.5, y: click.row + 0.5 }), click, index === selected);
    if (cross) this.crosshair(view.toStage({ x: cross.x + 0.5, y: cross.y + 0.5 }));
  }

  /** Sign and not colour alone tells the kinds apart. */
  private marker({ x, y }: Point, click: Click & { pending?: boolean }, selected: boolean): void {
    const { context } = this;
    context.globalAlpha = click.pending ? 0.6 : 1;
    context.beginPath();
    context.arc(x, y, MARKER, 0, 2 * Math.PI);
    context.fillStyle = click.positive ? "#0a7d32" : "#c21f2e";
    context.fill();
    context.lineWidth = selected ? 4 : 2;
    context.strokeStyle = selected ? "#ffd400" : "#fff";
    context.stroke();
    context.beginPath();
    context.moveTo(x - 4, y);
    context.lineTo(x + 4, y);
    if (click.positive) {
      context.moveTo(x, y - 4);
      context.lineTo(x, y + 4);
    }
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.stroke();
    context.globalAlpha = 1;
  }

  private crosshair({ x, y }: Point): void {
    const { context } = this;
    for (const [colour, width] of [["#000", 4], ["#fff", 2]] as const) {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 16 * dx, y + 16 * dy);
      }
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }
}
