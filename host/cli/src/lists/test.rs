//! `tamis lists test`: tries the terms on the messages beside them.

use std::io::Write as _;

use tamis_guest::compile::test;

use super::args::TestArgs;
use super::store::Store;
use crate::{Outcome, text};

pub(super) fn run(args: &TestArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let examples = test(&store.folder.sources(), &store.folder.taxonomy);
    let mut out = anstream::stdout();
    for failure in &examples.failures {
        writeln!(out, "{failure}\n")?;
    }
    let count = |number: usize| text::count(number as u64);
    writeln!(
        out,
        "{} terms, {} of them with messages of both kinds: {} hits and {} misses tried, {} failed",
        count(examples.terms),
        count(examples.terms_with_both),
        count(examples.hits),
        count(examples.misses),
        count(examples.failures.len())
    )?;
    Ok(if examples.failures.is_empty() { Outcome::Clean } else { Outcome::Found })
}
