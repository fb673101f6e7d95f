//! Writes the fold table to the path given, by default where the guest reads it.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/fold.bin")), PathBuf::from);
    std::fs::write(path, tamis_tables::fold_table())
}
