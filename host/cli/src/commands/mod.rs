//! The commands, one file each.

pub(crate) mod admit;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod explain;
