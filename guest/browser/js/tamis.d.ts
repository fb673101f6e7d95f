/** What to do with a message, mildest first. */
export type Action = "allow" | "flag" | "mask" | "hold" | "block";
/** What a text is. */
export type Field = "body" | "name" | "upload";
/** A fold beyond case and width that a spelling needed. */
export type Evidence =
  | "diacritic" | "style" | "invisible" | "separator" | "repeat" | "look-alike" | "variant" | "leet" | "encoded"
  | "misspelt" | "sound" | "alias";
/** What was special about a scan. */
export type Flag = "truncated" | "invalid_utf8" | "matches_capped" | "no_signature" | "no_opt_out";

/** One term found. */
export interface Match {
  /** First unit of UTF-16, as strings are indexed; first byte if the message was given as bytes. */
  start: number;
  /** First unit, or byte, after the match. Spans never split a character. */
  end: number;
  /** The term as its author wrote it. */
  term: string;
  /** Id of its list. */
  list: string;
  /** Id of its category, such as `fraud.scam`; `Scanner.texts` has words for people. */
  category: string;
  /** Number of its category. */
  code: number;
  /** 1 mild to 4 severe. */
  severity: 1 | 2 | 3 | 4;
  /** Clauses of the agreements behind the category, such as `A:5.7(9)`. */
  clauses: readonly string[];
  /** How the spelling differed; empty for a plain one. */
  evidence: readonly Evidence[];
  /** What the policy says of this match alone. */
  action: Action;
}

/** How sure the model is, in per mille; together, how sure that it is one or the other. */
export interface Confidence {
  /** It wants to sell. */
  advertising: number;
  /** It wants to deceive. */
  fraud: number;
}

/** Something that the model goes by. */
export interface Reason {
  /** Where it is, as in `Match`; all of the text for a signal. */
  start: number;
  end: number;
  /** What it adds to the natural logarithm of the odds that the message is unwanted; below 0 if it speaks against it. */
  weight: number;
  /** What there is apart from words, such as `link` or `money`. Without it, the reason is what stands there. */
  signal?: string;
}

/** The answer to a message: the same in a gateway and here. */
export interface Verdict {
  /** The strictest action of any match, and of the model's confidence. */
  action: Action;
  /** At most 64, by place. */
  matches: readonly Match[];
  flags: readonly Flag[];
  /** What the model thinks; undefined if the pack has none. */
  confidence: Confidence | undefined;
  /** Which pack of this scanner judged, from 1. */
  generation: number;
}

/** Words for people about a category, by language. */
export interface CategoryText {
  title: Record<string, string>;
  text: Record<string, string>;
  clauses: string[];
}

export type ErrorCode =
  /** `init` was not awaited, or the module did not load. */
  | "not-loaded"
  /** The bytes are neither a kit nor a pack. */
  | "not-a-pack"
  /** Made for another version of the filter. */
  | "pack-version"
  /** Compiled with another fold table. */
  | "fold-table"
  /** A byte is not what it was. */
  | "pack-damaged"
  | "pack-too-long"
  | "bad-digest"
  | "bad-signature"
  | "bad-key"
  /** No WebCrypto here: the context is not secure. */
  | "no-crypto"
  | "network"
  | "aborted"
  | "no-channel"
  | "no-field"
  | "bad-message"
  | "bad-lists"
  /** Longer than 1 MiB, to mask. */
  | "message-too-long"
  /** More than can be masked. */
  | "too-many-matches"
  | "freed"
  | "worker"
  /** The module failed, which it never should. */
  | "trap"
  | "unknown";

/** Every error of this package. `message` says what, where and what to do next. */
export class TamisError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly code: ErrorCode;
}

/**
 * Loads the filter module; call it once, and await it before anything else. Without an argument the module beside
 * this file is loaded, in Node too. A page's Content-Security-Policy needs `script-src 'wasm-unsafe-eval'`.
 * @throws TamisError `not-loaded`
 */
export function init(module?: string | URL | BufferSource | WebAssembly.Module | Response | Promise<Response>): Promise<void>;

