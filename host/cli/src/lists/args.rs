//! The command line of `tamis lists`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tamis_guest::compile::{Date, Status};

/// Keeps word lists: a folder with <lang>/<category>.toml, taxonomy.toml and policy.toml.
#[derive(Debug, Args)]
#[command(after_help = "\
A change in five steps:
  tamis lists add 'gift card&scratch' --list en.fraud.scam --reason 'ticket 7' my-lists
  tamis lists lint my-lists
  tamis lists preview old-lists my-lists messages.txt
  tamis check --lists my-lists messages.txt
  then set status = \"enforce\" in the file named by `add`

Exit codes: 0 nothing to report, 1 findings or differences, 2 error.")]
pub(crate) struct ListsArgs {
    #[command(subcommand)]
    pub(crate) command: ListsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ListsCommand {
    /// Find what is wrong with lists, all of it in one run
    Lint(LintArgs),
    /// Try terms on the messages beside them: `hits` and `misses`
    Test(TestArgs),
    /// Write lists in the one form that makes small diffs
    Fmt(FmtArgs),
    /// Add a term
    Add(AddArgs),
    /// Count terms by list, severity and status
    Stats(StatsArgs),
    /// Say which terms were added, removed or changed
    Diff(DiffArgs),
    /// Say what a change does to messages: newly stopped, newly let through, and what it costs
    Preview(PreviewArgs),
    /// Take in terms from other tools
    Import(ImportArgs),
    /// Write all terms as CSV for spreadsheets; `import` reads it back
    Export(ExportArgs),
    /// Write the table of clauses: category, lists, a message that is caught, action
    Clauses(ClausesArgs),
}

/// The lists that a command works on.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// Folder of word lists
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people, with the line and a caret
    Text,
    /// For editors: a list of {code, level, path, line, column, message, help, fix}
    Json,
}

/// Finds what is wrong with lists, taxonomy and policy. Codes and what to do are in wordlists/README.md.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing found, 1 warnings or errors, 2 the lists could not be read.")]
pub(crate) struct LintArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Repair what can be repaired without a decision
    #[arg(long)]
    pub(crate) fix: bool,
    /// How to show findings
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
    /// Day by which terms expire, such as 2027-01-31; today if not given
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) at: Option<Date>,
}

/// Tries terms on the messages beside them: each of `hits` must be hit, none of `misses`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// Writes lists in one form: keys in order and aligned, terms one a line, comments kept. Twice is as once.
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Change nothing; name the files that would change, and end with 1 if there are any
    #[arg(long)]
    pub(crate) check: bool,
}

/// Adds a term at the end of a list. It is refused if lint finds an error in it.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The term: a word, a phrase, word&other, {one|another}; in quotes
    #[arg(value_name = "TERM")]
    pub(crate) term: String,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Id of the list, such as en.fraud.scam
    #[arg(long, value_name = "ID")]
    pub(crate) list: String,
    /// Why it is there: a ticket, a wave of messages
    #[arg(long)]
    pub(crate) reason: String,
    /// Category, if not that of the list
    #[arg(long, value_name = "ID")]
    pub(crate) category: Option<String>,
    /// 1 mild to 4 severe, if not that of the list
    #[arg(long, value_parser = severity)]
    pub(crate) severity: Option<u8>,
    /// shadow, canary, enforce: a new term watches before it acts
    #[arg(long, default_value = "shadow", value_parser = status)]
    pub(crate) status: Status,
    /// For status canary: for how many percent of senders it acts
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub(crate) canary: Option<u8>,
    /// First day on which it is no longer used
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) expires: Option<Date>,
    /// Who adds it: a team or role
    #[arg(long, value_name = "WHO")]
    pub(crate) added_by: Option<String>,
    /// A text in which it does not fire; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) allow: Vec<String>,
    /// A message it must hit; may be repeated
    #[arg(long = "hit", value_name = "MESSAGE")]
    pub(crate) hits: Vec<String>,
    /// An honest message it must not hit; may be repeated
    #[arg(long = "miss", value_name = "MESSAGE")]
    pub(crate) misses: Vec<String>,
}

/// Counts terms by list, severity and status.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// Says which terms were added (+), removed (-) or changed (~).
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Folder of lists as they were
    pub(crate) old: PathBuf,
    /// Folder of lists as they are now
    pub(crate) new: PathBuf,
}

/// Judges messages by old and new lists, each with the policy of its folder, and shows what differs.
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// Folder of lists as they were
    pub(crate) old: PathBuf,
    /// Folder of lists as they are now
    pub(crate) new: PathBuf,
    /// Files of messages, as for `tamis check`; `-` or none is standard input
    #[arg(value_name = "MESSAGES")]
    pub(crate) messages: Vec<PathBuf>,
    /// Most messages shown of each kind
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) samples: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ImportFormat {
    /// One term a line in our own syntax
    Tamis,
    /// One word or phrase a line, no sign has a meaning
    Plain,
    /// List of Dirty, Naughty, Obscene and Otherwise Bad Words: as plain
    Ldnoobw,
    /// dsojevic/profanity-list: JSON with `match`, `severity`, `exceptions`
    Dsojevic,
    /// Discord `AutoMod` rule: JSON with `keyword_filter` and `allow_list`
    Discord,
    /// Adblock rules ||host^ and hosts files: `url:` terms
    Hosts,
    /// CSV, as `export` writes it or with fewer columns; `pattern` is needed
    Csv,
}

/// Takes in terms from a file of another tool, and says of each line what became of it: accepted, duplicate,
/// changed or refused.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// What kind of file it is
    #[arg(long, value_enum)]
    pub(crate) format: ImportFormat,
    /// Id of the list that gets the terms, such as en.profanity; made if there is none. CSV may name its own
    #[arg(long, value_name = "ID")]
    pub(crate) list: Option<String>,
    /// Category of the terms, if the file does not say
    #[arg(long, value_name = "ID")]
    pub(crate) category: Option<String>,
    /// Severity of the terms, if the file does not say
    #[arg(long, default_value_t = 2, value_parser = severity)]
    pub(crate) severity: u8,
    /// Status of the terms, if the file does not say
    #[arg(long, default_value = "shadow", value_parser = status)]
    pub(crate) status: Status,
    /// Why they are there
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Change nothing, only say what would become of each line
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Writes all terms as CSV: UTF-8 with a mark for spreadsheets, no cell a formula, no digits lost.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Id of the list to write; all if not given. May be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) list: Vec<String>,
    /// Where to write; standard output if not given
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Writes the table of clauses as Markdown: for each clause its categories, their lists, a message that is caught
/// and the action. Ends with 1 if a clause has no list or no message that is caught.
#[derive(Debug, Args)]
pub(crate) struct ClausesArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Messages to show, as tests/cases/lists-clauses.toml has them; `hits` of the lists where it has none
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    /// Channel whose actions are shown; the default channel of the policy if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| "write a day such as 2027-01-31".to_owned())
}

fn severity(name: &str) -> Result<u8, String> {
    let severity = name.parse().ok().filter(|severity| (1..=4).contains(severity));
    severity.ok_or_else(|| "write 1 (mild), 2, 3 (kept for a person) or 4 (severe)".to_owned())
}

fn status(name: &str) -> Result<Status, String> {
    let status = Status::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, status)| status);
    status.ok_or_else(|| {
        let names: Vec<&str> = Status::NAMES.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}
