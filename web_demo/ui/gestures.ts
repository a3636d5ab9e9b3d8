/** Mouse, touch and pen on the stage become taps, drags, pans and zooms. */

import type { Point } from "./view.js";

export interface GestureTarget {
  /** Index of the click below a point, if any. */
  clickAt(point: Point): number | undefined;
  tap(point: Point, other: boolean): void;
  dragClick(index: number, point: Point): void;
  dropClick(index: number, point: Point): void;
  cancelDrag(): void;
  selectClick(index: number): void;
  pan(dx: number, dy: number): void;
  zoom(factor: number, at: Point): void;
}

const SLACK = 7;
const LONG_PRESS_MS = 500;

export function listenToGestures(stage: HTMLElement, target: GestureTarget): void {
  const pointers = new Map<number, Point>();
  let start: Point = { x: 0, y: 0 };
  let dragged: number | undefined;
  let mode: "tap" | "drag" | "pan" | "done" = "done";
  let timer = 0;
  let space = false;

  const place = (event: MouseEvent): Point => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const away = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  window.addEventListener("keydown", (event) => {
    if (event.code === "Space") space = true;
    if (event.code === "Space" && event.target === stage) event.preventDefault();
  });
  window.addEventListener("keyup", (event) => {
    if (event.code === "Space") space = false;
  });
  window.addEventListener("blur", () => (space = false));

  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    const point = place(event);
    pointers.set(event.pointerId, point);
    clearTimeout(timer);
    if (pointers.size > 1) {
      // A second finger: what began as a tap or drag is a pinch.
      if (mode === "drag") target.cancelDrag();
      mode = "pan";
      return;
    }
    start = point;
    const moving = space || event.button === 1;
    dragged = moving ? undefined : target.clickAt(point);
    mode = moving ? "pan" : "tap";
    if (event.pointerType !== "mouse" && mode === "tap" && dragged === undefined)
      timer = window.setTimeout(() => {
        mode = "done";
        navigator.vibrate?.(20);
        target.tap(start, true);
      }, LONG_PRESS_MS);
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const point = place(event);
    pointers.set(event.pointerId, point);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)![1];
      const centre = { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 };
      target.pan((point.x - before.x) / 2, (point.y - before.y) / 2);
      target.zoom(away(point, other) / Math.max(1, away(before, other)), centre);
      return;
    }
    if (mode === "tap" && away(point, start) > SLACK) {
      clearTimeout(timer);
      mode = dragged === undefined ? "pan" : "drag";
    }
    if (mode === "drag" && dragged !== undefined) target.dragClick(dragged, point);
    else if (mode === "pan") target.pan(point.x - before.x, point.y - before.y);
  });

  const end = (event: PointerEvent, cancelled: boolean): void => {
    clearTimeout(timer);
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    const point = place(event);
    if (mode === "drag" && cancelled) target.cancelDrag();
    else if (mode === "drag" && dragged !== undefined) target.dropClick(dragged, point);
    else if (mode === "tap" && !cancelled) {
      if (dragged !== undefined && event.button === 0) target.selectClick(dragged);
      else target.tap(start, event.button === 2);
    }
    mode = "done";
  };
  stage.addEventListener("pointerup", (event) => end(event, false));
  stage.addEventListener("pointercancel", (event) => end(event, true));

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 20 : 1;
      target.zoom(Math.exp((-event.deltaY * lines) / 400), place(event));
    },
    { passive: false },
  );
}
