//! `tamis compile`: lists to a pack.

use std::fs;

use anyhow::Context as _;
use tamis_host::{Runtime, RuntimeConfig, Sources};

use crate::Outcome;
use crate::args::CompileArgs;
use crate::text;

pub(crate) fn run(args: &CompileArgs) -> anyhow::Result<Outcome> {
    let sources = Sources {
        lists: args.sources.lists.clone(),
        terms: args.sources.terms.clone(),
        variants: args.sources.variants.map(Into::into),
        ..Sources::default()
    };
    let runtime = Runtime::new(&RuntimeConfig::default())?;
    let (pack, warnings) = sources.load_pack(&runtime)?;
    text::diagnostics(&warnings);
    // Written beside and renamed, so that nobody who watches reads half a pack.
    let beside = args.output.with_extension("pack.part");
    let write = || format!("cannot write {}", args.output.display());
    fs::write(&beside, pack.bytes()).with_context(write)?;
    fs::rename(&beside, &args.output).with_context(write)?;
    let terms = pack.pack().terms_count() as u64;
    text::note(&format!(
        "{}: {} terms, {} bytes",
        args.output.display(),
        text::count(terms),
        text::count(pack.bytes().len() as u64)
    ));
    Ok(Outcome::Clean)
}
