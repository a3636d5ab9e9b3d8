/** The annotator's page: what buttons, keys and gestures do. */

import { Problem } from "../engine/client.js";
import type { Edit } from "../engine/protocol.js";
import { Editor, spoken } from "./editor.js";
import { type Kind, download, makeFile } from "./exports/save.js";
import { listenToGestures } from "./gestures.js";
import { openMask } from "./mask-file.js";
import { forgiveProblem, report, say } from "./messages.js";
import { Objects, rgb } from "./objects.js";
import { keepOffline } from "./offline.js";
import { openPhoto } from "./photo.js";
import { MARKER, Stage } from "./stage.js";
import { type Point, View } from "./view.js";

const get = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;
const input = (id: string): HTMLInputElement => get<HTMLInputElement>(id);
const base = new URL("./", location.href);

const canvas = get<HTMLCanvasElement>("stage");
const stage = new Stage(canvas);
let view: View | undefined;
let selected: number | undefined;
/** The cross of the keyboard, a pixel of the photo. */
let cross: { x: number; y: number } | undefined;
/** A click on its way to another place. */
let dragged: { index: number; at: Point } | undefined;
let maskRequest = 0;

const objects = new Objects(get("objects"), {
  choose: (index) => {
    objects.current = index;
    selected = undefined;
    changed();
  },
  remove: (index) => {
    const { name, standing } = objects.entries[index];
    if (!standing.clicks.length || confirm(`Delete ${name} and its clicks?`)) void attempt(() => editor.remove(index));
  },
  change: () => refreshMasks(),
});
const editor = new Editor(objects, base, { progress: showProgress, change: changed, stop: report });
objects.clear();

/** Runs what a user asked for; what goes wrong is said and changes nothing else. */
async function attempt(work: () => Promise<void>, choice?: "model"): Promise<void> {
  forgiveProblem();
  try {
    await work();
  } catch (error) {
    report(error, choice);
    changed();
  }
}

async function load(file?: File): Promise<void> {
  get("engine").textContent = "The model is loading.";
  await editor.load(file);
  const { info, threads, simd } = editor.loaded!;
  get("progress").hidden = true;
  if (!editor.photo) say("The model is loaded. Open a photo.");
  get("engine").textContent =
    `${info.name} ${info.precision}, ${info.megabytes.toFixed(1)} MB, on the processor with ` +
    `${threads} ${threads > 1 ? "threads" : "thread"}` +
    (threads > 1 ? "." : simd ? " (this page was served without the headers that allow more)." : " and without fast vector instructions, which this browser lacks: slower.");
  document.body.dataset.ready = "true";
}

const ready = attempt(() => load(), "model").then(async () => {
  if (!editor.loaded) return;
  const problem = await keepOffline(base, editor.loaded);
  document.body.dataset.offline = problem ? "no" : "yes";
  if (problem) say(problem);
});

async function openFile(file: Blob, name: string): Promise<void> {
  if (objects.entries.some((entry) => entry.standing.clicks.length) && !confirm("Close this photo and its objects?")) return;
  await attempt(async () => {
    if (!editor.loaded) {
      say("The photo opens as soon as the model is loaded.");
      await ready;
      if (!editor.loaded) throw new Problem("There is no model yet. Choose a model file first.");
    }
    say(`Opening ${name} …`);
    const photo = await openPhoto(file, name, editor.loaded.info.largestPhoto);
    stage.clearMasks();
    [selected, cross, dragged] = [undefined, undefined, undefined];
    await editor.open(photo);
    view = new View({ width: photo.size[1], height: photo.size[0] }, canvas.getBoundingClientRect());
    get("welcome").hidden = true;
    changed();
    const reduced = photo.size[0] !== photo.fitted[0];
    say(
      `${name}: ${spoken(photo.size)} pixels` +
        (reduced ? `; the model sees it reduced to ${spoken(photo.fitted)}, masks are saved at full size.` : ". Click on an object."),
    );
  });
}

function changed(): void {
  const { standing, name } = objects.chosen;
  const { busy } = editor;
  if (selected !== undefined && selected >= standing.clicks.length) selected = undefined;
  objects.show();
  Object.assign(get("undo"), { disabled: !standing.canUndo });
  Object.assign(get("redo"), { disabled: !standing.canRedo });
  Object.assign(get("delete"), { disabled: selected === undefined });
  for (const button of document.querySelectorAll<HTMLButtonElement>("#saves button, #next")) button.disabled = !editor.photo;
  if (editor.photo && standing.clicks.length) {
    const { length } = standing.clicks;
    say(`${name}: ${length} ${length > 1 ? "clicks" : "click"}${busy ? ", computing …" : `, ${Math.round(standing.milliseconds)} ms`}`);
  }
  document.body.dataset.busy = String(busy);
  refreshMasks();
}

