//! `tamis lists`: what a moderator does with word lists. One file for each command; all of them read lists
//! with the parser that the filter uses.

mod add;
mod args;
mod change;
mod clauses;
mod diff;
mod export;
mod fmt;
mod import;
mod lint;
mod preview;
mod stats;
mod store;
mod table;
mod test;
mod write;

pub(crate) use self::args::ListsArgs;

use self::args::ListsCommand;
use crate::Outcome;

pub(crate) fn run(args: &ListsArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        ListsCommand::Lint(args) => lint::run(args),
        ListsCommand::Test(args) => test::run(args),
        ListsCommand::Fmt(args) => fmt::run(args),
        ListsCommand::Add(args) => add::run(args),
        ListsCommand::Stats(args) => stats::run(args),
        ListsCommand::Diff(args) => diff::run(args),
        ListsCommand::Preview(args) => preview::run(args),
        ListsCommand::Import(args) => import::run(args),
        ListsCommand::Export(args) => export::run(args),
        ListsCommand::Clauses(args) => clauses::run(args),
    }
}
