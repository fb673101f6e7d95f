//! Compiles the shipped word lists to the pack that the command embeds, so that it works alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tamis_guest::compile::{Date, Level, ListSource, PolicySource, Taxonomy, compile_with};

fn main() {
    let manifest_dir = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let wordlists = manifest_dir.join("../../wordlists");
    println!("cargo::rerun-if-changed={}", wordlists.display());
    // The compiler of lists is in here; a pack fits only the version that made it.
    println!("cargo::rerun-if-changed={}", manifest_dir.join("../../guest/src").display());

    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let shown = |path: &Path| path.strip_prefix(&wordlists).unwrap_or(path).display().to_string();
    let mut files: Vec<PathBuf> = fs::read_dir(&wordlists)
        .expect("the word lists are part of the workspace")
        .flat_map(|folder| fs::read_dir(folder.expect("readable").path()).into_iter().flatten())
        .map(|file| file.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    let files: Vec<(String, String)> = files.iter().map(|path| (shown(path), read(path))).collect();

    let taxonomy = read(&wordlists.join("taxonomy.toml"));
    let (taxonomy, mut diagnostics) = Taxonomy::parse("taxonomy.toml", &taxonomy);
    let lists: Vec<ListSource<'_>> = files.iter().map(|(path, text)| ListSource { path, text }).collect();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (policy, found) = PolicySource::parse("policy.toml", &read(&wordlists.join("policy.toml")));
    diagnostics.extend(found);
    let protected = policy.map(|policy| policy.protected().clone()).unwrap_or_default();
    let today = Date::from_unix_seconds(since_1970.as_secs());
    let model = fs::read(wordlists.join("model.bin")).ok();
    let model = model.as_deref().map(|model| ("model.bin", model));
    let (pack, found) = compile_with(&lists, &protected, &taxonomy, today, model);
    diagnostics.extend(found);
    let errors: Vec<String> =
        diagnostics.iter().filter(|found| found.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "the shipped word lists have errors:\n\n{}\n", errors.join("\n\n"));

    let out_dir = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out_dir.join("default.pack"), pack).expect("cargo's output folder is writable");
}
