import type { Action, Match, ScanOptions, Verdict } from "./tamis.js";

/** A `Scanner` or a `WorkerScanner`. */
export interface AnyScanner {
  scan(message: string, options?: ScanOptions): Verdict | Promise<Verdict>;
}

/** A match in a long text, with what stands around it. */
export interface UploadMatch extends Match {
  /** The match, at most 200 units of it, and 24 before and after, on one line. */
  excerpt: { before: string; text: string; after: string };
}

export interface UploadResult {
  action: Action;
  /** The first 1,000, by place in the whole text. */
  matches: UploadMatch[];
  /** Whether there were more matches than are listed. */
  capped: boolean;
  /** Units of UTF-16. */
  length: number;
}

export interface UploadProgress {
  loaded: number;
  total: number | undefined;
  /** Matches that are new. */
  found: UploadMatch[];
  /** The strictest so far. */
  action: Action;
}

/**
 * Judges a text that comes in pieces, in parts of 256 Ki units that overlap by 4,096. A match up to that long is found
 * wherever pieces and parts end. The parts of an `a&b` term must be in one part of the text.
 */
export class UploadScan {
  constructor(scanner: AnyScanner, options?: ScanOptions);
  push(text: string): Promise<UploadMatch[]>;
  finish(): Promise<UploadMatch[]>;
  readonly result: UploadResult;
}

/** Judges a file or stream of bytes. Without `encoding` it is UTF-8, UTF-16 with its mark, or GB 18030. */
export function scanUpload(
  scanner: AnyScanner,
  source: Blob | ReadableStream<Uint8Array>,
  options?: ScanOptions & { encoding?: string; onProgress?: (progress: UploadProgress) => void; signal?: AbortSignal },
): Promise<UploadResult & { encoding: string; bytes: number }>;

/** The encoding of a text file, told from its first bytes. */
export function guessEncoding(bytes: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" | "gb18030";
