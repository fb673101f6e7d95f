//! The Tamis filter in browsers and Node: what the wrappers in `js/` call. Not an API for pages; that is
//! `js/tamis.js` with its types in `js/tamis.d.ts`.
//!
//! Two modules are built of this crate, so that a page which only judges messages does not load a list
//! compiler: one with the feature `scanner`, one with `lists`. `cargo browser` builds both.
//!
//! Errors cross the border as a text `code: message`; the wrappers make a `TamisError` of it.

#[cfg(any(feature = "lists", feature = "scanner"))]
mod error;
#[cfg(feature = "lists")]
pub mod lists;
#[cfg(feature = "scanner")]
pub mod scanner;
