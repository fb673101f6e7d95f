//! Making a bundle from a folder of lists. Not for signing: that needs secret keys, which are the business
//! of the command line.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tamis_guest::Pack;

use crate::LoadError;
use crate::bundle::admit::{SelfTest, Wanted};
use crate::bundle::content::{Content, write_files};
use crate::bundle::file::{Body, Bundle, pack};
use crate::bundle::{Manifest, Part, PartKind, Refusal, Rollout, TextFile, sha256_hex};

/// What a bundle is to be made of.
#[derive(Clone, Debug)]
pub struct BundleBuilder {
    manifest: Manifest,
    files: Vec<TextFile>,
    policy: Option<String>,
    module: Option<Vec<u8>>,
    model: Option<Vec<u8>>,
    tests: Vec<SelfTest>,
}

impl BundleBuilder {
    /// A bundle of that name and sequence; times in seconds since 1970.
    #[must_use]
    pub fn new(name: &str, sequence: u64, created: u64, expires: u64) -> BundleBuilder {
        let manifest = Manifest::new(name, sequence, created, expires);
        BundleBuilder { manifest, files: Vec::new(), policy: None, module: None, model: None, tests: Vec::new() }
    }

    /// Takes taxonomy, lists, policy, model, and the lists' own tests from a folder such as `wordlists/`.
    ///
    /// # Errors
    /// If it cannot be read, or a list is not TOML.
    pub fn folder(&mut self, folder: &Path) -> Result<&mut BundleBuilder, Refusal> {
        let read =
            |path: &Path| fs::read_to_string(path).map_err(|error| LoadError::Read { path: path.to_owned(), error });
        let mut paths: Vec<PathBuf> = vec![folder.join("taxonomy.toml")];
        paths.extend(crate::sources::list_files(folder)?);
        for path in paths {
            let relative = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            self.files.push(TextFile { path: relative, text: read(&path)? });
        }
        let policy = folder.join("policy.toml");
        if policy.is_file() {
            self.policy = Some(read(&policy)?);
        }
        let model = folder.join(crate::sources::MODEL_FILE);
        if model.is_file() {
            self.model = Some(fs::read(&model).map_err(|error| LoadError::Read { path: model, error })?);
        }
        self.tests.extend(list_tests(&self.files)?);
        Ok(self)
    }

    /// Adds a file of lists.
    pub fn file(&mut self, path: &str, text: &str) -> &mut BundleBuilder {
        self.files.push(TextFile { path: path.to_owned(), text: text.to_owned() });
        self
    }

    /// Sets the policy, TOML. Without one, a host uses its own.
    pub fn policy(&mut self, text: &str) -> &mut BundleBuilder {
        self.policy = Some(text.to_owned());
        self
    }

    /// Adds a filter module. Without one, a host uses its own.
    pub fn module(&mut self, wasm: Vec<u8>) -> &mut BundleBuilder {
        self.module = Some(wasm);
        self
    }

    /// Sets the model. Without one, nothing tells advertising and fraud but the lists.
    pub fn model(&mut self, bytes: Vec<u8>) -> &mut BundleBuilder {
        self.model = Some(bytes);
        self
    }

    /// Adds a test.
    pub fn test(&mut self, test: SelfTest) -> &mut BundleBuilder {
        self.tests.push(test);
        self
    }

    /// Says what changed.
    pub fn note(&mut self, text: &str) -> &mut BundleBuilder {
        text.clone_into(&mut self.manifest.note);
        self
    }

    /// Says on which hosts it judges first, and there for whom. Default: everywhere at once, every message.
    pub fn rollout(&mut self, rollout: Rollout) -> &mut BundleBuilder {
        self.manifest.rollout = rollout;
        self
    }

    /// Compiles the lists once, to count their terms, and packs everything.
    ///
    /// # Errors
    /// If lists or policy have errors, or there can be no such name or rollout.
    pub fn finish(&self) -> Result<Bundle, Refusal> {
        let mut content = Content::default();
        let mut put = |kind, bytes| content.parts.push((kind, bytes));
        put(PartKind::Lists, write_files(&self.files)?);
        if let Some(policy) = &self.policy {
            put(PartKind::Policy, policy.clone().into_bytes());
        }
        if !self.tests.is_empty() {
            let lines = self.tests.iter().map(|test| serde_json::to_string(test).unwrap_or_default() + "\n");
            put(PartKind::Tests, lines.collect::<String>().into_bytes());
        }
        if let Some(module) = &self.module {
            put(PartKind::Module, module.clone());
        }
        if let Some(model) = &self.model {
            put(PartKind::Model, model.clone());
        }
        let compiled = content.compile()?;
        let bytes = tamis_guest::PackBytes::from(compiled.pack);
        let mut manifest = self.manifest.clone();
        manifest.terms = Pack::decode_layout(&bytes).map_err(LoadError::from)?.terms_count() as u64;
        for (kind, bytes) in &content.parts {
            manifest.parts.push(Part { kind: *kind, bytes: bytes.len() as u64, sha256: sha256_hex(bytes) });
        }
        manifest.check()?;
        let bodies = content.parts.iter().map(|(_, bytes)| Body::Whole(pack(bytes)));
        Ok(Bundle::new(manifest, None, bodies.collect()))
    }
}

impl Bundle {
    /// The same content under another sequence and time, to be signed anew: how to go back to what was, everywhere
    /// at once.
    ///
    /// # Errors
    /// If it is written as changes; make it from a whole bundle.
    pub fn renewed(&self, sequence: u64, created: u64, expires: u64, note: &str) -> Result<Bundle, Refusal> {
        if let Some(base) = self.base() {
            return Err(Refusal::DeltaBase(base));
        }
        let (note, rollout) = (note.to_owned(), Rollout::default());
        let manifest = Manifest { sequence, created, expires, note, rollout, ..self.manifest().clone() };
        Ok(Bundle::new(manifest, None, self.bodies.clone()))
    }
}

/// What a list says that is of interest here; the list's own compiler reads and checks the rest.
#[derive(Deserialize)]
struct ListTests {
    list: Option<ListHead>,
    #[serde(default)]
    term: Vec<TermTests>,
}

#[derive(Deserialize)]
struct ListHead {
    id: String,
}

#[derive(Deserialize)]
struct TermTests {
    pattern: String,
    #[serde(default)]
    hits: Vec<String>,
    #[serde(default)]
    misses: Vec<String>,
}

/// The `hits` and `misses` that lists name for their terms.
///
/// # Errors
/// If a list is not TOML.
pub fn list_tests(files: &[TextFile]) -> Result<Vec<SelfTest>, Refusal> {
    let mut tests = Vec::new();
    for file in files.iter().filter(|file| file.path != "taxonomy.toml" && file.path.ends_with(".toml")) {
        let lists: ListTests =
            toml::from_str(&file.text).map_err(|error| Refusal::Malformed(format!("{}: {error}", file.path)))?;
        let list = lists.list.map(|head| head.id);
        for term in lists.term {
            let test = |wanted| {
                let (list, term) = (list.clone(), Some(term.pattern.clone()));
                move |text: &String| SelfTest { text: text.clone(), wanted, list: list.clone(), term: term.clone() }
            };
            tests.extend(term.hits.iter().map(test(Wanted::Hit)));
            tests.extend(term.misses.iter().map(test(Wanted::Miss)));
        }
    }
    Ok(tests)
}
