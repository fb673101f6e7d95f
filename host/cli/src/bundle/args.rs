//! The flags of `tamis bundle`.

use std::path::PathBuf;

use clap::{Args as ArgGroup, Subcommand};
use tamis_host::bundle::{Ring, Step};

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Make a key pair and show its lines for a trust file
    Keys(KeysArgs),
    /// Make a bundle of a folder of lists
    Build(BuildArgs),
    /// Add a signature to a bundle
    Sign(SignArgs),
    /// Take a bundle through every check a host makes
    Verify(VerifyArgs),
    /// Show what a bundle says of itself, and check that its digests are right
    Inspect(InspectArgs),
    /// Put a signed bundle where hosts fetch it, whole and as changes
    Publish(PublishArgs),
    /// Make a bundle with the content of an old one and a new sequence, to be signed
    Rollback(RollbackArgs),
    /// Make a signed emergency file: a few terms for at most three days
    Emergency(EmergencyArgs),
    /// Sign the trust file that is to follow, with a root key
    SignTrust(SignTrustArgs),
    /// Replace a trust file by the signed one that follows it, and publish that for hosts, which take it while they run
    RotateTrust(RotateTrustArgs),
}

#[derive(Debug, ArgGroup)]
pub(crate) struct SignTrustArgs {
    /// The trust file that is to follow, its `version` one higher
    #[arg(value_name = "NEXT")]
    pub(crate) next: PathBuf,
    /// Secret key with the role `root` in the file of now, in the next, or in both
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// File whose first line is the password of the key
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Where to write the signature, one file for each key
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct RotateTrustArgs {
    /// The trust file that follows
    #[arg(value_name = "NEXT")]
    pub(crate) next: PathBuf,
    /// The trust file that is replaced. A host that reads it takes the new one within a second
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// Signature by a root key; as many as both files ask for
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) signature: Vec<PathBuf>,
    /// Also put it into this folder, as NAME.trust-VERSION.json: hosts that follow the folder take it by themselves
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Name of the bundles in that folder
    #[arg(long, value_name = "NAME", default_value = "prod", requires = "to")]
    pub(crate) name: String,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct EmergencyArgs {
    /// Term whose messages are held for a person
    #[arg(long, value_name = "TERM")]
    pub(crate) hold: Vec<String>,
    /// Term that is only reported
    #[arg(long, value_name = "TERM")]
    pub(crate) shadow: Vec<String>,
    /// Term of a list to leave out, not one of severity 4
    #[arg(long, value_name = "LIST:TERM")]
    pub(crate) snooze: Vec<String>,
    /// Name of the bundles it goes with
    #[arg(long, value_name = "NAME", default_value = "prod")]
    pub(crate) name: String,
    /// Sequence: above that of every emergency file of this name before
    #[arg(long, value_name = "N")]
    pub(crate) sequence: u64,
    /// How long it holds
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=72))]
    pub(crate) hours: u64,
    /// Secret key with the role `emergency`; several where the trust file asks for several
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key: Vec<PathBuf>,
    /// File whose first line is the password of the keys
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Folder that hosts follow; it is written there as NAME.emergency.json
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct KeysArgs {
    /// Where to write: FILE.key, which is secret, and FILE.pub
    #[arg(value_name = "FILE")]
    pub(crate) base: PathBuf,
    /// What it may sign: root, lists, policy, module, emergency
    #[arg(long, value_name = "ROLE", value_delimiter = ',', default_value = "lists,policy")]
    pub(crate) roles: Vec<String>,
    /// File whose first line is the password of the secret key; without it the key is not encrypted
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct BuildArgs {
    /// Folder of word lists, with taxonomy.toml and policy.toml
    #[arg(long, value_name = "DIR")]
    pub(crate) lists: PathBuf,
    /// Name of the bundle; hosts take bundles of one name
    #[arg(long, value_name = "NAME", default_value = "prod")]
    pub(crate) name: String,
    /// Sequence: above that of every bundle of this name before
    #[arg(long, value_name = "N")]
    pub(crate) sequence: u64,
    /// After how many days a newer one should be there
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3660))]
    pub(crate) expires_days: u64,
    /// On which hosts it judges first: rings such as `5%:0m,25%:30m,100%:2h`, of hosts and how long after it was made.
    /// The next bundle that is published stops it
    #[arg(long, value_name = "RINGS", value_delimiter = ',')]
    pub(crate) rings: Vec<Ring>,
    /// What a host does with it before it judges every message: steps such as `watch:100%:15m,judge:5%:1h`, of senders
    /// (where there is none, of recipients, then of texts) and for how long
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) steps: Vec<Step>,
    /// Filter module to ship with it
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
    /// What changed, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,
    /// Where to write the bundle
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct SignArgs {
    /// The bundle; it is replaced by one with the signature added
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Secret key, as `tamis bundle keys` or `minisign -G` makes it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// File whose first line is the password of the key
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Trust file: which keys may sign what
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// Name that the bundle must have
    #[arg(long, value_name = "NAME", default_value = "prod")]
    pub(crate) name: String,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct InspectArgs {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Also write the bytes that are signed to this file, and beside it the signatures, FILE.minisig, FILE.2.minisig and
    /// so on: `minisign -Vm FILE -p KEY.pub` checks the first
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct PublishArgs {
    /// The signed bundle
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Trust file of the hosts: what they would not take for its signatures, name or times is not published
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Folder that hosts follow, or that a web server serves
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct RollbackArgs {
    /// The old bundle, whole; `publish` keeps them as NAME-SEQUENCE.tamis
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// The new sequence, above the one that judges
    #[arg(long, value_name = "N")]
    pub(crate) sequence: u64,
    /// After how many days a newer one should be there
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3660))]
    pub(crate) expires_days: u64,
    /// Where to write the bundle
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
