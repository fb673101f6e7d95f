//! Compiled modules, kept by the content they were compiled from, so that a start or a swap to a known module
//! costs milliseconds. The folder is this host's alone: machine code is never accepted from outside.
#![expect(unsafe_code, reason = "loading machine code is believing it")]

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module};

use crate::bundle::{make_private, sha256_hex, write_whole};

/// How many compiled modules are kept.
const KEPT: usize = 16;
const DIGEST_BYTES: usize = 32;

/// The module compiled from `wasm`, if it is in the folder: whole, for this engine, and the folder private.
pub(crate) fn load(folder: &Path, engine: &Engine, wasm: &[u8]) -> Option<Module> {
    let bytes = fs::read(path(folder, engine, wasm)).ok()?;
    let (digest, code) = bytes.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(code)[..] != *digest || !is_private(folder) {
        return None;
    }
    // SAFETY: the bytes are what `keep` wrote: the folder belongs to this user and nobody else can write to
    // it, the file has the digest that was stored with it, and its name says that it was made from this very
    // WebAssembly by an engine with these settings and this version, which the engine checks once more.
    unsafe { Module::deserialize(engine, code) }.ok()
}

/// Keeps a compiled module, and deletes the oldest beyond sixteen.
pub(crate) fn keep(folder: &Path, engine: &Engine, wasm: &[u8], module: &Module) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let other = |error: &dyn ToString| io::Error::other(error.to_string());
    make_private(folder).map_err(|refusal| other(&refusal))?;
    let code = module.serialize().map_err(|error| other(&error))?;
    let bytes = [&Sha256::digest(&code)[..], &code].concat();
    write_whole(&path(folder, engine, wasm), &bytes).map_err(|refusal| other(&refusal))?;
    let mut files: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| entry.ok()).collect();
    files.sort_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok());
    for entry in files.iter().rev().skip(KEPT) {
        // One that stays is merely one more.
        let _ = fs::remove_file(entry.path());
    }
    Ok(())
}

/// Named by the WebAssembly, and by all that the engine says matters.
fn path(folder: &Path, engine: &Engine, wasm: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    folder.join(format!("{}-{:016x}.code", sha256_hex(wasm), hasher.finish()))
}

/// Whether the folder is this user's, and nobody else may write or read.
fn is_private(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = rustix::process::geteuid().as_raw();
        fs::metadata(folder).is_ok_and(|metadata| metadata.uid() == owner && metadata.mode() & 0o077 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
}