export interface ScannerOptions {
  /** A channel of the policy; without it, the policy's default. */
  channel?: string;
  /** Without it, `body`. */
  field?: Field;
  /** A minisign public key. With it every pack, those of `swap` too, must be signed by it. */
  publicKey?: string;
  /** The text of the pack's `.minisig` file; not needed with what `loadPack` returned. */
  signature?: string;
}

export interface ScanOptions {
  /** Where it is none of the policy's, the default one. */
  channel?: string;
  field?: Field;
}

/** A kit (pack, policy and texts: `tamis compile --kit`), or a plain pack, in which every match blocks. */
export type PackSource = Uint8Array | ArrayBuffer | LoadedPack;

/** Judges messages. Synchronous and quick: some microseconds an SMS. */
export class Scanner {
  /** @throws TamisError `not-loaded`, `not-a-pack`, `pack-version`, `fold-table`, `pack-damaged`, `bad-signature`, `no-channel` */
  constructor(pack: PackSource, options?: ScannerOptions);
  /** Judges a message. Lone surrogates are read as U+FFFD; of a text longer than 1 MiB, that much is judged. */
  scan(message: string | Uint8Array, options?: ScanOptions): Verdict;
  /**
   * The message with every match for which the policy says `mask`, or something stricter, replaced: one `*` for
   * each grapheme cluster. Takes no more SMS segments than before.
   * @throws TamisError `message-too-long`, `too-many-matches`
   */
  mask(message: string | Uint8Array, options?: ScanOptions): string;
  /** What the model goes by in a message, the weightiest first, at most eight; for people, not for each keystroke. */
  reasons(message: string | Uint8Array): Reason[];
  /** The verdict as bytes, spans in bytes of UTF-8: what a gateway's sandbox answers to the same message. */
  scanWire(message: string | Uint8Array, options?: ScanOptions): Uint8Array;
  /**
   * Judges by another pack from now on. On error the running one stays.
   * @returns the new generation
   * @throws TamisError as the constructor
   */
  swap(pack: PackSource, options?: { signature?: string }): number;
  readonly generation: number;
  readonly info: ScannerInfo;
  /** Words for people by category, from the kit; empty for a plain pack. */
  readonly texts: Record<string, CategoryText>;
  /** Gives the memory back; the scanner is of no use after it. */
  free(): void;
}

export interface ScannerInfo {
  generation: number;
  /** How many terms there are. */
  terms: number;
  /** Name of the pack's content. */
  checksum: string;
  channels: string[];
}

export interface Progress {
  /** Bytes so far. */
  loaded: number;
  /** All bytes, where the server says. */
  total: number | undefined;
}

export interface VerifyOptions {
  /** SHA-256 of the file, in hex. */
  sha256?: string;
  /** A minisign public key: the second line of its file, or all of it. */
  publicKey?: string;
  /** The text of the `.minisig` file. */
  signature?: string;
}

export interface LoadOptions extends VerifyOptions {
  /** Without it, the pack's address and `.minisig`. Only used with a public key. */
  signatureUrl?: string | URL;
  /** Name of the cache for the last good pack; `false` for none. Without it, `tamis-packs`. */
  cache?: string | false;
  /** Longest file that is taken; 256 MiB without it. */
  bytesMax?: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface LoadedPack {
  bytes: Uint8Array;
  signature?: string;
  /** `cache` if the network had none, or none that may be used: `problem` says why. */
  source: "network" | "cache";
  /** Whether it will be there offline. */
  stored: boolean;
  problem?: TamisError;
}

/**
 * Loads a pack, checks it, and keeps it in the browser's cache. Where there is no network, or what it gives is
 * damaged or not signed, the last good pack is checked again and returned.
 * @throws TamisError when there is none: `network`, `pack-damaged`, `bad-signature` and so on; `aborted`
 */
export function loadPack(url: string | URL, options?: LoadOptions): Promise<LoadedPack>;

/** Checks digest, signature and content. @throws TamisError */
export function verifyPack(pack: PackSource, options?: VerifyOptions): Promise<void>;

/** How long a text is as an SMS, without language shift tables. */
export function smsLength(text: string): SmsLength;

export interface SmsLength {
  alphabet: "gsm7" | "ucs2";
  /** Septets, or units of UTF-16. */
  units: number;
  segments: number;
  /** Units that still fit into the last segment. */
  unitsLeft: number;
}
