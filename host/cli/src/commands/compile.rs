//! `tamis compile`: lists to a pack, or to the kit that browsers load.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use tamis_guest::compile::Taxonomy;
use tamis_guest::kit_bytes;
use tamis_host::{Loaded, Runtime, RuntimeConfig, Sources, write_whole};

use crate::Outcome;
use crate::args::CompileArgs;
use crate::defaults::defaults;
use crate::text;

pub(crate) fn run(args: &CompileArgs) -> anyhow::Result<Outcome> {
    let sources = Sources {
        lists: args.sources.lists.clone(),
        terms: args.sources.terms.clone(),
        variants: args.sources.variants.map(Into::into),
        policy: args.policy.clone(),
        ..Sources::default()
    };
    let runtime = Runtime::new(&RuntimeConfig::default())?;
    let defaults = defaults(&runtime)?;
    let (pack, kit, warnings) = if args.kit {
        let Loaded { parts, warnings, .. } = sources.load(&runtime, &defaults, &defaults.module)?;
        let texts = sources.lists.as_deref().map(category_texts).transpose()?.unwrap_or_else(|| json!({}));
        let kit = kit_bytes(parts.pack.bytes(), &parts.policy, &texts.to_string());
        (parts.pack, Some(kit.context("the lists are too long for a kit: split them over several")?), warnings)
    } else {
        let (pack, warnings) = sources.load_pack(&runtime, &defaults.policy)?;
        (pack, None, warnings)
    };
    let bytes = kit.as_deref().unwrap_or(pack.bytes());
    text::diagnostics(&warnings);
    // Written beside and renamed, so that nobody who watches reads half a pack.
    write_whole(&args.output, bytes).with_context(|| format!("cannot write {}", args.output.display()))?;
    let terms = pack.pack().terms_count() as u64;
    text::note(&format!(
        "{}: {} terms, {} bytes",
        args.output.display(),
        text::count(terms),
        text::count(bytes.len() as u64)
    ));
    Ok(Outcome::Clean)
}

/// Title and text of each category by language, as a page shows them.
fn category_texts(lists: &Path) -> anyhow::Result<serde_json::Value> {
    let path = lists.join("taxonomy.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (taxonomy, _) = Taxonomy::parse("taxonomy.toml", &text);
    let texts = taxonomy.categories().iter().map(|category| {
        (category.id.clone(), json!({ "title": category.title, "text": category.text, "clauses": category.clauses }))
    });
    Ok(serde_json::Value::Object(texts.collect()))
}
