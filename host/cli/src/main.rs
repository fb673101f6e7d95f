//! `tamis`: judge messages, keep lists, compile them, measure. This file only chooses the command; each has its own.

mod args;
mod bundle;
mod commands;
mod defaults;
mod input;
mod json;
mod lists;
mod log;
mod model;
mod serve;
mod text;
mod trace;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

/// What the process says at its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    /// 0: all messages were allowed, all work done.
    Clean,
    /// 1: some message was not allowed.
    Found,
    /// 2: something is wrong with the input, though all that could be judged was.
    Wrong,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.command {
        Command::Check(args) => commands::check::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Lists(args) => lists::run(args),
        Command::Compile(args) => commands::compile::run(args),
        Command::Admit { limits } => commands::admit::run(limits),
        Command::Bundle(command) => bundle::run(command),
        Command::Log(command) => log::run(command),
        Command::Bench(args) => commands::bench::run(args),
        Command::Model(args) => model::run(args),
    };
    match outcome {
        Ok(outcome) => ExitCode::from(outcome as u8),
        // The reader of our output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            text::error(&error);
            ExitCode::from(Outcome::Wrong as u8)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}
