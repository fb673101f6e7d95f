//! The command line: one table of commands and flags, from which the help is made.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ArgGroup, Parser, Subcommand, ValueEnum};
use tamis_guest::Field;
use tamis_guest::compile::Variants;
use tamis_host::bundle::Step;

use crate::lists::ListsArgs;

/// Reads messages and says allow, flag, mask, hold or block, and shows the words that made it say so.
#[derive(Debug, Parser)]
#[command(name = "tamis", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all messages allowed, 1 some message was not, 2 error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge messages
    Check(CheckArgs),
    /// Show why a message has its verdict
    Explain(ExplainArgs),
    /// Keep word lists: check, change, compare, import and export them
    Lists(ListsArgs),
    /// Compile lists to a pack
    Compile(CompileArgs),
    /// Make, sign, check and publish bundles of lists, policy and module
    #[command(subcommand)]
    Bundle(crate::bundle::BundleCommand),
    /// Check, purge and export a decision log
    #[command(subcommand)]
    Log(crate::log::LogCommand),
    /// Check a candidate bundle; the host runs this by itself, within limits
    #[command(hide = true)]
    Admit {
        /// Limits and cache, from the host
        #[arg(allow_hyphen_values = true)]
        limits: Vec<std::ffi::OsString>,
    },
    /// Measure the filter on your own lists and messages
    Bench(BenchArgs),
    /// Learn and measure the model that tells advertising and fraud
    Model(ModelArgs),
}

/// Learns what advertising and fraud look like from your own labelled messages, and measures how well.
#[derive(Debug, ArgGroup)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Learn a model; put it as `model.bin` into a folder of lists to use it
    Train(ModelTrainArgs),
    /// Measure by cross-validation what training makes of the messages, or measure a model
    Eval(ModelEvalArgs),
}

