import type { Action, Match, ScanOptions, Verdict } from "./tamis.js";

/** A `Scanner` or a `WorkerScanner`. */
export interface AnyScanner {
  scan(message: string, options?: ScanOptions): Verdict | Promise<Verdict>;
}

export interface UploadResult {
  action: Action;
  /** The first 1,000, by place in the whole text. */
  matches: Match[];
  /** Whether there were more matches than are listed. */
  capped: boolean;
  /** Units of UTF-16. */
  length: number;
}

export interface UploadProgress {
  loaded: number;
  total: number | undefined;
  /** Matches that are new. */
  found: Match[];
  /** The strictest so far. */
  action: Action;
}

/**
 * Judges a text that comes in pieces, in parts of 256 Ki units that overlap by 4,096. A match up to that long is found
 * wherever pieces and parts end. The parts of an `a&b` term must be in one part of the text.
 */
export class UploadScan {
  constructor(scanner: AnyScanner, options?: ScanOptions);
  push(text: string): Promise<Match[]>;
  finish(): Promise<Match[]>;
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
