//! `tamis log`: whether a decision log is whole, what is too old in it, and what it says.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args as ArgGroup, Subcommand, ValueEnum};
use tamis_host::log::{LogClass, Retention, export, purge, verify};

use crate::Outcome;
use crate::text::{count, note};

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check that every record follows from the one before it
    Verify(FolderArgs),
    /// Delete what is older than it is to be kept
    Purge(PurgeArgs),
    /// Write records to standard output
    Export(ExportArgs),
}

#[derive(Debug, ArgGroup)]
pub(crate) struct FolderArgs {
    /// Folder of the log
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct PurgeArgs {
    /// Folder of the log
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How many days decisions are kept, at least 90
    #[arg(long, value_name = "DAYS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(90..=3660))]
    decision_days: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ClassName {
    /// Verdicts
    Decision,
    /// What happened to bundles
    Audit,
    /// What was deleted
    Purge,
    /// Messages on which a filter failed twice
    Quarantine,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct ExportArgs {
    /// Folder of the log
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Which records
    #[arg(long, value_enum, default_value_t = ClassName::Decision)]
    class: ClassName,
    /// From this time on, such as 2026-11-22 or 2026-11-22T03:15
    #[arg(long, value_name = "TIME", default_value = "")]
    from: String,
    /// Before this time
    #[arg(long, value_name = "TIME", default_value = "9999")]
    to: String,
    /// Only decisions with this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
}

pub(crate) fn run(command: &LogCommand) -> anyhow::Result<Outcome> {
    match command {
        LogCommand::Verify(args) => {
            for chain in verify(&args.folder)?.into_iter().filter(|chain| chain.files > 0) {
                note(&format!(
                    "{}: {} records in {} files, the chain holds; {} lost when they were to be written, {} lines unfinished; last {}",
                    chain.class.name(),
                    count(chain.records),
                    chain.files,
                    chain.lost,
                    chain.unfinished,
                    chain.last_hash
                ));
            }
        }
        LogCommand::Purge(args) => {
            let retention = Retention::default().decisions(Duration::from_secs(args.decision_days * 24 * 3600));
            let purged = purge(&args.folder, retention, SystemTime::now())?;
            if purged.is_empty() {
                note("nothing is that old");
            }
            for one in purged {
                note(&format!(
                    "{}: {} records in {} files and {} keys deleted",
                    one.class.name(),
                    count(one.records),
                    one.files,
                    one.keys.len()
                ));
            }
        }
        LogCommand::Export(args) => {
            let class = match args.class {
                ClassName::Decision => LogClass::Decision,
                ClassName::Audit => LogClass::Audit,
                ClassName::Purge => LogClass::Purge,
                ClassName::Quarantine => LogClass::Quarantine,
            };
            let mut out = io::BufWriter::new(io::stdout());
            export(&args.folder, class, &args.from, &args.to, args.action.as_deref(), &mut out)?;
            io::Write::flush(&mut out)?;
        }
    }
    Ok(Outcome::Clean)
}
