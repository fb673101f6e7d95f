//! The lists of a folder as the commands hold them: files with what was read of them, and writing them back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tamis_guest::compile::{Diagnostic, Level, List, PolicySource, decode_text, lint, read_list};
use tamis_host::{ListFolder, today, write_whole};

/// A folder of lists.
pub(super) struct Store {
    pub(super) folder: ListFolder,
    pub(super) root: PathBuf,
    /// In the order of the files; `None` for a file that is no list.
    pub(super) lists: Vec<Option<List>>,
    /// What is wrong with the form of the lists and of the taxonomy.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Store {
    pub(super) fn read(root: &Path) -> anyhow::Result<Store> {
        let folder = read_folder(root)?;
        let mut diagnostics = folder.diagnostics.clone();
        let mut lists = Vec::new();
        for source in folder.sources() {
            let (list, found) = read_list(&source, &folder.taxonomy);
            lists.push(list);
            diagnostics.extend(found);
        }
        Ok(Store { folder, root: root.to_owned(), lists, diagnostics })
    }

    /// The same, if none of its lists has an error.
    pub(super) fn read_sound(root: &Path) -> anyhow::Result<Store> {
        let store = Store::read(root)?;
        let errors = errors(&store.diagnostics);
        if !errors.is_empty() {
            bail!("repair these first (`tamis lists lint {}` shows all):\n{}", root.display(), errors.join("\n\n"));
        }
        Ok(store)
    }

    /// Lists with the number of their file.
    pub(super) fn lists(&self) -> impl Iterator<Item = (usize, &List)> {
        self.lists.iter().enumerate().filter_map(|(number, list)| Some((number, list.as_ref()?)))
    }

    /// The list of that id.
    pub(super) fn list(&self, id: &str) -> Option<(usize, &List)> {
        self.lists().find(|(_, list)| list.id.text == id)
    }

    /// What lint finds once the file has this text; `None` is a new file.
    pub(super) fn lint_with(&self, number: Option<usize>, path: &str, text: &str) -> Vec<Diagnostic> {
        let mut folder = self.folder.clone();
        match number {
            Some(number) => text.clone_into(&mut folder.lists[number].1),
            None => folder.lists.push((path.to_owned(), text.to_owned())),
        }
        let mut found = lint(&folder.sources(), &folder.taxonomy, today());
        found.retain(|one| one.path == path);
        found
    }

    /// Where a list of that id belongs: `<lang>/<rest>.toml`.
    pub(super) fn path_of(&self, id: &str) -> anyhow::Result<PathBuf> {
        let is_name =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        match id.split_once('.') {
            Some((lang, rest)) if is_name(lang) && is_name(rest) && !lang.contains('.') => {
                Ok(self.root.join(lang).join(format!("{rest}.toml")))
            }
            _ => bail!("`{id}` is no id of a list: write <lang>.<name>, such as en.fraud.scam"),
        }
    }

    /// The policy of the folder, or the one that ships.
    pub(super) fn policy(&self) -> anyhow::Result<PolicySource> {
        let (name, text) = policy_text(&self.root)?;
        let (policy, diagnostics) = PolicySource::parse(&name, &text);
        let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        policy.with_context(|| shown.join("\n\n"))
    }
}

/// Reads the lists of a folder, and says which folder if it is within one.
pub(super) fn read_folder(root: &Path) -> anyhow::Result<ListFolder> {
    let whole = root.ancestors().skip(1).find(|above| above.join("taxonomy.toml").is_file());
    match whole {
        Some(whole) if root.exists() && !root.join("taxonomy.toml").is_file() => {
            let whole = if whole.as_os_str().is_empty() { Path::new(".") } else { whole };
            bail!("{} is a part of the lists: give the whole folder, {}", root.display(), whole.display())
        }
        _ => Ok(ListFolder::read(root)?),
    }
}

/// Name and text of the policy of a folder, or of the one that ships.
pub(super) fn policy_text(root: &Path) -> anyhow::Result<(String, String)> {
    let path = root.join("policy.toml");
    if !path.is_file() {
        return Ok(("policy.toml".to_owned(), include_str!("../../../../wordlists/policy.toml").to_owned()));
    }
    Ok((path.display().to_string(), read_text(&path)?))
}

/// Name and text of the honest messages of a folder, or of those that ship.
pub(super) fn honest_text(root: &Path) -> anyhow::Result<(String, String)> {
    let path = root.join("honest.txt");
    if !path.is_file() {
        return Ok(("honest.txt".to_owned(), include_str!("../../../../wordlists/honest.txt").to_owned()));
    }
    Ok((path.display().to_string(), read_text(&path)?))
}

pub(super) fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match decode_text(&path.to_string_lossy(), &bytes) {
        (text, None) => Ok(text),
        (_, Some(problem)) => bail!("{problem}"),
    }
}

/// Writes beside and renames, so that nobody who watches reads half a file.
pub(super) fn write_text(path: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    write_whole(path, text.as_bytes()).with_context(context)
}

/// The errors among findings, rendered.
pub(super) fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().filter(|found| found.level == Level::Error).map(ToString::to_string).collect()
}
