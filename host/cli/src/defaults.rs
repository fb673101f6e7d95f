//! What the command works with where nothing else is named: the embedded module, pack and policy.

use std::fs;

use anyhow::Context as _;
use tamis_guest::compile::PolicySource;
use tamis_host::{Defaults, Filter, Loaded, Runtime, RuntimeConfig, Sources};

use crate::args::SourceArgs;
use crate::text;

/// A filter ready to judge, and what it was made from.
pub(crate) struct Started {
    pub(crate) runtime: Runtime,
    pub(crate) filter: Filter,
    pub(crate) sources: Sources,
    pub(crate) defaults: Defaults,
}

/// Makes the filter that the flags describe. Warnings of its lists go to standard error.
pub(crate) fn start(args: &SourceArgs) -> anyhow::Result<Started> {
    let runtime = Runtime::new(&RuntimeConfig::default())?;
    let defaults = defaults(&runtime)?;
    let sources = sources(args);
    let Loaded { parts, warnings } = sources.load(&runtime, &defaults, &defaults.module)?;
    text::diagnostics(&warnings);
    let filter = Filter::new(&runtime, parts)?;
    Ok(Started { runtime, filter, sources, defaults })
}

/// The policy that the flags name, as it is written. Its warnings have been shown by [`start`].
pub(crate) fn policy_source(args: &SourceArgs, defaults: &Defaults) -> anyhow::Result<PolicySource> {
    let of_folder = args.lists.as_ref().map(|folder| folder.join("policy.toml")).filter(|path| path.is_file());
    let Some(path) = args.policy.clone().or(of_folder) else { return Ok(defaults.policy.clone()) };
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (policy, _) = PolicySource::parse(&path.to_string_lossy(), &text);
    policy.with_context(|| format!("{} changed while it was read", path.display()))
}

/// The embedded parts.
pub(crate) fn defaults(runtime: &Runtime) -> anyhow::Result<Defaults> {
    let (policy, _) = PolicySource::parse("policy.toml", include_str!("../../../wordlists/policy.toml"));
    Ok(Defaults {
        module: runtime.module(tamis_host::default_module())?,
        pack: runtime.pack(&include_bytes!(concat!(env!("OUT_DIR"), "/default.pack"))[..])?,
        policy: policy.context("the embedded policy is unusable")?,
    })
}

fn sources(args: &SourceArgs) -> Sources {
    let (pack, lists) = match &args.lists {
        Some(path) if path.is_file() => (Some(path.clone()), None),
        path => (None, path.clone()),
    };
    Sources {
        lists,
        pack,
        terms: args.terms.clone(),
        variants: args.variants.map(Into::into),
        policy: args.policy.clone(),
        module: args.module.clone(),
    }
}
