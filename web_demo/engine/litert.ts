/** LiteRT.js as an engine: an artifact's signatures run on flat arrays. Lives in a worker. */

import { type CompiledModel, Tensor, type TypedArray, loadAndCompile, loadLiteRt, supportsFeature } from "@litertjs/core";
import type { Array1D, Arrays } from "../session/session.js";
import { ArtifactError, type ArtifactInfo, readArtifact } from "./artifact.js";

const NETWORK = "serving_default";
/** More threads than this gain nothing at these sizes and heat a phone. */
const MOST_THREADS = 4;

export class Engine {
  /** The photo, which every click needs again: copied into the engine's memory once. */
  private kept: { array: Array1D; tensor: Tensor } | undefined;

  private constructor(
    private readonly model: CompiledModel,
    readonly info: ArtifactInfo,
    readonly threads: number,
    /** Whether the engine's faster build runs, which needs relaxed SIMD. */
    readonly simd: boolean,
    /** Name of the engine's script; its .wasm lies beside it. */
    readonly script: string,
  ) {}

  static async open(bytes: Uint8Array<ArrayBuffer>, wasm: URL): Promise<Engine> {
    const info = await readArtifact(bytes);
    const simd = await supportsFeature("relaxedSimd");
    const threaded = simd && self.crossOriginIsolated && (await supportsFeature("threads"));
    const name = `litert_wasm_${threaded ? "threaded_" : simd ? "" : "compat_"}internal.js`;
    const threads = threaded ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    // In a worker the engine would look for its files beside the worker's own script.
    Object.assign(self, {
      Module: {
        locateFile: (file: string) => new URL(file, wasm).href,
        mainScriptUrlOrBlob: new URL(name, wasm).href,
      },
    });
    await loadLiteRt(wasm.href, { threads: threaded });
    let model: CompiledModel;
    try {
      model = await loadAndCompile(bytes, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
    } catch (error) {
      throw new ArtifactError(`The engine cannot load this model (${said(error)}). Export it again.`);
    }
    const engine = new Engine(model, info, threads, simd, name);
    engine.requireContract();
    return engine;
  }

  /** Runs one graph; "network" is the network itself. */
  async step(name: string, arrays: Arrays): Promise<Arrays> {
    const runner = this.model.signatures[name === "network" ? NETWORK : name];
    if (!runner) throw new ArtifactError(`The model has no graph ${name}. Export it with --session.`);
    const made: Tensor[] = [];
    try {
      const inputs: Record<string, Tensor> = {};
      for (const { name: input, shape, dtype } of runner.getInputDetails()) {
        const array = arrays[input];
        const length = shape.reduce((product, n) => product * n, 1);
        if (array?.length !== length || (dtype === "uint8") !== array instanceof Uint8Array)
          throw new Error(`graph ${name} takes ${length} ${dtype} as ${input}, not ${array?.length}`);
        if (input === "pixels") inputs[input] = this.photo(array, shape);
        else made.push((inputs[input] = Tensor.fromTypedArray(array as TypedArray, shape)));
      }
      const outputs = await runner.run(inputs);
      made.push(...Object.values(outputs));
      return Object.fromEntries(
        Object.entries(outputs).map(([output, tensor]) => [output, tensor.toTypedArray() as Array1D]),
      );
    } finally {
      made.forEach((tensor) => tensor.delete());
    }
  }

  /** Forgets the photo, so that its memory is free for the next. */
  forgetPhoto(): void {
    this.kept?.tensor.delete();
    this.kept = undefined;
  }

  private photo(array: Array1D, shape: Int32Array): Tensor {
    if (this.kept?.array !== array) {
      this.forgetPhoto();
      this.kept = { array, tensor: Tensor.fromTypedArray(array as TypedArray, shape) };
    }
    return this.kept.tensor;
  }

  private requireContract(): void {
    const { side, slots, previousMask, largestPhoto, screen } = this.info;
    const expected: Record<string, Record<string, number>> = {
      [NETWORK]: {
        image: 3 * side[0] * side[1],
        clicks: 6 * slots,
        ...(previousMask ? { prev_mask: side[0] * side[1] } : {}),
      },
      prepare: { pixels: 3 * largestPhoto, size: 2, clicks: 6 * slots, output: side[0] * side[1], placed: 4, roi: 4 },
      ...(previousMask ? { begin: { mask: largestPhoto, size: 2, box: 4 } } : {}),
      finish: { output: side[0] * side[1], placed: 4, rows: screen[0], columns: screen[1] },
    };
    for (const [signature, inputs] of Object.entries(expected)) {
      const found = this.model.signatures[signature]?.getInputDetails() ?? [];
      const lengths = Object.fromEntries(
        found.map((entry) => [entry.name, entry.shape.reduce((product, n) => product * n, 1)]),
      );
      for (const name of new Set([...Object.keys(inputs), ...Object.keys(lengths)]))
        if (inputs[name] !== lengths[name])
          throw new ArtifactError(
            `The model's graph ${signature} takes ${lengths[name] ?? "no"} values as ${name} and its ` +
              `description says ${inputs[name] ?? "none"}. Export it again.`,
          );
    }
  }
}

export function said(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0].slice(0, 160) || "no reason given";
}