/// Labelled messages: JSON Lines `{"text", "label", "sender"}`, label ham, advertising, fraud, or spam for
/// what is unwanted and of unknown kind. `{"template", "copies"}` in the place of `text` makes several: `{a|b}` is
/// one of them, `#` a digit, `@` a letter.
#[derive(Debug, ArgGroup)]
pub(crate) struct ModelDataArgs {
    /// Files of labelled messages, JSON Lines: {"text": …, "label": "ham" | "advertising" | "fraud" | "spam"}, and "sender"
    /// if it is known
    #[arg(value_name = "DATA", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// File of texts that are all ham, such as books and dialogues: weighs less, and at most 15,000 are taken
    #[arg(long, value_name = "FILE")]
    pub(crate) ham: Vec<PathBuf>,
    /// The same seed and data give the same model
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct ModelTrainArgs {
    #[command(flatten)]
    pub(crate) data: ModelDataArgs,
    /// Where to write the model
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct ModelEvalArgs {
    #[command(flatten)]
    pub(crate) data: ModelDataArgs,
    /// Measure this model on the data, rather than what training makes of it
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// File to judge only, never to learn from; all ham where its lines have none of our labels
    #[arg(long, value_name = "FILE")]
    pub(crate) unseen: Vec<PathBuf>,
    /// File of pairs `{"text", "orig", "kind"}`: messages of the data in disguise
    #[arg(long, value_name = "FILE")]
    pub(crate) evasions: Vec<PathBuf>,
    /// Confidence from which on a message counts as unwanted, in per mille; several, to choose among (`500,700,900`):
    /// evasions and mistakes are shown for the first. The policy that ships flags from 850 on
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "500,850", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) threshold: Vec<u16>,
    /// Keep messages that differ in numbers only in one part: a harder test
    #[arg(long)]
    pub(crate) campaigns: bool,
    /// Show the messages that were judged wrongly
    #[arg(long)]
    pub(crate) mistakes: bool,
}

/// What a filter is made from. Without any of these it is the built-in one.
#[derive(Clone, Debug, Default, ArgGroup)]
pub(crate) struct SourceArgs {
    /// Folder of word lists (<lang>/<category>.toml, taxonomy.toml, policy.toml), or a pack compiled from one
    #[arg(long, value_name = "DIR|PACK", conflicts_with = "terms")]
    pub(crate) lists: Option<PathBuf>,
    /// Plain file of terms, one a line: category `custom`, severity 4
    #[arg(long, value_name = "FILE")]
    pub(crate) terms: Option<PathBuf>,
    /// How far the terms of a plain file are looked for [default: aggressive up to 1,000 terms, else standard]
    #[arg(long, value_enum, requires = "terms")]
    pub(crate) variants: Option<VariantsArg>,
    /// Policy: which action each category and severity has
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Filter module, a WebAssembly file
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum VariantsArg {
    /// In any case and width, and not otherwise
    None,
    /// However its letters are written: styles, marks, look-alikes, digits for letters, separators between
    Standard,
    /// Misspelt, masked, cut in two, by its sound, in parts of characters, by another word for it as well
    Aggressive,
}

impl From<VariantsArg> for Variants {
    fn from(variants: VariantsArg) -> Variants {
        match variants {
            VariantsArg::None => Variants::None,
            VariantsArg::Standard => Variants::Standard,
            VariantsArg::Aggressive => Variants::Aggressive,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people: messages that were not allowed, with the words marked
    Text,
    /// One document: a list of all verdicts
    Json,
    /// One verdict a line, in the order of the messages
    Ndjson,
}

/// Judges messages: one a line, or JSON Lines `{"id", "text", "field", "channel", "sender", "recipient", "time"}`, of
/// which only `text` is needed. Which of the two is told from the first line of each file. Floods are looked for if
/// the policy has a table `[flood]`; `time`, in seconds, is for messages that are not of now.
#[derive(Debug, ArgGroup)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// How to show verdicts
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// Replace lists, policy and module when their files change, while messages flow
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) bundles: BundleSourceArgs,
    /// Filter module of others to run beside, in a sandbox of its own; may be given several times, the worst action
    /// wins
    #[arg(long, value_name = "FILE")]
    pub(crate) side_module: Vec<PathBuf>,
    /// Serve metrics in the text format of Prometheus on this address, such as 127.0.0.1:9464, for as long as messages
    /// are read
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Write a decision log to this folder: what was decided by which lists, without what was said
    #[arg(long, value_name = "DIR")]
    pub(crate) log: Option<PathBuf>,
    /// End with an error if there is no room for the decision log at the start. Without this, messages are judged, what is
    /// lost is counted and told, and the log goes on when there is room
    #[arg(long, requires = "log")]
    pub(crate) require_log: bool,
    /// Count how many messages of a sender were held or blocked in the last so many minutes, and say it with each verdict
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=44_640))]
    pub(crate) strikes: Option<u64>,
    /// Judge each file as one upload of up to 4 GiB of text, not line by line
    #[arg(long, conflicts_with = "log")]
    pub(crate) uploads: bool,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    /// Files of messages; `-` or none is standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// What the host tells of its own work, on standard error.
#[derive(Clone, Debug, Default, ArgGroup)]
pub(crate) struct TraceArgs {
    /// Tell what the host does: `error`, `warn`, `info`, `debug`, or by part, such as `info,tamis_host::bundle=debug`.
    /// Without it, what `RUST_LOG` says, or warnings that are shown nowhere else
    #[arg(long, value_name = "LEVEL")]
    pub(crate) trace: Option<String>,
    /// How to tell it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) trace_format: TraceFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum TraceFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Signed bundles instead of files. With these there is no way past the signature.
#[derive(Clone, Debug, Default, ArgGroup)]
pub(crate) struct BundleSourceArgs {
    /// Follow the signed bundles of this folder, or of this HTTP(S) address
    #[arg(long, value_name = "DIR|URL", requires_all = ["trust", "state"],
        conflicts_with_all = ["lists", "terms", "policy", "module", "watch"])]
    pub(crate) bundles: Option<String>,
    /// Which keys may sign what. Read again when it changes; signed later versions come from where the bundles do
    #[arg(long, value_name = "FILE", requires = "bundles")]
    pub(crate) trust: Option<PathBuf>,
    /// Folder of this host for the last good bundles
    #[arg(long, value_name = "DIR", requires = "bundles")]
    pub(crate) state: Option<PathBuf>,
    /// Name of the bundles
    #[arg(long, value_name = "NAME", default_value = "prod")]
    pub(crate) name: String,
    /// How often to look for a new one, in seconds; a folder is also watched
    #[arg(long, value_name = "S", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) every: u64,
    /// What is done with a new bundle before it judges every message, whatever the bundle says of that itself: steps such
    /// as `watch:100%:15m,judge:5%:1h`, of senders (where there is none, of recipients, then of texts) and for how long, or
    /// `none`
    #[arg(long, value_name = "STEPS", requires = "bundles")]
    pub(crate) steps: Option<Steps>,
    /// Name of this host in the decision log, and for bundles that come to some hosts first [default: the system's]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
}

