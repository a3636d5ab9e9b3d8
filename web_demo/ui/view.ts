/** Which part of the photo the stage shows: zoom and pan. Screen lengths are CSS pixels. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

const MOST_ZOOM = 40;

export class View {
  scale = 1;
  private left = 0;
  private top = 0;

  constructor(
    private photo: { readonly width: number; readonly height: number },
    private stage: { width: number; height: number },
  ) {
    this.fit();
  }

  /** Shows the whole photo. */
  fit(): void {
    this.scale = this.smallest;
    this.left = this.top = 0;
    this.hold();
  }

  resize(width: number, height: number): void {
    const whole = this.scale <= this.smallest * 1.001;
    this.stage = { width, height };
    if (whole) this.fit();
    else this.hold();
  }

  /** Zooms so that what is below the point stays there. */
  zoom(factor: number, { x, y }: Point): void {
    const scale = Math.min(Math.max(this.scale * factor, this.smallest), Math.max(MOST_ZOOM, this.smallest));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.hold();
  }

  pan(dx: number, dy: number): void {
    this.left += dx;
    this.top += dy;
    this.hold();
  }

  /** Position in the photo, where a pixel reaches from its number to the next. */
  toPhoto({ x, y }: Point): Point {
    return { x: (x - this.left) / this.scale, y: (y - this.top) / this.scale };
  }

  toStage({ x, y }: Point): Point {
    return { x: x * this.scale + this.left, y: y * this.scale + this.top };
  }

  /** The visible rectangle of the photo, in the same positions as `toPhoto`. */
  get visible(): { left: number; top: number; right: number; bottom: number } {
    const from = this.toPhoto({ x: 0, y: 0 });
    const to = this.toPhoto({ x: this.stage.width, y: this.stage.height });
    return {
      left: Math.max(0, from.x),
      top: Math.max(0, from.y),
      right: Math.min(this.photo.width, to.x),
      bottom: Math.min(this.photo.height, to.y),
    };
  }

  private get smallest(): number {
    return Math.min(this.stage.width / this.photo.width, this.stage.height / this.photo.height);
  }

  /** No gap where there is photo to show; centred where there is not. */
  private hold(): void {
    const held = (start: number, length: number, room: number): number =>
      length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
    this.left = held(this.left, this.photo.width * this.scale, this.stage.width);
    this.top = held(this.top, this.photo.height * this.scale, this.stage.height);
  }
}
