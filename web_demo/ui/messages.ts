/** The status line and the box for what went wrong. */

import { Problem, Stale } from "../engine/client.js";

const element = (id: string): HTMLElement => document.getElementById(id)!;

export function say(text: string): void {
  element("status").textContent = text;
}

/** @param choice which way out to offer beside the words. */
export function complain(text: string, choice?: "model" | "restart"): void {
  element("problem").hidden = false;
  element("problem").querySelector("span")!.textContent = text;
  element("model-label").hidden = choice !== "model";
  element("restart").hidden = choice !== "restart";
}

export function forgiveProblem(): void {
  element("problem").hidden = true;
}

/** Shows what went wrong; nothing for answers that nobody waits for any more. */
export function report(error: unknown, choice?: "model"): void {
  if (error instanceof Stale) return;
  const text = error instanceof Error ? error.message : String(error);
  const failed = /^The engine (failed|stopped)/.test(text);
  complain(error instanceof Problem ? text : `Something went wrong: ${text}`, failed ? "restart" : choice);
}
