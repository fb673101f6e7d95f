// The Tamis filter for pages, workers and Node. Types and contracts: tamis.d.ts.

import initWasm, { Engine, names, sms, verify } from "./wasm/scanner.js";

export class TamisError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "TamisError";
    this.code = code;
  }
}

/** What the module threw, as a TamisError. */
function typed(thrown) {
  if (thrown instanceof TamisError) return thrown;
  if (typeof thrown === "string") {
    const end = thrown.indexOf(": ");
    return new TamisError(thrown.slice(0, end), thrown.slice(end + 2));
  }
  if (thrown instanceof WebAssembly.RuntimeError || thrown instanceof RangeError) {
    return new TamisError("trap", "the filter module failed; load the page again", { cause: thrown });
  }
  return new TamisError("unknown", String(thrown?.message ?? thrown), { cause: thrown });
}

const isNode = typeof process === "object" && typeof process?.versions?.node === "string";
const MESSAGE_BYTES_MAX = 1 << 20;
const INPUT_BYTES_MAX = MESSAGE_BYTES_MAX + 4;
const PACK_BYTES_MAX = 256 << 20;

let memory;
let starting;
let tables;

export function init(module) {
  starting ??= start(module).catch((error) => {
    starting = undefined;
    throw error;
  });
  return starting;
}

async function start(module) {
  try {
    let source = module ?? new URL("./wasm/scanner_bg.wasm", import.meta.url);
    const address = source instanceof URL ? source : typeof source === "string" ? source : undefined;
    if (isNode && address !== undefined && String(address).startsWith("file:")) {
      const { readFile } = await import("node:fs/promises");
      source = await readFile(new URL(address));
    }
    const wasm = await initWasm({ module_or_path: source });
    memory = wasm.memory;
    tables = { actions: names("actions"), fields: names("fields"), flags: names("flags"), evidence: names("evidence"), signals: names("signals") };
  } catch (error) {
    throw new TamisError("not-loaded", `the filter module did not load: ${error?.message ?? error}`, { cause: error });
  }
}

const NONE = Object.freeze([]);
const encoder = new TextEncoder();

function setOf(bits, all) {
  if (bits === 0) return NONE;
  return all.filter((_, bit) => bits & (1 << bit));
}

function bytesOf(pack) {
  if (pack instanceof Uint8Array) return pack;
  if (pack instanceof ArrayBuffer) return new Uint8Array(pack);
  if (pack?.bytes instanceof Uint8Array) return pack.bytes;
  throw new TamisError("not-a-pack", "give the pack as Uint8Array or ArrayBuffer, or what loadPack returned");
}

/** An engine of these bytes, signature and content checked. */
function checked(bytes, signature, publicKey) {
  try {
    if (publicKey !== undefined) {
      if (typeof signature !== "string") {
        throw new TamisError("bad-signature", "a public key is set, and this pack comes without a signature");
      }
      verify(bytes, signature, publicKey);
    }
    return new Engine(bytes);
  } catch (thrown) {
    throw typed(thrown);
  }
}

/** Engines that `loadPack` made to check what it loaded, by what it returned: a large pack is not read twice. */
const ready = new WeakMap();

function takeReady(loaded, publicKey) {
  const made = typeof loaded === "object" && loaded !== null ? ready.get(loaded) : undefined;
  if (made === undefined || (publicKey !== undefined && publicKey !== made.publicKey)) return undefined;
  ready.delete(loaded);
  return made.engine;
}

export class Scanner {
  #engine;
  #generation = 0;
  #publicKey;
  #channelName;
  #channel = 0;
  #channels;
  #field = 0;
  #terms = new Map();
  #view = new Uint8Array(0);
  #texts;

  constructor(pack, options = {}) {
    if (memory === undefined) {
      throw new TamisError("not-loaded", "the filter module is not loaded yet: `await init()` first");
    }
    this.#publicKey = options.publicKey;
    this.#field = fieldNumber(options.field ?? "body");
    this.#channelName = options.channel;
    this.#load(pack, options.signature);
  }

  /** Everything that can fail comes before the first thing that changes. */
  #load(pack, signature) {
    const engine = takeReady(pack, this.#publicKey) ?? checked(bytesOf(pack), signature ?? pack?.signature, this.#publicKey);
    const channels = engine.channels();
    const channel = this.#channelName === undefined ? 0 : channels.indexOf(this.#channelName);
    if (channel < 0) {
      engine.free();
      throw new TamisError("no-channel", `the policy has no channel \`${this.#channelName}\`; it has ${channels.join(", ")}`);
    }
    this.#engine?.free();
    this.#engine = engine;
    this.#channels = channels;
    this.#channel = channel;
    this.#generation += 1;
    this.#terms = new Map();
    this.#view = new Uint8Array(0);
    this.#texts = undefined;
  }

  get generation() {
    return this.#generation;
  }

