//! What the command works with where nothing else is named: the embedded module, pack and policy.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use tamis_guest::compile::PolicySource;
use tamis_host::bundle::{Admission, AdmissionProcess};
use tamis_host::{Defaults, Filter, Loaded, Runtime, RuntimeConfig, SideConfig, Sources};

use crate::args::SourceArgs;
use crate::text;

/// A filter ready to judge, and what it was made from.
pub(crate) struct Started {
    pub(crate) runtime: Runtime,
    pub(crate) filter: Filter,
    pub(crate) sources: Sources,
    pub(crate) defaults: Defaults,
    /// The policy as it is written.
    pub(crate) policy: PolicySource,
}

/// Makes the filter that the flags describe. Warnings of its lists go to standard error.
pub(crate) fn start(args: &SourceArgs) -> anyhow::Result<Started> {
    start_with(args, &[])
}

/// As [`start`], with modules of others beside.
pub(crate) fn start_with(args: &SourceArgs, sides: &[PathBuf]) -> anyhow::Result<Started> {
    let runtime = Runtime::new(&RuntimeConfig::default())?;
    let defaults = with_sides(&runtime, defaults(&runtime)?, sides)?;
    let sources = sources(args);
    let Loaded { parts, policy, warnings } = sources.load(&runtime, &defaults, &defaults.module)?;
    text::diagnostics(&warnings);
    let filter = Filter::new(&runtime, parts)?;
    Ok(Started { runtime, filter, sources, defaults, policy })
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

/// How bundles are checked: in a process of this very program, which is what runs even after its file was replaced.
pub(crate) fn admission() -> Admission {
    let program = if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { env::current_exe() };
    let mut admission = Admission::default();
    // Where nobody knows what this program is, its name has to do.
    admission.process(AdmissionProcess::new(program.unwrap_or_else(|_| "tamis".into()), ["admit".into()]));
    admission
}

/// The name that the system has.
pub(crate) fn host_name() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = files.iter().find_map(|file| fs::read_to_string(file).ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "tamis".to_owned())
}

/// Puts modules of others beside the filter.
pub(crate) fn with_sides(runtime: &Runtime, mut defaults: Defaults, sides: &[PathBuf]) -> anyhow::Result<Defaults> {
    for path in sides {
        let wasm = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let side = runtime.side_module(&wasm, &SideConfig::default());
        defaults.module = defaults.module.beside(side.with_context(|| path.display().to_string())?);
    }
    Ok(defaults)
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