/// Steps before a bundle judges every message; none if it does at once.
#[derive(Clone, Debug)]
pub(crate) struct Steps(pub(crate) Vec<Step>);

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Steps, String> {
        match text {
            "none" => Ok(Steps(Vec::new())),
            text => text.split(',').map(str::parse).collect::<Result<_, _>>().map(Steps),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For people
    Text,
    /// One document
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FieldArg {
    /// The text of a message
    Body,
    /// An account name, nickname or profile line
    Name,
    /// Text out of an uploaded file
    Upload,
}

impl From<FieldArg> for Field {
    fn from(field: FieldArg) -> Field {
        match field {
            FieldArg::Body => Field::Body,
            FieldArg::Name => Field::Name,
            FieldArg::Upload => Field::Upload,
        }
    }
}

/// Shows why a message has its verdict: what it was folded to, what was found and why it counts or does not,
/// and what the policy makes of it. Runs without the sandbox, on the code that the sandbox holds.
#[derive(Debug, ArgGroup)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// Channel it came over, as the policy names it [default: the policy's]
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// What the text is
    #[arg(long, value_enum, default_value_t = FieldArg::Body)]
    pub(crate) field: FieldArg,
    /// Who sent it
    #[arg(long, value_name = "SENDER", default_value = "")]
    pub(crate) sender: String,
    /// How to show it
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) format: ExplainFormat,
    /// The message
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: String,
}

/// Compiles lists to a pack, which loads in milliseconds. A pack fits the version that made it.
#[derive(Debug, ArgGroup)]
pub(crate) struct CompileArgs {
    #[command(flatten)]
    pub(crate) sources: CompileSourceArgs,
    /// Write a kit for browsers: the pack, its policy, and what to tell people about its categories
    #[arg(long)]
    pub(crate) kit: bool,
    /// The policy of the kit; without it, the one of the folder, or the built-in one
    #[arg(long, value_name = "FILE", requires = "kit")]
    pub(crate) policy: Option<PathBuf>,
    /// Where to write the pack
    #[arg(long, short, value_name = "PACK")]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Debug, ArgGroup)]
#[group(required = true)]
pub(crate) struct CompileSourceArgs {
    /// Folder of word lists
    #[arg(long, value_name = "DIR")]
    pub(crate) lists: Option<PathBuf>,
    /// Plain file of terms, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) terms: Option<PathBuf>,
    /// How far its terms are looked for [default: aggressive up to 1,000 terms, else standard]
    #[arg(long, value_enum, requires = "terms")]
    pub(crate) variants: Option<VariantsArg>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum BenchFormat {
    /// A table
    Text,
    /// The keys are listed under `tamis bench --help`
    Json,
}

/// Measures throughput, latency, loading and memory, in the sandbox and natively, and checks that both
/// find the same.
#[derive(Debug, ArgGroup)]
#[command(after_long_help = BENCH_KEYS)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// File of messages, as for `check`; without it, forty built-in ones
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: Option<PathBuf>,
    /// How to show the figures
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) format: BenchFormat,
    /// How long to measure each row, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(crate) row_ms: u64,
}

const BENCH_KEYS: &str = "\
Keys of --format json:
  terms, messages         how many
  message_bytes           all messages together
  pack_bytes              the compiled lists
  compile_ms              lists to pack
  load_ms                 pack to first verdict: check, map, instantiate, judge one message
  sandbox, native         the same filter in the sandbox, and without one:
    messages_per_s, mb_per_s    in batches of 64
    batch_p50_us, batch_p99_us  one batch
    single_p50_ns, single_p99_ns  one message a call
    hits                    messages with a match
    matches                 matches in all
  sandbox_over_native     time in the sandbox / time natively, in batches
  border_message_ns       what a message without text costs in a batch more than natively: the price of
                          the border
  border_call_ns          what a call with one such message costs more
  worker_memory_bytes     linear memory of one worker, the shared pack included
  pss_1_worker_bytes, pss_2_workers_bytes, pss_8_workers_bytes
                          memory of the process, shared pages counted once (Linux)";
