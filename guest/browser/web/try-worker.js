// Compiles the shipped lists with one of them edited, and judges messages by both.

import { Scanner, init } from "./tamis/tamis.js";
import { compileLists, initLists } from "./tamis/lists.js";

let files;
let texts;
let before;
let after;

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`cannot load ${path}: the server says ${answer.status}`);
  return answer;
}

async function compile(edit) {
  const lists = Object.entries(files)
    .filter(([path]) => path.includes("/") && path !== edit?.path)
    .map(([path, text]) => ({ path, text }));
  if (edit !== undefined) lists.push(edit);
  return compileLists({ lists, taxonomy: files["taxonomy.toml"], policy: files["policy.toml"], texts });
}

const started = (async () => {
  try {
    const [all, kit] = await Promise.all([
      get("lists.json").then((answer) => answer.json()),
      get("default.kit").then((answer) => answer.arrayBuffer()).catch(() => undefined),
      init(),
      initLists(),
    ]);
    files = all;
    if (kit !== undefined) {
      const shipped = new Scanner(kit);
      texts = shipped.texts;
      shipped.free();
    }
    const { kit: own, diagnostics } = await compile();
    if (own === undefined) throw new Error(diagnostics[0]?.rendered ?? "the lists do not compile");
    before = new Scanner(own);
    after = new Scanner(own);
    postMessage({ files, texts: texts ?? {} });
  } catch (error) {
    postMessage({ error: { code: error.code, message: error.message } });
  }
})();

onmessage = async ({ data: { id, edit, messages, channel } }) => {
  await started;
  if (before === undefined) return;
  try {
    const from = performance.now();
    const { kit, diagnostics } = await compile(edit);
    if (kit !== undefined) after.swap(kit);
    const ms = performance.now() - from;
    const rows = messages.map((message) => ({ message, before: before.scan(message, { channel }), after: after.scan(message, { channel }) }));
    const own = diagnostics.filter((found) => found.path === edit.path);
    postMessage({ id, diagnostics: own.length > 0 ? own : diagnostics, terms: after.info.terms, ms, rows });
  } catch (error) {
    postMessage({ id, error: { code: error.code, message: error.message } });
  }
};
