//! Coded findings about lists, taxonomies and policies, with place and remedy. A code keeps its
//! meaning for ever; `error` keeps a list from being used, `warning` does not.

use core::fmt;
use core::ops::Range;
use std::borrow::ToOwned as _;
use std::string::String;

/// How grave a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Worth a look.
    Warning,
    /// The term, or the file, cannot be used as it is.
    Error,
}

/// One finding, rendered by its `Display` with the line and a caret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Such as `T006`.
    pub code: &'static str,
    /// Error or warning.
    pub level: Level,
    /// The file, as the caller named it.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line's text.
    pub source_line: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// A change of the file that does it, where there is a safe one.
    pub fix: Option<Fix>,
}

/// Puts a text in the place of a range of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// Bytes of the file.
    pub range: Range<usize>,
    /// What to put there.
    pub replacement: String,
}

/// A finding before it knows its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Finding {
    pub(crate) fn error(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { code, level: Level::Error, message: message.into(), help: help.into() }
    }

    pub(crate) fn warning(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, ..Finding::error(code, message, help) }
    }

    /// Places the finding at a byte of a file.
    pub(crate) fn at(self, path: &str, text: &str, byte: usize) -> Diagnostic {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line_start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[byte..].find('\n').map_or(text.len(), |newline| byte + newline);
        Diagnostic {
            code: self.code,
            level: self.level,
            path: path.to_owned(),
            line: text[..byte].matches('\n').count() + 1,
            column: text[line_start..byte].chars().count() + 1,
            source_line: text[line_start..line_end].trim_end_matches('\r').to_owned(),
            message: self.message,
            help: self.help,
            fix: None,
        }
    }
}

/// The character, or a dot for one that would not show or would turn the line round.
fn visible(c: char) -> char {
    match c {
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' => '·',
        c if c.is_control() && c != '\t' => '·',
        c => c,
    }
}

/// Longest part of a source line that is shown, in characters.
const SHOWN_MAX: usize = 120;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let skipped = (self.column - 1).saturating_sub(SHOWN_MAX / 2);
        let shown: String = self.source_line.chars().skip(skipped).take(SHOWN_MAX).map(visible).collect();
        // Under a wide character the caret needs two columns; tabs stay tabs.
        let indent: String = shown
            .chars()
            .take(self.column - 1 - skipped)
            .map(|c| match c {
                '\t' => "\t",
                '\u{1100}'..='\u{11FF}'
                | '\u{2E80}'..='\u{D7FF}'
                | '\u{F900}'..='\u{FAFF}'
                | '\u{FF00}'..='\u{FF60}' => "  ",
                _ => " ",
            })
            .collect();
        let number = std::format!("{}", self.line);
        let gutter = " ".repeat(number.len());
        let message: String = self.message.chars().map(visible).collect();
        writeln!(f, "{level}[{}]: {message}", self.code)?;
        writeln!(f, "{gutter}--> {}:{}:{}", self.path, self.line, self.column)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {shown}")?;
        writeln!(f, "{gutter} | {indent}^")?;
        write!(f, "{gutter} = help: {}", self.help)
    }
}
