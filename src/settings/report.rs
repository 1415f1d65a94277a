//! The mistakes found in a configuration: where, what, what to do. Collects them; never holds a value that may be secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Byte offset in the file.
    File(usize),
    /// An environment variable.
    Variable(String),
    /// The file as a whole.
    Whole,
}

/// Why a value cannot be used, for people: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) help: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
        }
    }
}

/// One mistake with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    /// Line and column, from 1; mistakes of the environment come after those of the file.
    at: Option<(usize, usize)>,
    variable: Option<String>,
    wrong: Wrong,
}

/// What a reading of one file found so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self {
            file,
            text,
            mistakes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, place: &Place, wrong: Wrong) {
        let (at, variable) = match place {
            Place::File(offset) => (Some(self.line_and_column(*offset)), None),
            Place::Variable(name) => (None, Some(name.clone())),
            Place::Whole => (Some((1, 1)), None),
        };
        self.mistakes.push(Mistake { at, variable, wrong });
    }

    /// Notes something that works but is probably not meant.
    pub(super) fn warning(&mut self, place: &Place, text: impl fmt::Display) {
        let warning = match place {
            Place::File(offset) => {
                let (line, column) = self.line_and_column(*offset);
                format!("{}:{line}:{column}: {text}", self.file.display())
            }
            Place::Variable(name) => format!("environment variable {name}: {text}"),
            Place::Whole => format!("{}: {text}", self.file.display()),
        };
        self.warnings.push(warning);
    }

    /// The line of `place`, for texts that point at an earlier place.
    pub(super) fn line(&self, place: &Place) -> usize {
        match place {
            Place::File(offset) => self.line_and_column(*offset).0,
            _ => 1,
        }
    }

    /// The warnings, or all mistakes in the order of the file.
    pub(super) fn finish(mut self) -> Result<Vec<String>, Mistakes> {
        if self.mistakes.is_empty() {
            return Ok(self.warnings);
        }
        self.mistakes
            .sort_by_key(|mistake| mistake.at.unwrap_or((usize::MAX, 0)));
        Err(Mistakes {
            file: self.file.to_owned(),
            list: self.mistakes,
        })
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// Everything wrong with a configuration, in the order of the file. Displays as one paragraph for each mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistakes {
    file: PathBuf,
    list: Vec<Mistake>,
}

impl Mistakes {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let plural = if self.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {plural} in the configuration", self.len())?;
        for Mistake { at, variable, wrong } in &self.list {
            match (at, variable) {
                (Some((line, column)), _) => write!(f, "\n{file}:{line}:{column}: ")?,
                (None, Some(name)) => write!(f, "\nenvironment variable {name}: ")?,
                (None, None) => write!(f, "\n{file}: ")?,
            }
            write!(f, "{}\n    help: {}", wrong.what, wrong.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
