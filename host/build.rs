//! Builds the filter module from the guest crate, so that the host can embed it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = manifest_dir.parent().expect("the host is a folder of the workspace");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for path in ["guest/src", "guest/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    add_target();
    build_module(workspace, &out_dir.join("module"));
    let module = out_dir.join("module").join(TARGET).join("module/tamis_guest.wasm");
    println!("cargo::rustc-env=TAMIS_MODULE={}", module.display());
}

/// Makes sure that the WebAssembly target is there: through rustup, or the error says what to do.
fn add_target() {
    let rustc = env::var_os("RUSTC").expect("cargo sets it");
    let libdir = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let libdir = libdir.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if libdir.is_ok_and(|libdir| Path::new(&libdir).is_dir()) {
        return;
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    assert!(
        added.is_ok_and(|status| status.success()),
        "\n\nThe filter is WebAssembly, and this Rust cannot build for {TARGET}.\n\
         With rustup, type:  rustup target add {TARGET}\n\
         Without it, install the package of your system that holds the standard library for {TARGET}.\n"
    );
}

fn build_module(workspace: &Path, target_dir: &Path) {
    // An own target folder: the outer cargo holds the lock of the usual one. Settings of the outer
    // build are for another target, and a lint wrapper would run on it a second time.
    let status = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .current_dir(workspace)
        .args(["rustc", "--package", "tamis-guest", "--features", "abi", "--crate-type", "cdylib", "--locked"])
        .args(["--profile", "module", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", "-Ctarget-feature=+simd128 -Clink-arg=--import-memory -Clink-arg=-zstack-size=65536")
        .status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "building the filter module failed ({status:?}); the compiler's message is above"
    );
}
