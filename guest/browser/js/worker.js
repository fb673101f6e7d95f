// The worker's side of worker-scanner.js: one scanner, and calls to it by message.

import { Scanner, TamisError, init, loadPack, smsLength } from "./tamis.js";

let scanner;

async function packOf(pack, options) {
  if (pack?.url === undefined) return { pack };
  const { url, ...rest } = pack;
  const onProgress = (progress) => postMessage({ progress });
  const loaded = await loadPack(url, { ...rest, publicKey: rest.publicKey ?? options?.publicKey, onProgress });
  const problem = loaded.problem && { code: loaded.problem.code, message: loaded.problem.message };
  return { pack: loaded, loaded: { source: loaded.source, stored: loaded.stored, problem } };
}

const state = (loaded) => ({ info: scanner.info, texts: scanner.texts, loaded });

const methods = {
  async start(source, options) {
    await init(options?.module);
    const { pack, loaded } = await packOf(source, options);
    scanner = new Scanner(pack, options);
    return state(loaded);
  },
  async swap(source, options) {
    const { pack, loaded } = await packOf(source, options);
    scanner.swap(pack, options);
    return state(loaded);
  },
  scan: (message, options) => scanner.scan(message, options),
  mask: (message, options) => scanner.mask(message, options),
  reasons: (message) => scanner.reasons(message),
  smsLength,
};

// One after the other, so that a scan that was asked for after a swap is judged by the new pack.
let last = Promise.resolve();

onmessage = ({ data: { id, method, args } }) => {
  last = last.then(async () => {
    try {
      if (scanner === undefined && method !== "start") throw new TamisError("not-loaded", "the worker has no pack yet");
      postMessage({ id, result: await methods[method](...args) });
    } catch (error) {
      postMessage({ id, error: { code: error?.code ?? "unknown", message: String(error?.message ?? error) } });
    }
  });
};
