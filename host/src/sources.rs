//! Where a filter's parts come from on disk, and reading them. Used to start and, by the watcher, to
//! reload.

use std::fs;
use std::path::{Path, PathBuf};

use tamis_guest::compile::{self, Diagnostic, Level, ListSource, PolicySource, Taxonomy, Variants, decode_text};

use crate::{LoadError, Module, PackImage, Parts, Runtime};

/// The files a filter is made from. What is `None` comes from [`Defaults`].
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A folder of lists: `<lang>/<category>.toml`, `taxonomy.toml`, and, if it has them, `model.bin`, `policy.toml` and
    /// lists of domains, `<lang>/<name>.domains`.
    pub lists: Option<PathBuf>,
    /// A pack that was compiled before.
    pub pack: Option<PathBuf>,
    /// A plain file, one term a line.
    pub terms: Option<PathBuf>,
    /// How far the terms of a plain file are looked for; `None` goes by their number, see
    /// [`Variants::for_plain_file`].
    pub variants: Option<Variants>,
    /// A policy; goes before the one of the folder.
    pub policy: Option<PathBuf>,
    /// A filter module.
    pub module: Option<PathBuf>,
}

/// What a filter is made from where its sources name no file.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The code.
    pub module: Module,
    /// The lists.
    pub pack: PackImage,
    /// The policy.
    pub policy: PolicySource,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Ready to be swapped in.
    pub parts: Parts,
    /// Warnings of the lists.
    pub warnings: Vec<Diagnostic>,
}

impl Sources {
    /// Reads and compiles all sources. Compiling a module is slow, so `running` is taken where its bytes
    /// are those of the file.
    ///
    /// # Errors
    /// The first thing that cannot be used; for lists, all of their errors.
    pub fn load(&self, runtime: &Runtime, defaults: &Defaults, running: &Module) -> Result<Loaded, LoadError> {
        let (pack, mut warnings) = match self.load_pack_if_named(runtime)? {
            Some(loaded) => loaded,
            None => (defaults.pack.clone(), Vec::new()),
        };
        let of_folder = self.lists.as_ref().map(|folder| folder.join("policy.toml")).filter(|path| path.is_file());
        let policy = match self.policy.clone().or(of_folder) {
            Some(path) => read_policy(&path, &mut warnings)?,
            None => defaults.policy.clone(),
        };
        let module = match &self.module {
            Some(path) => {
                let bytes = read(path)?;
                if bytes == running.wasm() {
                    running.clone()
                } else {
                    let in_file = |error| LoadError::InFile { path: path.clone(), error: Box::new(error) };
                    runtime.module(&bytes).map_err(in_file)?
                }
            }
            None => defaults.module.clone(),
        };
        let parts = Parts { module, policy: resolve(&policy, &pack), failure: policy.failure_policies(), pack };
        Ok(Loaded { parts, warnings })
    }

    /// Reads and compiles the lists alone, and gives their warnings.
    ///
    /// # Errors
    /// As [`load`](Sources::load); also if no source of lists is named.
    pub fn load_pack(&self, runtime: &Runtime) -> Result<(PackImage, Vec<Diagnostic>), LoadError> {
        self.load_pack_if_named(runtime)?.ok_or_else(|| LoadError::NoLists(PathBuf::from(".")))
    }

    fn load_pack_if_named(&self, runtime: &Runtime) -> Result<Option<(PackImage, Vec<Diagnostic>)>, LoadError> {
        let mut warnings = Vec::new();
        let pack = if let Some(folder) = &self.lists {
            runtime.pack(compile_folder(folder, &mut warnings)?)?
        } else if let Some(path) = &self.pack {
            runtime
                .pack(read(path)?)
                .map_err(|error| LoadError::InFile { path: path.clone(), error: Box::new(error) })?
        } else if let Some(path) = &self.terms {
            runtime.pack(compile_terms(path, self.variants, &mut warnings)?)?
        } else {
            return Ok(None);
        };
        Ok(Some((pack, warnings)))
    }

    /// Whether no file is named at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths().next().is_none()
    }

    /// The files and folders that the sources are in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.lists, &self.pack, &self.terms, &self.policy, &self.module].into_iter().flatten().map(PathBuf::as_path)
    }
}

fn resolve(policy: &PolicySource, pack: &PackImage) -> tamis_guest::Policy {
    let pack = pack.pack();
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    policy.resolve(&categories)
}

/// Compiles a plain file of terms to a pack.
fn compile_terms(
    path: &Path,
    variants: Option<Variants>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<u8>, LoadError> {
    let text = read_text(path, warnings)?;
    let variants = variants.unwrap_or_else(|| Variants::for_plain_file(text.lines().count()));
    let (bytes, diagnostics) = compile::compile_terms_as(&path.to_string_lossy(), &text, variants);
    warnings.extend(diagnostics);
    refuse_errors(warnings)?;
    Ok(bytes)
}

/// Compiles a folder of lists to a pack.
fn compile_folder(folder: &Path, warnings: &mut Vec<Diagnostic>) -> Result<Vec<u8>, LoadError> {
    let taxonomy_path = folder.join("taxonomy.toml");
    if !taxonomy_path.is_file() {
        return Err(LoadError::NoLists(folder.to_owned()));
    }
    let taxonomy = read_text(&taxonomy_path, warnings)?;
    let (taxonomy, diagnostics) = Taxonomy::parse(&taxonomy_path.to_string_lossy(), &taxonomy);
    warnings.extend(diagnostics);

    let mut files = Vec::new();
    for path in list_files(folder)? {
        let text = read_text(&path, warnings)?;
        files.push((path.to_string_lossy().into_owned(), text));
    }
    if files.is_empty() {
        return Err(LoadError::NoLists(folder.to_owned()));
    }
    let lists: Vec<ListSource<'_>> = files.iter().map(|(path, text)| ListSource { path, text }).collect();
    let model_path = folder.join("model.bin");
    let model = if model_path.is_file() { Some(read(&model_path)?) } else { None };
    let model_name = model_path.to_string_lossy();
    let model = model.as_deref().map(|model| (&*model_name, model));
    let (bytes, diagnostics) = compile::compile_with_model(&lists, &taxonomy, model);
    warnings.extend(diagnostics);
    refuse_errors(warnings)?;
    Ok(bytes)
}

/// The lists of a folder, in the order of their names: every TOML file and list of domains one folder down.
fn list_files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(entries(&path)?.into_iter().filter(|path| is_list(path)));
    }
    files.sort();
    Ok(files)
}

fn is_list(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "toml" || end == "domains")
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let all = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    all.map_err(|error| LoadError::Read { path: folder.to_owned(), error })
}

fn read_policy(path: &Path, warnings: &mut Vec<Diagnostic>) -> Result<PolicySource, LoadError> {
    let text = read_text(path, warnings)?;
    let (policy, diagnostics) = PolicySource::parse(&path.to_string_lossy(), &text);
    warnings.extend(diagnostics);
    refuse_errors(warnings)?;
    policy.ok_or_else(|| LoadError::Lists(warnings.clone()))
}

fn refuse_errors(diagnostics: &mut Vec<Diagnostic>) -> Result<(), LoadError> {
    if diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
        return Err(LoadError::Lists(std::mem::take(diagnostics)));
    }
    Ok(())
}

fn read_text(path: &Path, warnings: &mut Vec<Diagnostic>) -> Result<String, LoadError> {
    let (text, problem) = decode_text(&path.to_string_lossy(), &read(path)?);
    warnings.extend(problem);
    Ok(text)
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })
}
