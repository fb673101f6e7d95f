//! The list compiler module: lists, taxonomy and policy in, a kit and diagnostics out.

use tamis_guest::compile::{Date, Diagnostic, Level, ListSource, PolicySource, Taxonomy, compile_with};
use tamis_guest::{Pack, PackBytes, kit_bytes};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::error;

/// What became of the lists.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug)]
pub struct Compiled {
    /// The kit; empty if a list has an error.
    pub kit: Vec<u8>,
    /// All findings, in the order of the lists.
    pub diagnostics: Vec<Found>,
}

/// A finding about a list.
#[wasm_bindgen(getter_with_clone)]
#[derive(Clone, Debug)]
pub struct Found {
    /// Such as `T006`.
    pub code: String,
    /// Whether the list cannot be used.
    pub fatal: bool,
    /// The list.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// All of it with the line and a caret, for a terminal.
    pub rendered: String,
}

impl From<Diagnostic> for Found {
    fn from(found: Diagnostic) -> Found {
        Found {
            rendered: found.to_string(),
            code: found.code.to_owned(),
            fatal: found.level == Level::Error,
            path: found.path,
            line: found.line,
            column: found.column,
            message: found.message,
            help: found.help,
        }
    }
}

/// Compiles lists in TOML with their taxonomy and policy to a kit. `now_seconds` since the start of 1970 tell which
/// terms have expired.
///
/// # Errors
/// Fewer texts than paths; a compiler that fails on its own pack.
#[wasm_bindgen(js_name = compileLists)]
pub fn compile_lists(
    paths: Vec<String>,
    lists: Vec<String>,
    taxonomy: &str,
    policy: &str,
    texts: &str,
    now_seconds: f64,
) -> Result<Compiled, JsValue> {
    if paths.len() != lists.len() {
        return Err(error("bad-lists", "every list has a path and a text"));
    }
    let (taxonomy, mut diagnostics) = Taxonomy::parse("taxonomy.toml", taxonomy);
    let (policy, found) = PolicySource::parse("policy.toml", policy);
    diagnostics.extend(found);
    let sources: Vec<ListSource<'_>> = paths.iter().zip(&lists).map(|(path, text)| ListSource { path, text }).collect();
    let protected = policy.as_ref().map(|policy| policy.protected().clone()).unwrap_or_default();
    let today = Date::from_unix_seconds(now_seconds as u64);
    let (pack, found) = compile_with(&sources, &protected, &taxonomy, today, None);
    diagnostics.extend(found);

    let usable = diagnostics.iter().all(|found| found.level != Level::Error);
    let mut kit = Vec::new();
    if let (true, Some(policy)) = (usable, policy) {
        let bytes = PackBytes::from(pack);
        let pack = Pack::decode(&bytes).map_err(|reason| error("pack-damaged", reason))?;
        let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
        kit = kit_bytes(&bytes, &policy.resolve(&categories), texts)
            .ok_or_else(|| error("bad-lists", "the lists are too long for a kit"))?;
    }
    Ok(Compiled { kit, diagnostics: diagnostics.into_iter().map(Found::from).collect() })
}