  get info() {
    const engine = this.#alive();
    return {
      generation: this.#generation,
      terms: engine.terms(),
      checksum: engine.checksum(),
      channels: [...this.#channels],
    };
  }

  get texts() {
    if (this.#texts === undefined) {
      try {
        this.#texts = JSON.parse(this.#alive().texts() || "{}");
      } catch {
        this.#texts = {};
      }
    }
    return this.#texts;
  }

  swap(pack, options = {}) {
    this.#alive();
    this.#load(pack, options.signature);
    return this.#generation;
  }

  scan(message, options) {
    const engine = this.#alive();
    const isText = typeof message === "string";
    let packed;
    try {
      packed = engine.scan(this.#write(message), this.#fieldOf(options), this.#channelOf(options), isText);
    } catch (thrown) {
      throw typed(thrown);
    }
    return {
      action: tables.actions[packed & 0xff],
      matches: packed >>> 16 === 0 ? NONE : this.#matches(packed >>> 16),
      flags: setOf((packed >>> 8) & 0xff, tables.flags),
      confidence: this.#confidence(),
      generation: this.#generation,
    };
  }

  reasons(message) {
    const engine = this.#alive();
    try {
      const count = engine.reasons(this.#write(message), typeof message === "string");
      const words = new Uint32Array(memory.buffer, engine.output(), count * 5).slice();
      return Array.from({ length: count }, (_, index) => {
        const [start, end, weight, signal] = words.subarray(index * 5, index * 5 + 5);
        const reason = { start, end, weight: (weight | 0) / 1000 };
        return tables.signals[signal] === undefined ? reason : { ...reason, signal: tables.signals[signal] };
      });
    } catch (thrown) {
      throw typed(thrown);
    }
  }

  mask(message, options) {
    const engine = this.#alive();
    try {
      return engine.mask(this.#write(message), this.#fieldOf(options), this.#channelOf(options));
    } catch (thrown) {
      throw typed(thrown);
    }
  }

  scanWire(message, options) {
    const engine = this.#alive();
    try {
      engine.scan(this.#write(message), this.#fieldOf(options), this.#channelOf(options), false);
      return engine.wire();
    } catch (thrown) {
      throw typed(thrown);
    }
  }

  free() {
    this.#engine?.free();
    this.#engine = undefined;
  }

  #alive() {
    if (this.#engine === undefined) throw new TamisError("freed", "this scanner was freed");
    return this.#engine;
  }

  #fieldOf(options) {
    return options?.field === undefined ? this.#field : fieldNumber(options.field);
  }

  /** As in gateways: a channel that the policy does not know is the default one. */
  #channelOf(options) {
    return options?.channel === undefined ? this.#channel : Math.max(0, this.#channels.indexOf(options.channel));
  }

  /** Writes the message to the module's input and returns its length in bytes. Lone surrogates become U+FFFD. */
  #write(message) {
    if (typeof message === "string") {
      this.#room(message.length * 3);
      return encoder.encodeInto(message, this.#view).written;
    }
    if (message instanceof Uint8Array) {
      const bytes = message.subarray(0, INPUT_BYTES_MAX);
      this.#room(bytes.length);
      this.#view.set(bytes);
      return bytes.length;
    }
    throw new TamisError("bad-message", "a message is a string, or bytes as Uint8Array");
  }

  #room(bytes) {
    if (this.#view.buffer === memory.buffer && this.#view.length >= Math.min(bytes, INPUT_BYTES_MAX)) return;
    const length = Math.min(Math.max(bytes, this.#view.length, 4096), INPUT_BYTES_MAX);
    const address = this.#engine.input(length);
    this.#view = new Uint8Array(memory.buffer, address, length);
  }

  #confidence() {
    const packed = this.#engine.confidence();
    return packed === 0xffffffff ? undefined : { advertising: packed & 0xffff, fraud: packed >>> 16 };
  }

  #matches(count) {
    const words = new Uint32Array(memory.buffer, this.#engine.output(), count * 5).slice();
    return Array.from({ length: count }, (_, index) => {
      const [start, end, term, evidence, action] = words.subarray(index * 5, index * 5 + 5);
      return { start, end, ...this.#term(term), evidence: setOf(evidence, tables.evidence), action: tables.actions[action] };
    });
  }

  #term(number) {
    let known = this.#terms.get(number);
    if (known === undefined) {
      const info = this.#engine.term(number);
      const { text, list, category, code, severity, clauses } = info;
      info.free();
      known = { term: text, list, category, code, severity, clauses: Object.freeze(clauses) };
      this.#terms.set(number, known);
    }
    return known;
  }
}

function fieldNumber(name) {
  const number = tables.fields.indexOf(name);
  if (number < 0) throw new TamisError("no-field", `no field \`${name}\`; fields are ${tables.fields.join(", ")}`);
  return number;
}

export function smsLength(text) {
  if (memory === undefined) throw new TamisError("not-loaded", "the filter module is not loaded yet: `await init()` first");
  const [alphabet, units, segments, unitsLeft] = sms(text);
  return { alphabet: alphabet === 0 ? "gsm7" : "ucs2", units, segments, unitsLeft };
}

export async function verifyPack(pack, options = {}) {
  (await verified(bytesOf(pack), options)).free();
}

async function verified(bytes, { sha256, publicKey, signature }) {
  if (sha256 !== undefined) {
    if (globalThis.crypto?.subtle === undefined) {
      throw new TamisError("no-crypto", "digests need a secure context: serve the page by https, or from localhost");
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (found !== String(sha256).toLowerCase()) {
      throw new TamisError("bad-digest", `the pack has the digest ${found}, not ${sha256}: it was changed, or is another`);
    }
  }
  await init();
  return checked(bytes, signature, publicKey);
}

/** What `loadPack` returns, with its engine kept for the scanner that it is for. */
function loadedPack(loaded, engine, { publicKey }) {
  ready.set(loaded, { engine, publicKey });
  return loaded;
}

const SIGNATURE_HEADER = "x-tamis-signature";
const SIGNATURE_BYTES_MAX = 16 << 10;

/** The cache, or nothing where there is none: Node, private windows, insecure contexts. */
async function openCache(name) {
  if (name === false || typeof caches === "undefined") return undefined;
  return caches.open(name ?? "tamis-packs").catch(() => undefined);
}

export async function loadPack(url, options = {}) {
  const address = new URL(url, globalThis.location?.href ?? import.meta.url);
  const cache = await openCache(options.cache);
  let problem;
  try {
    const loaded = await download(address, options);
    const engine = await verified(loaded.bytes, { ...options, signature: loaded.signature });
    const headers = { "content-type": "application/octet-stream" };
    if (loaded.signature !== undefined) headers[SIGNATURE_HEADER] = encodeURIComponent(loaded.signature);
    // A full disk must not keep a good pack from being used.
    const stored = await cache?.put(address.href, new Response(loaded.bytes, { headers })).then(() => true, () => false);
    return loadedPack({ ...loaded, source: "network", stored: stored === true }, engine, options);
  } catch (thrown) {
    if (options.signal?.aborted) throw new TamisError("aborted", "loading was given up", { cause: thrown });
    problem = typed(thrown);
  }
  const kept = await cache?.match(address.href).catch(() => undefined);
  if (kept === undefined) throw problem;
  const bytes = new Uint8Array(await kept.arrayBuffer());
  const header = kept.headers.get(SIGNATURE_HEADER);
  const signature = header === null ? undefined : decodeURIComponent(header);
  try {
    const engine = await verified(bytes, { ...options, signature });
    return loadedPack({ bytes, signature, source: "cache", stored: true, problem }, engine, options);
  } catch {
    // What is kept is of no use for this version or key; what is wrong with the new one is the news.
    await cache.delete(address.href).catch(() => false);
    throw problem;
  }
}

async function download(address, options) {
  const bytes = await get(address, options.signal, options.bytesMax ?? PACK_BYTES_MAX, options.onProgress);
  let signature = options.signature;
  if (options.publicKey !== undefined && signature === undefined) {
    const beside = options.signatureUrl ?? `${address.href}.minisig`;
    signature = new TextDecoder().decode(await get(new URL(beside, address), options.signal, SIGNATURE_BYTES_MAX));
  }
  return { bytes, signature };
}

async function get(address, signal, bytesMax, onProgress) {
  if (isNode && address.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    const bytes = new Uint8Array(
      await readFile(address).catch((error) => {
        throw new TamisError("network", `cannot read ${address.href}: ${error.message}`, { cause: error });
      }),
    );
    onProgress?.({ loaded: bytes.length, total: bytes.length });
    return bytes;
  }
  let response;
  try {
    response = await fetch(address, { signal, cache: "no-cache", credentials: "same-origin" });
  } catch (error) {
    throw new TamisError("network", `cannot load ${address.href}: ${error.message}`, { cause: error });
  }
  if (!response.ok) throw new TamisError("network", `cannot load ${address.href}: the server says ${response.status}`);
  // The length of a compressed answer is not that of the pack.
  const announced = Number(response.headers.get("content-length"));
  const total = announced > 0 && !response.headers.has("content-encoding") ? announced : undefined;
  const tooLong = () => new TamisError("pack-too-long", `${address.href} is longer than ${bytesMax} bytes`);
  if (total > bytesMax) throw tooLong();
  const chunks = [];
  let loaded = 0;
  onProgress?.({ loaded, total });
  try {
    const reader = response.body.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      loaded += chunk.value.length;
      if (loaded > bytesMax) {
        await reader.cancel();
        throw tooLong();
      }
      chunks.push(chunk.value);
      onProgress?.({ loaded, total });
    }
  } catch (error) {
    if (error instanceof TamisError) throw error;
    throw new TamisError("network", `${address.href} broke off after ${loaded} bytes: ${error.message}`, { cause: error });
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
