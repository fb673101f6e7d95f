//! `cargo browser`: builds the npm package `tamis` and the demo site. Not for publishing them.
//!
//! ```text
//! target/browser/package/   what `npm pack` takes: wrappers, types, and two WebAssembly modules
//! target/browser/site/      the demo pages, the package, the shipped lists as a kit and as text
//! ```
//!
//! Nothing is downloaded: the part of wasm-bindgen that works after the compiler is a library here, of the version
//! that the crate is compiled with.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
/// The modules, each the feature of `tamis-browser` that it is built with.
const MODULES: [&str; 2] = ["scanner", "lists"];

fn main() -> anyhow::Result<()> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).context("the builder is in the workspace")?;
    let browser = workspace.join("guest/browser");
    let out = workspace.join("target/browser");
    let (package, site) = (out.join("package"), out.join("site"));
    for folder in [&package, &site] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }

    for module in MODULES {
        let wasm = build_module(workspace, &out.join("build"), module)?;
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(wasm)
            .out_name(module)
            .web(true)?
            .typescript(true)
            .remove_name_section(true)
            .remove_producers_section(true);
        bindgen.generate(package.join("wasm")).with_context(|| format!("wasm-bindgen on the module `{module}`"))?;
    }
    copy_folder(&browser.join("js"), &package)?;
    fs::copy(browser.join("README.md"), package.join("README.md"))?;

    copy_folder(&browser.join("web"), &site)?;
    copy_folder(&package, &site.join("tamis"))?;
    run(Command::new(cargo())
        .current_dir(workspace)
        .args(["run", "--release", "--locked", "--quiet", "--package"])
        .args([
            "tamis",
            "--",
            "compile",
            "--lists",
            "wordlists",
            "--kit",
            "--output",
            "target/browser/site/default.kit",
        ]))?;
    fs::write(site.join("lists.json"), lists_json(&workspace.join("wordlists"))?)?;
    list_for_offline(&site)?;
    report(&package, &site)
}

fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?} did not start"))?;
    if !status.success() {
        bail!("{command:?} failed; its message is above");
    }
    Ok(())
}

/// Compiles one module and returns its place. The target must be there; `rustup` brings it in by itself.
fn build_module(workspace: &Path, target_dir: &Path, module: &str) -> anyhow::Result<PathBuf> {
    if Command::new("rustup").args(["target", "add", TARGET]).output().is_err() {
        eprint(&format!("no rustup here; the standard library for {TARGET} must be there already"));
    }
    run(Command::new(cargo())
        .current_dir(workspace)
        .args([
            "build",
            "--package",
            "tamis-browser",
            "--no-default-features",
            "--features",
            module,
            "--lib",
            "--locked",
        ])
        .args(["--profile", "module", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // wasm-bindgen reads from the section of target features what the module may use, and strips it itself.
        .env("CARGO_PROFILE_MODULE_STRIP", "debuginfo")
        .env("RUSTFLAGS", "-Ctarget-feature=+simd128"))?;
    Ok(target_dir.join(TARGET).join("module/tamis_browser.wasm"))
}

fn eprint(line: &str) {
    // Nobody to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let beside = to.join(path.file_name().context("entries have names")?);
        if path.is_dir() {
            copy_folder(&path, &beside)?;
        } else {
            fs::copy(&path, &beside).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// The files below a folder, relative to it, with `/`.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Taxonomy, policy and lists as text, for the page on which lists are tried out.
fn lists_json(wordlists: &Path) -> anyhow::Result<String> {
    let all: BTreeMap<String, String> = files(wordlists)?
        .into_iter()
        .filter(|path| Path::new(path).extension().is_some_and(|end| end == "toml"))
        .map(|path| Ok((path.clone(), fs::read_to_string(wordlists.join(&path))?)))
        .collect::<anyhow::Result<_>>()?;
    Ok(serde_json::to_string(&all)?)
}

/// Tells the service worker what the pages need when there is no network, and gives this build a name of its own.
fn list_for_offline(site: &Path) -> anyhow::Result<()> {
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut needed = Vec::new();
    for file in files(site)? {
        for byte in fs::read(site.join(&file))? {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if !file.ends_with(".d.ts") && !file.ends_with(".md") && !file.ends_with(".kit") && file != "sw.js" {
            needed.push(file);
        }
    }
    let worker = fs::read_to_string(site.join("sw.js"))?;
    let worker = worker
        .replace("\"@build@\"", &format!("\"{hash:016x}\""))
        .replace("[\"@files@\"]", &serde_json::to_string(&needed)?);
    Ok(fs::write(site.join("sw.js"), worker)?)
}

/// Shows how large the parts are that a page loads.
fn report(package: &Path, site: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let size = |path: &Path| -> anyhow::Result<(usize, usize)> {
        let bytes = fs::read(path)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        Ok((bytes.len(), gzip.finish()?.len()))
    };
    for file in files(package)?.iter().map(|file| package.join(file)).chain([site.join("default.kit")]) {
        let (plain, gzip) = size(&file)?;
        let name = file.strip_prefix(package.parent().context("the package is in a folder")?)?;
        writeln!(out, "{plain:>9} bytes, {gzip:>8} gzip  {}", name.display())?;
    }
    Ok(())
}
