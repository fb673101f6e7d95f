// A scanner in a worker, so that judging never holds up a page. Types and contracts: worker-scanner.d.ts.

import { TamisError } from "./tamis.js";

/** Addresses are those of the page, not of the worker's file. */
function absolute(pack) {
  return pack?.url === undefined ? pack : { ...pack, url: new URL(pack.url, location.href).href };
}

export class WorkerScanner {
  #worker;
  #waiting = new Map();
  #next = 1;
  #ended;
  #onProgress;
  texts = {};
  info;

  /** Starts a worker with a pack: bytes, or `{ url, ...options of loadPack }`. */
  static async start(pack, options = {}) {
    const { worker, onProgress, ...rest } = options;
    const own = worker ?? new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "tamis" });
    const scanner = new WorkerScanner(own, onProgress);
    try {
      const { info, texts, loaded } = await scanner.#call("start", [absolute(pack), rest]);
      Object.assign(scanner, { info, texts, loaded });
    } catch (error) {
      scanner.terminate();
      throw error;
    }
    return scanner;
  }

  constructor(worker, onProgress) {
    this.#worker = worker;
    this.#onProgress = onProgress;
    worker.onmessage = ({ data }) => this.#answer(data);
    worker.onerror = (event) => this.#end(new TamisError("worker", `the worker failed: ${event.message ?? "it did not load"}`));
  }

  scan(message, options) {
    return this.#call("scan", [message, options]);
  }

  mask(message, options) {
    return this.#call("mask", [message, options]);
  }

  reasons(message) {
    return this.#call("reasons", [message]);
  }

  smsLength(text) {
    return this.#call("smsLength", [text]);
  }

  async swap(pack, options) {
    const { info, texts, loaded } = await this.#call("swap", [absolute(pack), options]);
    Object.assign(this, { info, texts, loaded });
    return info.generation;
  }

  terminate() {
    this.#end(new TamisError("freed", "the worker was ended"));
  }

  #call(method, args) {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      try {
        this.#worker.postMessage({ id, method, args });
        this.#waiting.set(id, { resolve, reject });
      } catch (error) {
        reject(new TamisError("bad-message", `this cannot be sent to a worker: ${error.message}`, { cause: error }));
      }
    });
  }

  #answer({ id, progress, result, error }) {
    if (progress !== undefined) {
      this.#onProgress?.(progress);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new TamisError(error.code, error.message));
    else waiting?.resolve(result);
  }

  #end(reason) {
    this.#ended ??= reason;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
