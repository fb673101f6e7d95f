// Judges long texts in parts, as they come. Types and contracts: upload.d.ts.

import { TamisError } from "./tamis.js";

const PART = 256 << 10;
const OVERLAP = 4096;
const MATCHES_MAX = 1000;
const AROUND = 24;
const EXCERPT = 200;
const ACTIONS = ["allow", "flag", "mask", "hold", "block"];
const isSpace = (unit) => unit === 32 || (unit >= 9 && unit <= 13) || unit === 0x3000;
const isLow = (unit) => unit >= 0xdc00 && unit <= 0xdfff;

/** The encoding of a text file, told from its first bytes. */
export function guessEncoding(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return "utf-8";
  } catch {
    return "gb18030";
  }
}

export class UploadScan {
  #scanner;
  #options;
  #text = "";
  #at = 0;
  #seen = new Set();
  result = { action: "allow", matches: [], capped: false, length: 0 };

  constructor(scanner, options = {}) {
    this.#scanner = scanner;
    this.#options = { field: "upload", ...options };
  }

  /** Takes the next piece, of any length, and returns the matches that are certain by now. */
  async push(text) {
    this.#text += text;
    this.result.length += text.length;
    const found = [];
    while (this.#text.length >= PART) found.push(...(await this.#part(PART)));
    return found;
  }

  /** Takes the end, and returns the last matches. */
  async finish() {
    return this.#part(this.#text.length);
  }

  /** What stands at a place and around it, on one line. */
  #excerpt(start, end) {
    const line = (from, to) => this.#text.slice(Math.max(0, from), to).replace(/\s+/g, " ");
    return { before: line(start - AROUND, start), text: line(start, Math.min(end, start + EXCERPT)), after: line(end, end + AROUND) };
  }

  async #part(length) {
    const isLast = length === this.#text.length && length < PART;
    const verdict = await this.#scanner.scan(this.#text.slice(0, length), this.#options);
    // The next part begins at a word if there is one near, so that no half of a word is taken for a whole.
    let next = length;
    if (!isLast) {
      next = length - OVERLAP;
      let word = next;
      while (word > next - OVERLAP && !isSpace(this.#text.charCodeAt(word - 1))) word -= 1;
      if (word > next - OVERLAP) next = word;
      else if (isLow(this.#text.charCodeAt(next))) next -= 1;
    }
    const found = [];
    for (const match of verdict.matches) {
      // What begins in the next part is judged there, where it is whole.
      if (match.start >= next && !isLast) continue;
      const excerpt = this.#excerpt(match.start, match.end);
      const moved = { ...match, start: match.start + this.#at, end: match.end + this.#at, excerpt };
      const key = `${moved.start} ${moved.end} ${moved.list} ${moved.term}`;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      found.push(moved);
    }
    const isCapped = verdict.flags.includes("matches_capped");
    const actions = isCapped ? [verdict.action] : found.map((match) => match.action);
    for (const action of actions) {
      if (ACTIONS.indexOf(action) > ACTIONS.indexOf(this.result.action)) this.result.action = action;
    }
    const room = MATCHES_MAX - this.result.matches.length;
    this.result.capped ||= isCapped || found.length > room;
    this.result.matches.push(...found.slice(0, room));
    this.#text = this.#text.slice(next);
    this.#at += next;
    for (const key of this.#seen) if (Number(key.split(" ", 2)[1]) <= this.#at) this.#seen.delete(key);
    return found;
  }
}

/** Judges a file or stream of text, part by part. */
export async function scanUpload(scanner, source, options = {}) {
  const { onProgress, signal, encoding, ...rest } = options;
  const total = source.size;
  const reader = (source.stream?.() ?? source).getReader();
  const scan = new UploadScan(scanner, rest);
  let decoder;
  let loaded = 0;
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (signal?.aborted) throw new TamisError("aborted", "checking was given up");
      decoder ??= new TextDecoder(encoding ?? guessEncoding(chunk.value));
      loaded += chunk.value.length;
      const found = await scan.push(decoder.decode(chunk.value, { stream: true }));
      onProgress?.({ loaded, total, found, action: scan.result.action });
    }
    const found = [...(await scan.push(decoder?.decode() ?? "")), ...(await scan.finish())];
    onProgress?.({ loaded, total, found, action: scan.result.action });
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error;
  }
  return { ...scan.result, encoding: decoder?.encoding ?? "utf-8", bytes: loaded };
}
