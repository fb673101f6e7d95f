//! Where a filter's parts come from on disk, and reading them. Used to start and, by the watcher, to
//! reload.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tamis_guest::compile::{
    self, Date, Diagnostic, Level, ListSource, PolicySource, Protected, Taxonomy, Variants, decode_text,
};

use crate::{LoadError, Module, PackImage, Parts, Runtime};

/// The model of a folder of lists.
pub(crate) const MODEL_FILE: &str = "model.bin";

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
    /// A policy; goes above the one of the folder, whose floors, protected names and breakers hold all the same.
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
    /// The policy of the parts as it is written, what is below it included.
    pub policy: PolicySource,
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
        let mut warnings = Vec::new();
        let policy = self.load_policy(&defaults.policy, &mut warnings)?;
        let pack = self.load_pack_if_named(runtime, policy.protected(), &mut warnings)?;
        let pack = pack.unwrap_or_else(|| defaults.pack.clone());
        if !policy.protected().is_in(&pack.pack()) {
            return Err(LoadError::Unprotected);
        }
        let module = match &self.module {
            Some(path) => {
                let bytes = read(path)?;
                let module = if bytes == running.wasm() {
                    running.clone()
                } else {
                    let in_file = |error| LoadError::InFile { path: path.clone(), error: Box::new(error) };
                    runtime.module(&bytes).map_err(in_file)?
                };
                module.with_sides_of(&defaults.module)
            }
            None => defaults.module.clone(),
        };
        let parts = Parts { module, policy: resolve(&policy, &pack), failure: policy.failure_policies(), pack };
        Ok(Loaded { parts, policy, warnings })
    }

    /// Reads and compiles the lists alone, with the names that the policies protect, and gives their warnings.
    ///
    /// # Errors
    /// As [`load`](Sources::load); also if no source of lists is named.
    pub fn load_pack(
        &self,
        runtime: &Runtime,
        defaults: &PolicySource,
    ) -> Result<(PackImage, Vec<Diagnostic>), LoadError> {
        let mut warnings = Vec::new();
        let policy = self.load_policy(defaults, &mut warnings)?;
        let pack = self.load_pack_if_named(runtime, policy.protected(), &mut warnings)?;
        Ok((pack.ok_or_else(|| LoadError::NoLists(PathBuf::from(".")))?, warnings))
    }

    /// The policy that is named, above that of the folder; `default` where there is none.
    fn load_policy(&self, default: &PolicySource, warnings: &mut Vec<Diagnostic>) -> Result<PolicySource, LoadError> {
        let of_folder = self.lists.as_ref().map(|folder| folder.join("policy.toml")).filter(|path| path.is_file());
        let of_folder = of_folder.map(|path| read_policy(&path, warnings)).transpose()?;
        Ok(match (&self.policy, of_folder) {
            (Some(path), Some(platform)) => read_policy(path, warnings)?.above(&platform),
            (Some(path), None) => read_policy(path, warnings)?.above(default),
            (None, Some(policy)) => policy,
            (None, None) => default.clone(),
        })
    }

    fn load_pack_if_named(
        &self,
        runtime: &Runtime,
        protected: &Protected,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Option<PackImage>, LoadError> {
        let pack = if let Some(folder) = &self.lists {
            runtime.pack(compile_folder(folder, protected, warnings)?)?
        } else if let Some(path) = &self.pack {
            runtime
                .pack(read(path)?)
                .map_err(|error| LoadError::InFile { path: path.clone(), error: Box::new(error) })?
        } else if let Some(path) = &self.terms {
            runtime.pack(compile_terms(path, self.variants, warnings)?)?
        } else {
            return Ok(None);
        };
        Ok(Some(pack))
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

/// The table of a policy for the categories of a pack.
pub(crate) fn resolve(policy: &PolicySource, pack: &PackImage) -> tamis_guest::Policy {
    let pack = pack.pack();
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    policy.resolve(&categories)
}

/// The day by the clock of this machine, in UTC: terms expire by it. It is read when lists are, so that a
/// generation does not change while it runs.
#[must_use]
pub fn today() -> Date {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Date::from_unix_seconds(since_1970.as_secs())
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

/// The files of a folder of lists, read and not yet compiled.
#[derive(Clone, Debug)]
pub struct ListFolder {
    /// The categories.
    pub taxonomy: Taxonomy,
    /// Path and text of each list, in the order of the paths.
    pub lists: Vec<(String, String)>,
    /// Path and bytes of the model, if there is one.
    pub model: Option<(String, Vec<u8>)>,
    /// What is wrong with the taxonomy, and with files that are not text.
    pub diagnostics: Vec<Diagnostic>,
}

impl ListFolder {
    /// Reads `taxonomy.toml`, every `<lang>/*.toml` and `<lang>/*.domains`, and `model.bin`.
    ///
    /// # Errors
    /// If a file cannot be read, or if there is none. What is wrong with what the files hold is in the diagnostics.
    pub fn read(folder: &Path) -> Result<ListFolder, LoadError> {
        let mut diagnostics = Vec::new();
        let taxonomy_path = folder.join("taxonomy.toml");
        if !taxonomy_path.is_file() {
            return Err(LoadError::NoLists(folder.to_owned()));
        }
        let taxonomy = read_text(&taxonomy_path, &mut diagnostics)?;
        let (taxonomy, found) = Taxonomy::parse(&taxonomy_path.to_string_lossy(), &taxonomy);
        diagnostics.extend(found);
        let mut lists = Vec::new();
        for path in list_files(folder)? {
            let text = read_text(&path, &mut diagnostics)?;
            lists.push((path.to_string_lossy().into_owned(), text));
        }
        if lists.is_empty() {
            return Err(LoadError::NoLists(folder.to_owned()));
        }
        let model_path = folder.join(MODEL_FILE);
        let model = match model_path.is_file() {
            true => Some((model_path.to_string_lossy().into_owned(), read(&model_path)?)),
            false => None,
        };
        Ok(ListFolder { taxonomy, lists, model, diagnostics })
    }

    /// The lists as the compiler takes them.
    #[must_use]
    pub fn sources(&self) -> Vec<ListSource<'_>> {
        self.lists.iter().map(|(path, text)| ListSource { path, text }).collect()
    }

    /// The pack of its lists and model for today with the names that policies protect, and what is wrong with them.
    #[must_use]
    pub fn compile(&self, protected: &Protected) -> (Vec<u8>, Vec<Diagnostic>) {
        let model = self.model.as_ref().map(|(path, bytes)| (&path[..], &bytes[..]));
        compile::compile_with(&self.sources(), protected, &self.taxonomy, today(), model)
    }
}

/// Compiles a folder of lists to a pack.
fn compile_folder(folder: &Path, protected: &Protected, warnings: &mut Vec<Diagnostic>) -> Result<Vec<u8>, LoadError> {
    let folder = ListFolder::read(folder)?;
    warnings.extend_from_slice(&folder.diagnostics);
    let (bytes, diagnostics) = folder.compile(protected);
    warnings.extend(diagnostics);
    refuse_errors(warnings)?;
    Ok(bytes)
}

/// The lists of a folder, in the order of their names: every TOML file and list of domains one folder down.
pub(crate) fn list_files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
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
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
    // One byte more than is read shows that there is more.
    let result = file.take(compile::FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    result.map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
    let (text, problem) = decode_text(&path.to_string_lossy(), &bytes);
    warnings.extend(problem);
    Ok(text)
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })
}
