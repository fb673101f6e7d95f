//! Builds the example of a filter module of one's own, as its author would, so that tests can load it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = manifest_dir.parent().expect("the tests are a folder of the workspace");
    let target_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("module");
    for path in ["guest/example", "guest/src", "guest/Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    // The target is there: the host, which this depends on, was built with it.
    let status = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .current_dir(workspace)
        .args(["build", "--package", "tamis-example-filter", "--locked", "--profile", "module"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "building the example filter failed ({status:?})");
    let module = target_dir.join(TARGET).join("module/tamis_example_filter.wasm");
    println!("cargo::rustc-env=TAMIS_EXAMPLE_FILTER={}", module.display());
}
