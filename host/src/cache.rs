//! Compiled modules, kept by the content they were compiled from, so that a start or a swap to a known module
//! costs milliseconds. The folder is this host's alone: machine code is never accepted from outside.
#![expect(unsafe_code, reason = "loading machine code is believing it")]

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module};

use crate::bundle::sha256_hex;
use crate::files::{is_own, is_private, private_folder, write_whole};

/// How many compiled modules are kept.
const KEPT: usize = 16;
const DIGEST_BYTES: usize = 32;

/// The module compiled from `wasm`, if it is in the folder: whole, made of it for this engine, and nobody else's work.
pub(crate) fn load(folder: &Path, engine: &Engine, wasm: &[u8]) -> Option<Module> {
    let path = path(folder, engine, wasm);
    let bytes = fs::read(&path).ok()?;
    let (digest, code) = bytes.split_at_checked(DIGEST_BYTES)?;
    let is_ours = is_private(folder).is_ok_and(|yes| yes) && is_own(&path).is_ok_and(|yes| yes);
    if !is_ours || *digest != seal(&path, code) {
        return None;
    }
    // SAFETY: the bytes are what `keep` wrote: folder and file belong to this user and nobody else can write to
    // them, and the digest that was stored with the code is over the code and the name, which says that it was made
    // from this very WebAssembly by an engine with these settings and this version, which the engine checks once more.
    unsafe { Module::deserialize(engine, code) }.ok()
}

/// Keeps a compiled module, and deletes the oldest beyond sixteen.
pub(crate) fn keep(folder: &Path, engine: &Engine, wasm: &[u8], module: &Module) -> io::Result<()> {
    private_folder(folder)?;
    let code = module.serialize().map_err(|error| io::Error::other(error.to_string()))?;
    let path = path(folder, engine, wasm);
    write_whole(&path, &[&seal(&path, &code)[..], &code].concat())?;
    let mut files: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| entry.ok()).collect();
    files.sort_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok());
    for entry in files.iter().rev().skip(KEPT) {
        // One that stays is merely one more.
        let _ = fs::remove_file(entry.path());
    }
    Ok(())
}

/// Of code and the name of its file: one that was renamed is not the one that it says.
fn seal(path: &Path, code: &[u8]) -> [u8; DIGEST_BYTES] {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    Sha256::new().chain_update(name).chain_update(code).finalize().into()
}

/// Named by the WebAssembly, and by all that the engine says matters.
fn path(folder: &Path, engine: &Engine, wasm: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    folder.join(format!("{}-{:016x}.code", sha256_hex(wasm), hasher.finish()))
}
