//! What a bundle holds once it is unpacked and its digests are right. Texts travel as one canonical text,
//! sorted by path: the same files give the same bytes, so they give the same digest.

use tamis_guest::compile::{self, Diagnostic, Level, ListSource, PolicySource, Taxonomy};

use crate::LoadError;
use crate::bundle::admit::SelfTest;
use crate::bundle::{PartKind, Refusal};

/// Most files in the lists of a bundle.
const FILES_MAX: usize = 10_000;
const PATH_BYTES_MAX: usize = 200;

/// A file of the lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextFile {
    /// Where in the folder of lists, with `/`: `en/fraud.toml`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The unpacked parts of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub(crate) parts: Vec<(PartKind, Vec<u8>)>,
}

/// Lists and policy, compiled; the pack as bytes, or checked.
pub(crate) struct Compiled<P> {
    pub(crate) pack: P,
    pub(crate) policy: Option<PolicySource>,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Content {
    /// The bytes of a part.
    #[must_use]
    pub fn part(&self, kind: PartKind) -> Option<&[u8]> {
        self.parts.iter().find(|(found, _)| *found == kind).map(|(_, bytes)| &bytes[..])
    }

    /// The files of the lists, `taxonomy.toml` among them.
    ///
    /// # Errors
    /// If the part is not what `write_files` writes.
    pub fn files(&self) -> Result<Vec<TextFile>, Refusal> {
        read_files(self.part(PartKind::Lists).unwrap_or_default())
    }

    /// The tests.
    pub(crate) fn tests(&self) -> Result<Vec<SelfTest>, Refusal> {
        let lines = self.part(PartKind::Tests).unwrap_or_default().split(|&byte| byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|error| Refusal::Malformed(format!("tests: {error}"))))
            .collect()
    }

    /// The policy, if there is one.
    pub(crate) fn policy(&self) -> Result<Option<PolicySource>, Refusal> {
        let Some(text) = self.part(PartKind::Policy) else { return Ok(None) };
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Malformed("policy: not UTF-8".to_owned()))?;
        let (policy, diagnostics) = PolicySource::parse("policy.toml", text);
        policy.map(Some).ok_or_else(|| LoadError::Lists(diagnostics).into())
    }

    /// Compiles lists and policy.
    pub(crate) fn compile(&self) -> Result<Compiled<Vec<u8>>, Refusal> {
        let files = self.files()?;
        let is_taxonomy = |file: &&TextFile| file.path == "taxonomy.toml";
        let taxonomy = files.iter().find(is_taxonomy).ok_or(Refusal::Malformed("no taxonomy.toml".to_owned()))?;
        let (taxonomy, mut warnings) = Taxonomy::parse(&taxonomy.path, &taxonomy.text);
        let lists: Vec<ListSource<'_>> = files
            .iter()
            .filter(|file| !is_taxonomy(file))
            .map(|file| ListSource { path: &file.path, text: &file.text })
            .collect();
        let model = self.part(PartKind::Model).map(|bytes| ("the model", bytes));
        let policy = self.policy()?;
        let protected = policy.as_ref().map(|policy| policy.protected().clone()).unwrap_or_default();
        let (pack, diagnostics) = compile::compile_with(&lists, &protected, &taxonomy, crate::today(), model);
        warnings.extend(diagnostics);
        if warnings.iter().any(|found| found.level == Level::Error) {
            return Err(LoadError::Lists(warnings).into());
        }
        Ok(Compiled { pack, policy, warnings })
    }
}

/// The canonical text of files: for each, in the order of paths, a line with path and length, and the text.
pub(crate) fn write_files(files: &[TextFile]) -> Result<Vec<u8>, Refusal> {
    let mut sorted: Vec<&TextFile> = files.iter().collect();
    sorted.sort_by(|one, next| one.path.cmp(&next.path));
    let mut bytes = Vec::new();
    for file in sorted {
        if !is_good_path(&file.path) {
            return Err(Refusal::Malformed(format!(
                "the path `{}`: letters, digits, `.`, `-`, `_` and `/` only",
                file.path
            )));
        }
        bytes.extend(format!("{} {}\n", file.path, file.text.len()).into_bytes());
        bytes.extend(file.text.as_bytes());
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn read_files(mut bytes: &[u8]) -> Result<Vec<TextFile>, Refusal> {
    let malformed = |reason: &str| Refusal::Malformed(format!("lists: {reason}"));
    let mut files: Vec<TextFile> = Vec::new();
    while !bytes.is_empty() {
        if files.len() == FILES_MAX {
            return Err(malformed("more than 10,000 files"));
        }
        let end = bytes.iter().take(PATH_BYTES_MAX + 24).position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| malformed("no head of a file"))?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed("a head is not UTF-8"))?;
        let (path, length) = head.split_once(' ').ok_or_else(|| malformed("a head without a length"))?;
        let length: usize = length.parse().map_err(|_| malformed("a length is no number"))?;
        if !is_good_path(path) || files.last().is_some_and(|last| *last.path >= *path) {
            return Err(malformed("paths that are out of order, or none"));
        }
        let rest = &bytes[end + 1..];
        let (text, rest) = rest.split_at_checked(length).ok_or_else(|| malformed("a file is cut short"))?;
        bytes = rest.strip_prefix(b"\n").ok_or_else(|| malformed("no line end after a file"))?;
        let text = std::str::from_utf8(text).map_err(|_| malformed("a file is not UTF-8"))?;
        files.push(TextFile { path: path.to_owned(), text: text.to_owned() });
    }
    Ok(files)
}

fn is_good_path(path: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    path.len() <= PATH_BYTES_MAX
        && path.bytes().all(is_good)
        && path.split('/').all(|name| !name.is_empty() && name != "." && name != "..")
}
