//! A reader over one TOML table that goes on after a mistake: every typed read either gives a value or notes what is
//! wrong. Knows tables, places and overrides; the meaning of values is in `values`, of keys in the section readers.

use super::environment::Environment;
use super::keys;
use super::nearest::nearest;
use super::report::{Place, Report, Wrong};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
pub(super) struct Found<'a> {
    pub(super) place: Place,
    pub(super) value: &'a DeValue<'a>,
    /// The variable's own text if it comes from the environment.
    pub(super) raw: Option<&'a str>,
}

/// The `IMBOT_SECTION__KEY` variables, parsed.
pub(super) struct Overrides<'a>(BTreeMap<(String, String), Override<'a>>);

struct Override<'a> {
    variable: &'a str,
    raw: &'a str,
    value: DeValue<'a>,
}

impl<'a> Overrides<'a> {
    /// Parses each value as TOML, else takes it as a string, and refuses names that set nothing.
    pub(super) fn read(environment: &'a Environment, report: &mut Report<'_>) -> Self {
        let mut known = BTreeMap::new();
        for (variable, section, key, raw) in environment.overrides() {
            if keys::of_section(&section).contains(&key.as_str()) {
                let value = match DeValue::parse(raw) {
                    Ok(value) => value.into_inner(),
                    Err(_) => DeValue::String(raw.into()),
                };
                known.insert((section, key), Override { variable, raw, value });
            } else {
                report.mistake(&Place::Variable(variable.to_owned()), unknown_variable(variable));
            }
        }
        Self(known)
    }

    fn find(&self, section: &str, key: &str) -> Option<Found<'_>> {
        let found = self.0.get(&(section.to_owned(), key.to_owned()))?;
        Some(Found {
            place: Place::Variable(found.variable.to_owned()),
            value: &found.value,
            raw: Some(found.raw),
        })
    }
}

fn unknown_variable(variable: &str) -> Wrong {
    let names: Vec<String> = keys::SECTIONS
        .iter()
        .flat_map(|(section, keys)| {
            keys.iter()
                .map(move |key| format!("IMBOT_{}__{}", section.to_uppercase(), key.to_uppercase()))
        })
        .collect();
    let help = match nearest(variable, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "unset it; portals and bots are set in the file, all other keys as IMBOT_SECTION__KEY".to_owned(),
    };
    Wrong::new("no setting has this name", help)
}

/// One table being read.
pub(super) struct Fields<'a, 'r> {
    /// As people write it, for example `server` or `portal.bot`.
    path: &'static str,
    /// Where the table begins; mistakes about what is not there point here.
    pub(super) place: Place,
    table: Option<&'a DeTable<'a>>,
    overrides: Option<&'a Overrides<'a>>,
    pub(super) report: &'r mut Report<'a>,
}

impl<'a, 'r> Fields<'a, 'r> {
    /// A table inside a list, which the environment cannot reach.
    pub(super) fn of_table(
        path: &'static str,
        place: Place,
        table: &'a DeTable<'a>,
        report: &'r mut Report<'a>,
    ) -> Self {
        Self {
            path,
            place,
            table: Some(table),
            overrides: None,
            report,
        }
    }

    /// The section `name` of the document, which may be absent; its unknown keys are refused at once.
    pub(super) fn of_section(
        name: &'static str,
        document: &'a DeTable<'a>,
        overrides: &'a Overrides<'a>,
        report: &'r mut Report<'a>,
    ) -> Self {
        let (mut place, mut table) = (Place::Whole, None);
        if let Some(found) = document.get(name) {
            place = Place::File(found.span().start);
            match found.get_ref() {
                DeValue::Table(inner) => table = Some(inner),
                _ => report.mistake(
                    &place,
                    Wrong::new(format!("{name} is not a table"), format!("write it as [{name}]")),
                ),
            }
        }
        let mut fields = Self {
            path: name,
            place,
            table,
            overrides: Some(overrides),
            report,
        };
        fields.refuse_unknown(keys::of_section(name));
        fields
    }

    /// The value of `key`: the environment's, else the file's.
    pub(super) fn find(&self, key: &str) -> Option<Found<'a>> {
        if let Some(found) = self.overrides.and_then(|overrides| overrides.find(self.path, key)) {
            return Some(found);
        }
        let value = self.table?.get(key)?;
        Some(Found {
            place: Place::File(value.span().start),
            value: value.get_ref(),
            raw: None,
        })
    }

    /// Whether `key` is there, usable or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Reads `key`; `None` if it is absent or wrong (then that is noted).
    pub(super) fn read<T>(&mut self, key: &str, parse: impl FnOnce(&Found<'a>) -> Result<T, Wrong>) -> Option<T> {
        let found = self.find(key)?;
        match parse(&found) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.mistake(key, &found.place, wrong);
                None
            }
        }
    }

    /// Reads `key`, or notes that it is missing.
    pub(super) fn require<T>(
        &mut self,
        key: &str,
        help: &str,
        parse: impl FnOnce(&Found<'a>) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.has(key) {
            let place = self.place.clone();
            self.mistake(key, &place, Wrong::new("missing", help));
        }
        self.read(key, parse)
    }

    /// Reads a list, noting each wrong item by itself; `None` if the key is absent or anything in it is wrong.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&Found<'a>) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let found = self.find(key)?;
        let DeValue::Array(items) = found.value else {
            let wrong = Wrong::new("not a list", format!("write it as {key} = [\"…\", \"…\"]"));
            self.mistake(key, &found.place, wrong);
            return None;
        };
        let mut values = Vec::new();
        for item in items {
            // An item of a variable has no place of its own in the file.
            let place = match &found.place {
                Place::File(_) => Place::File(item.span().start),
                other => other.clone(),
            };
            let item = Found {
                place,
                value: item.get_ref(),
                raw: None,
            };
            match parse(&item) {
                Ok(value) => values.push(value),
                Err(wrong) => self.mistake(key, &item.place, wrong),
            }
        }
        (values.len() == items.len()).then_some(values)
    }

    /// The tables of a list such as `[[portal]]`.
    pub(super) fn tables(&mut self, key: &str) -> Vec<(Place, &'a DeTable<'a>)> {
        let Some(found) = self.find(key) else {
            return Vec::new();
        };
        let help = format!(
            "write each as [[{}]]",
            if self.path.is_empty() {
                key.into()
            } else {
                format!("{}.{key}", self.path)
            }
        );
        let DeValue::Array(items) = found.value else {
            self.mistake(key, &found.place, Wrong::new("not a list of tables", help));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            let place = Place::File(item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => tables.push((place, table)),
                _ => self.mistake(key, &place, Wrong::new("not a table", help.clone())),
            }
        }
        tables
    }

    /// Refuses every key that is not in `known`, with the nearest one that is.
    pub(super) fn refuse_unknown(&mut self, known: &[&str]) {
        let Some(table) = self.table else { return };
        for name in table.keys().filter(|name| !known.contains(&name.get_ref().as_ref())) {
            let help = match nearest(name.get_ref(), known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; known here: {}", known.join(", ")),
            };
            let wrong = Wrong::new("unknown key", help);
            self.mistake(name.get_ref(), &Place::File(name.span().start), wrong);
        }
    }

    /// Notes a mistake about `key`.
    pub(super) fn mistake(&mut self, key: &str, place: &Place, wrong: Wrong) {
        let dot = if self.path.is_empty() { "" } else { "." };
        let key: String = key.chars().take(64).flat_map(char::escape_default).collect();
        let what = format!("{}{dot}{key}: {}", self.path, wrong.what);
        self.report.mistake(place, Wrong::new(what, wrong.help));
    }
}
