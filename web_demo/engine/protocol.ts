/** What the page and its worker say to each other. */

import type { Click, ReplayReport, Size } from "../session/index.js";
import type { ArtifactInfo } from "./artifact.js";

export interface Loaded {
  readonly info: ArtifactInfo;
  readonly threads: number;
  readonly simd: boolean;
  /** Name of the engine's script; its .wasm lies beside it. */
  readonly script: string;
}

/** One edit of an object's session; rows and columns in pixels of the fitted photo. */
export type Edit =
  | { readonly action: "click"; readonly row: number; readonly column: number; readonly positive: boolean }
  | { readonly action: "move"; readonly index: number; readonly row: number; readonly column: number }
  | { readonly action: "remove"; readonly index: number }
  | { readonly action: "undo" | "redo" | "reset" }
  | { readonly action: "mask"; readonly values: Uint8Array };

/** How an object's session stands after an edit. */
export interface Standing {
  readonly clicks: readonly Click[];
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly hasStartMask: boolean;
  readonly milliseconds: number;
}

/** Requests by name: what is passed, what comes back. */
export interface Requests {
  load: [{ readonly model: string | ArrayBuffer; readonly wasm: string }, Loaded];
  /** RGBA of the fitted photo, and whether its masks are averaged with those of its mirror image; forgets all objects. */
  photo: [{ readonly rgba: ArrayBuffer; readonly size: Size; readonly flip: boolean }, null];
  edit: [{ readonly object: number; readonly edit: Edit }, Standing];
  drop: [{ readonly object: number }, null];
  /** Masks of some objects at the same photo positions. */
  masks: [
    { readonly objects: readonly number[]; readonly rows: Float32Array; readonly columns: Float32Array;
      /** May be answered with null when a later one waits already. */
      readonly replaceable?: boolean },
    Uint8Array[] | null,
  ];
  /** SHA-256 of the start mask's float32 values, for a click log. */
  startMaskDigest: [{ readonly object: number }, string | null];
  replay: [{ readonly traces: string }, ReplayReport];
}

export type RequestName = keyof Requests;

export interface Request<N extends RequestName = RequestName> {
  readonly id: number;
  readonly name: N;
  readonly body: Requests[N][0];
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly problem: string; readonly ours: boolean }
  | { readonly progress: string; readonly done: number; readonly all: number };
