//! `taxonomy.toml`: the categories, their stable ids and codes, and the clauses behind them.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::Diagnostic;
use super::diagnostic::Finding;
use super::toml_error;

/// All categories, by code.
#[derive(Clone, Debug, Default)]
pub struct Taxonomy {
    categories: Vec<TaxonomyCategory>,
}

/// What the taxonomy says of one category.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxonomyCategory {
    /// Stable id, never reused.
    pub id: String,
    /// Stable number, never reused.
    pub code: u32,
    /// Short name by language.
    pub title: BTreeMap<String, String>,
    /// One sentence for people by language.
    pub text: BTreeMap<String, String>,
    /// Clauses of the agreements.
    pub clauses: Vec<String>,
    /// Whether it ships empty, for an operator to fill.
    #[serde(default)]
    pub operator_supplied: bool,
    /// Whether a list of it must say whose law it rests on.
    #[serde(default)]
    pub needs_legal_basis: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaxonomyFile {
    format: Spanned<u32>,
    #[serde(default)]
    category: Vec<Spanned<TaxonomyCategory>>,
}

impl Taxonomy {
    /// Reads a taxonomy. What is wrong is in the diagnostics; the rest is kept.
    #[must_use]
    pub fn parse(path: &str, text: &str) -> (Taxonomy, Vec<Diagnostic>) {
        let file: TaxonomyFile = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return (Taxonomy::default(), [toml_error(path, text, &error)].into()),
        };
        let mut diagnostics = Vec::new();
        super::check_format(path, text, &file.format, &mut diagnostics);
        let mut categories: Vec<TaxonomyCategory> = Vec::new();
        for category in file.category {
            let at = category.span().start;
            let category = category.into_inner();
            match categories.iter().find(|known| known.id == category.id || known.code == category.code) {
                Some(known) => {
                    let message = format!(
                        "category `{}` ({}) repeats `{}` ({})",
                        category.id, category.code, known.id, known.code
                    );
                    diagnostics.push(
                        Finding::error("T003", message, "give it an id and a code of its own").at(path, text, at),
                    );
                }
                None => categories.push(category),
            }
        }
        categories.sort_by_key(|category| category.code);
        (Taxonomy { categories }, diagnostics)
    }

    /// The taxonomy of plain files of terms: the one category `custom`.
    #[must_use]
    pub fn custom() -> Taxonomy {
        let category = TaxonomyCategory {
            id: "custom".into(),
            code: 900,
            title: BTreeMap::new(),
            text: BTreeMap::new(),
            clauses: Vec::new(),
            operator_supplied: true,
            needs_legal_basis: false,
        };
        Taxonomy { categories: [category].into() }
    }

    /// All categories, by code.
    #[must_use]
    pub fn categories(&self) -> &[TaxonomyCategory] {
        &self.categories
    }

    /// Index of the category of that id.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<usize> {
        self.categories.iter().position(|category| category.id == id)
    }
}