function draw(): void {
  const clicks = editor.clicks(objects.chosen);
  if (dragged) clicks[dragged.index] = { ...clicks[dragged.index], column: dragged.at.x - 0.5, row: dragged.at.y - 0.5 };
  stage.draw(editor.photo, view, clicks, selected, document.activeElement === canvas ? cross : undefined);
}

/** Draws at once with the masks at hand, and again when those of the new view are there. */
function refreshMasks(): void {
  draw();
  const { photo, loaded } = editor;
  const at = photo && loaded && view && stage.maskView(view, loaded.info.screen);
  if (!at) return;
  const request = ++maskRequest;
  const look = { opacity: Number(input("opacity").value) / 100, contour: input("contour").checked, cutOut: input("cut-out").checked };
  const shown = objects.entries.filter(({ standing }) => standing.clicks.length || standing.hasStartMask);
  editor.masks(shown, at).then((masks) => {
    if (!masks || request !== maskRequest) return;
    stage.setMasks(at, masks, shown.map(({ colour }) => rgb(colour)), look);
    draw();
    if (document.body.dataset.busy === "true" || !performance.getEntriesByName("click").length) return;
    performance.measure("click to mask", "click");
    performance.clearMarks("click");
  }, report);
}

/** The pixel below a point of the stage; undefined beside the photo. */
function pixelAt(point: Point): { row: number; column: number } | undefined {
  if (!editor.photo || !view) return undefined;
  const { x, y } = view.toPhoto(point);
  const [height, width] = editor.photo.size;
  if (x < 0 || y < 0 || x >= width || y >= height) return undefined;
  return { row: Math.floor(y), column: Math.floor(x) };
}

function clickHere(at: { row: number; column: number } | undefined, other: boolean): void {
  if (!at) return;
  const positive = input("add").checked !== other;
  selected = undefined;
  performance.mark("click");
  void attempt(() => editor.click(objects.chosen, { ...at, positive }));
}

function edit(change: Edit): void {
  void attempt(() => editor.edit(objects.chosen, change));
}

function removeClick(index: number | undefined): void {
  if (index === undefined) return;
  selected = undefined;
  edit({ action: "remove", index });
}

function zoom(factor: number, at?: Point): void {
  const box = canvas.getBoundingClientRect();
  view?.zoom(factor, at ?? { x: box.width / 2, y: box.height / 2 });
  refreshMasks();
}

listenToGestures(canvas, {
  clickAt: (point) => {
    if (!view) return undefined;
    const places = editor.clicks(objects.chosen).map((c) => view!.toStage({ x: c.column + 0.5, y: c.row + 0.5 }));
    const near = places.map(({ x, y }) => Math.hypot(x - point.x, y - point.y));
    const nearest = near.indexOf(Math.min(...near));
    return near[nearest] <= MARKER + 4 && nearest < objects.chosen.standing.clicks.length ? nearest : undefined;
  },
  tap: (point, other) => {
    cross = undefined;
    clickHere(pixelAt(point), other);
  },
  selectClick: (index) => {
    selected = selected === index ? undefined : index;
    changed();
  },
  dragClick: (index, point) => {
    dragged = { index, at: view!.toPhoto(point) };
    draw();
  },
  cancelDrag: () => {
    dragged = undefined;
    draw();
  },
  dropClick: (index, point) => {
    dragged = undefined;
    const at = pixelAt(point);
    const click = editor.clicks(objects.chosen)[index];
    if (!at) removeClick(index);
    else if (click) void attempt(() => editor.move(objects.chosen, index, { ...click, ...at }));
  },
  pan: (dx, dy) => {
    view?.pan(dx, dy);
    refreshMasks();
  },
  zoom,
});

const keys: Record<string, (event: KeyboardEvent) => void> = {
  "?": () => get<HTMLDialogElement>("help-box").showModal(),
  n: () => get("next").click(),
  x: () => get(input("add").checked ? "remove" : "add").click(),
  c: () => {
    const { length } = objects.chosen.standing.clicks;
    selected = length ? ((selected ?? -1) + 1) % length : undefined;
    changed();
  },
  Delete: () => removeClick(selected),
  Backspace: () => removeClick(selected),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  "0": () => get("fit").click(),
};
const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

