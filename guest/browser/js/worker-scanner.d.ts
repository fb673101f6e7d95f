import type { LoadOptions, Progress, ScanOptions, ScannerInfo, ScannerOptions, SmsLength, CategoryText, Verdict } from "./tamis.js";

export interface WorkerOptions extends ScannerOptions {
  /** A module worker that runs `worker.js`, where it must be made in another way. */
  worker?: Worker;
  onProgress?: (progress: Progress) => void;
}

/** Bytes, or where to load them from, which the worker then does. The address may be relative to the page. */
export type WorkerPack = Uint8Array | ({ url: string } & Omit<LoadOptions, "onProgress" | "signal">);

/** A scanner in a worker: the page never waits. Answers come in the order of the calls. */
export class WorkerScanner {
  /** @throws TamisError */
  static start(pack: WorkerPack, options?: WorkerOptions): Promise<WorkerScanner>;
  scan(message: string | Uint8Array, options?: ScanOptions): Promise<Verdict>;
  mask(message: string | Uint8Array, options?: ScanOptions): Promise<string>;
  /** What the model goes by in a message. */
  reasons(message: string | Uint8Array): Promise<Reason[]>;
  smsLength(text: string): Promise<SmsLength>;
  /** On error the running pack stays. @returns the new generation */
  swap(pack: WorkerPack, options?: { signature?: string }): Promise<number>;
  readonly info: ScannerInfo;
  readonly texts: Record<string, CategoryText>;
  /** Where the pack came from, if it was loaded by address. */
  readonly loaded?: { source: "network" | "cache"; stored: boolean; problem?: { code: string; message: string } };
  terminate(): void;
}
