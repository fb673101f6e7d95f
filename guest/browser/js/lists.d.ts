import type { CategoryText } from "./tamis.js";

export interface ListSource {
  /** Name for diagnostics. */
  path: string;
  /** A list in TOML, as in `wordlists/`. */
  text: string;
}

export interface Diagnostic {
  /** Such as `T006`. */
  code: string;
  level: "error" | "warning";
  path: string;
  /** From 1. */
  line: number;
  /** In characters, from 1. */
  column: number;
  message: string;
  /** What to do about it. */
  help: string;
  /** All of it, for a terminal. */
  rendered: string;
}

/** Loads the list compiler. `compileLists` does so by itself. @throws TamisError `not-loaded` */
export function initLists(module?: string | URL | BufferSource | WebAssembly.Module): Promise<void>;

/** Compiles lists to a kit for `Scanner`; without `kit` if one of them has an error. */
export function compileLists(sources: {
  lists: ListSource[];
  /** The content of `taxonomy.toml`. */
  taxonomy: string;
  /** The content of `policy.toml`. */
  policy: string;
  texts?: Record<string, CategoryText>;
}): Promise<{ kit: Uint8Array | undefined; diagnostics: Diagnostic[] }>;
