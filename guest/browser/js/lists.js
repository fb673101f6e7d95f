// The list compiler, for pages on which lists are tried out. Types and contracts: lists.d.ts.

import initWasm, { compileLists as compile } from "./wasm/lists.js";
import { TamisError } from "./tamis.js";

const isNode = typeof process === "object" && typeof process?.versions?.node === "string";
let starting;

export function initLists(module) {
  starting ??= start(module).catch((error) => {
    starting = undefined;
    throw new TamisError("not-loaded", `the list compiler did not load: ${error?.message ?? error}`, { cause: error });
  });
  return starting;
}

async function start(module) {
  let source = module ?? new URL("./wasm/lists_bg.wasm", import.meta.url);
  if (isNode && String(source).startsWith("file:")) {
    const { readFile } = await import("node:fs/promises");
    source = await readFile(new URL(source));
  }
  await initWasm({ module_or_path: source });
}

export async function compileLists({ lists, taxonomy, policy, texts = {} }) {
  await initLists();
  let compiled;
  try {
    const paths = lists.map(({ path }) => String(path));
    const sources = lists.map(({ text }) => String(text));
    compiled = compile(paths, sources, String(taxonomy), String(policy), JSON.stringify(texts));
    const kit = compiled.kit;
    const diagnostics = compiled.diagnostics.map((found) => {
      const { code, fatal, path, line, column, message, help, rendered } = found;
      found.free();
      return { code, level: fatal ? "error" : "warning", path, line, column, message, help, rendered };
    });
    return { kit: kit.length > 0 ? kit : undefined, diagnostics };
  } catch (thrown) {
    if (thrown instanceof WebAssembly.RuntimeError) {
      throw new TamisError("trap", "the list compiler failed; load the page again", { cause: thrown });
    }
    const text = String(thrown);
    throw new TamisError(text.split(": ", 1)[0], text.slice(text.indexOf(": ") + 2));
  } finally {
    compiled?.free();
  }
}
