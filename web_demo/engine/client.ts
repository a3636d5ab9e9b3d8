/** The page's end of the worker. */

import type { Answer, RequestName, Requests } from "./protocol.js";

/** Something that the user can cause or has to know; shown as it is. */
export class Problem extends Error {
  override name = "Problem";
}

/** The answer is of no use any more: another photo was opened, or another view is shown. */
export class Stale extends Error {
  override name = "Stale";
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class EngineClient {
  private readonly pending = new Map<number, Pending>();
  private readonly worker: Worker;
  private next = 1;

  constructor(
    private readonly onProgress: (what: string, done: number, all: number) => void,
    /** The worker died while nobody waited for it. */
    private readonly onStop: (problem: Problem) => void = () => undefined,
  ) {
    this.worker = this.start();
  }

  ask<N extends RequestName>(name: N, body: Requests[N][0], transfer: Transferable[] = []): Promise<Requests[N][1]> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      this.worker.postMessage({ id, name, body }, transfer);
    });
  }

  /** Ends the worker, and with it everything it held. */
  end(): void {
    this.worker.terminate();
    this.fail(new Stale("another engine was started"));
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { name: "engine" });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const problem = new Problem(`The engine stopped (${event.message || "out of memory"}).`);
      if (!this.pending.size) this.onStop(problem);
      this.fail(problem);
    };
    return worker;
  }

  private take(answer: Answer): void {
    if ("progress" in answer) return this.onProgress(answer.progress, answer.done, answer.all);
    const pending = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if (!pending) return;
    if (!("problem" in answer)) pending.resolve(answer.value);
    else if (answer.problem === "stale") pending.reject(new Stale("another photo was opened"));
    else pending.reject(new Problem(answer.ours ? `The engine failed: ${answer.problem}.` : answer.problem));
  }

  private fail(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
