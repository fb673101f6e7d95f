//! `tamis admit`: the process in which a host checks a candidate bundle. Not for people.

use std::ffi::OsString;

use crate::Outcome;

pub(crate) fn run(limits: &[OsString]) -> anyhow::Result<Outcome> {
    tamis_host::bundle::serve_admission(limits)?;
    Ok(Outcome::Clean)
}