window.addEventListener("keydown", (event) => {
  const writing = event.target instanceof HTMLInputElement && event.target.type === "text";
  if (writing || get<HTMLDialogElement>("help-box").open) return;
  if (event.ctrlKey || event.metaKey) {
    const key = event.key.toLowerCase();
    const back = key === "z" && !event.shiftKey;
    if (!back && key !== "y" && key !== "z") return;
    event.preventDefault();
    get(back ? "undo" : "redo").click();
  } else if (event.target === canvas && event.key in arrows && editor.photo) {
    event.preventDefault();
    const [dx, dy] = arrows[event.key].map((d) => d * (event.shiftKey ? 10 : 1));
    const [height, width] = editor.photo.size;
    const from = cross ?? { x: width >> 1, y: height >> 1 };
    const held = (position: number, length: number): number => Math.min(Math.max(position, 0), length - 1);
    cross = { x: held(from.x + dx, width), y: held(from.y + dy, height) };
    draw();
  } else if (event.target === canvas && event.key === "Enter" && cross) {
    clickHere({ row: cross.y, column: cross.x }, event.shiftKey);
  } else if (!event.altKey && !(event.target instanceof HTMLInputElement && event.key.startsWith("Arrow"))) {
    keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]?.(event);
  }
});

for (const id of ["open", "camera", "mask", "model"])
  input(id).onchange = () => {
    const file = input(id).files?.[0];
    input(id).value = "";
    if (!file) return;
    if (id === "mask") void startFromMask(file);
    else if (id === "model") void attempt(() => load(file), "model");
    else void openFile(file, file.name);
  };

async function startFromMask(file: File): Promise<void> {
  await attempt(async () => {
    const { photo } = editor;
    if (!photo) throw new Problem("Open the photo first, then the mask that belongs to it.");
    if (!editor.loaded!.info.previousMask) throw new Problem("This model cannot start from a mask.");
    const { values, readAs } = await openMask(file, photo);
    const { standing } = objects.chosen;
    if (standing.clicks.length || standing.hasStartMask) objects.add();
    await editor.edit(objects.chosen, { action: "mask", values });
    say(`${file.name}: ${readAs}. Click to correct it.`);
  });
}

get("sample").onclick = async () => {
  await attempt(async () => {
    const response = await fetch(new URL("sample.jpg", base));
    if (!response.ok) throw new Problem("The sample is not there. Open a photo of your own.");
    await openFile(await response.blob(), "sample.jpg");
  });
};
get("undo").onclick = () => edit({ action: "undo" });
get("redo").onclick = () => edit({ action: "redo" });
get("delete").onclick = () => removeClick(selected);
get("zoom-in").onclick = () => zoom(1.5);
get("zoom-out").onclick = () => zoom(1 / 1.5);
get("fit").onclick = () => {
  view?.fit();
  refreshMasks();
};
get("next").onclick = () => {
  objects.add();
  selected = undefined;
  changed();
  canvas.focus();
};
get("help").onclick = () => get<HTMLDialogElement>("help-box").showModal();
get("dismiss").onclick = forgiveProblem;
get("restart").onclick = () => void attempt(() => load(), "model");
input("flip").onchange = () => void attempt(() => editor.setFlip(input("flip").checked));
for (const id of ["opacity", "contour", "cut-out"]) input(id).oninput = refreshMasks;
canvas.onfocus = canvas.onblur = draw;
canvas.oncontextlost = () => say("The graphics processor was lost. The picture comes back with it; clicks and masks are kept.");
canvas.oncontextrestored = refreshMasks;

for (const button of document.querySelectorAll<HTMLButtonElement>("#saves button"))
  button.onclick = () =>
    attempt(async () => {
      const kind = button.dataset.kind as Kind;
      const all = kind === "labels" || kind === "coco";
      const entries = all ? objects.entries : [objects.chosen];
      say("Saving …");
      const file = await makeFile(kind, editor.photo!, await editor.saved(entries, kind !== "clicks"), editor.loaded!.info, editor.flip);
      download(file);
      say(`Saved ${file.name}.`);
    });

window.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (file) void openFile(file, file.name || "pasted.png");
});
const box = get("stage-box");
window.addEventListener("dragover", (event) => {
  event.preventDefault();
  box.classList.add("dropping");
});
window.addEventListener("dragleave", () => box.classList.remove("dropping"));
window.addEventListener("drop", (event) => {
  event.preventDefault();
  box.classList.remove("dropping");
  const file = event.dataTransfer?.files[0];
  if (file) void (file.name.endsWith(".tflite") ? attempt(() => load(file), "model") : openFile(file, file.name));
});
window.addEventListener("beforeunload", (event) => {
  if (objects.entries.some((entry) => entry.standing.clicks.length)) event.preventDefault();
});

new ResizeObserver(([{ contentRect }]) => {
  canvas.width = Math.max(1, Math.round(contentRect.width * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(contentRect.height * devicePixelRatio));
  view?.resize(contentRect.width, contentRect.height);
  refreshMasks();
}).observe(box);

function showProgress(what: string, done: number, all: number): void {
  const bar = get<HTMLProgressElement>("progress");
  if (all) Object.assign(bar, { max: all, value: Math.min(done, all) });
  else bar.removeAttribute("value");
  if (!editor.photo) say(all ? `${what}: ${Math.round((100 * Math.min(done, all)) / all)} %` : `${what} …`);
}
