//! What the host tells of its own work, through `tracing`, on standard error. Not the decision log, which is about
//! messages; nothing here says what a message said.

use std::env;
use std::io::stderr;

use anyhow::{Context as _, bail};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use crate::args::{TraceArgs, TraceFormat};

/// What followers and watchers tell; the command shows their events to people by itself.
const SHOWN_ALREADY: [&str; 2] = ["tamis_host::bundle::follow", "tamis_host::watch"];

/// Begins to tell. Call it once.
pub(crate) fn begin(args: &TraceArgs) -> anyhow::Result<()> {
    let targets = match &args.trace {
        Some(levels) => parse(levels).with_context(|| {
            format!(
                "--trace {levels}: write error, warn, info, debug or trace, or a part with its level, such as tamis_host::bundle=debug"
            )
        })?,
        // Whatever the variable says to other programs must not stop this one.
        None => env::var("RUST_LOG").ok().and_then(|levels| parse(&levels).ok()).unwrap_or_else(|| {
            let shown = SHOWN_ALREADY.map(|part| (part, LevelFilter::OFF));
            Targets::new().with_default(LevelFilter::WARN).with_targets(shown)
        }),
    };
    let layer = fmt::layer().with_writer(stderr).with_ansi(false);
    match args.trace_format {
        TraceFormat::Text => registry().with(targets).with(layer).init(),
        TraceFormat::Json => registry().with(targets).with(layer.json().flatten_event(true)).init(),
    }
    Ok(())
}

/// Levels by part. A word that is no level would be taken for the name of a part, of which everything is told.
fn parse(levels: &str) -> anyhow::Result<Targets> {
    let is_part = |one: &str| one.contains('=') || one.contains("::") || one.trim().parse::<LevelFilter>().is_ok();
    if let Some(word) = levels.split(',').find(|one| !is_part(one)) {
        bail!("`{word}` is no level");
    }
    Ok(levels.parse()?)
}
