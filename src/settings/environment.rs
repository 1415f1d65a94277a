//! The environment, read once: the only place that asks the process for it. Everybody else is handed this value.

use std::collections::BTreeMap;
use std::fmt;

/// The variables the program was started with. Holds secrets, so it never shows a value.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. One whose name or value is not UTF-8 counts as not set.
    pub(crate) fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`; an empty one counts as not set, as shells and compose files cannot tell them apart.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `IMBOT_SECTION__KEY` variables, as (whole name, section, key) in lower case, and their values.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, String, String, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let (section, key) = name.strip_prefix("IMBOT_")?.split_once("__")?;
            if value.is_empty() {
                return None;
            }
            Some((
                name.as_str(),
                section.to_ascii_lowercase(),
                key.to_ascii_lowercase(),
                value.as_str(),
            ))
        })
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let environment: Environment = [("A", ""), ("B", "x")].into_iter().collect();
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.get("B"), Some("x"));
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }

    #[test]
    fn the_process_environment_is_readable() {
        assert!(Environment::of_process().get("PATH").is_some());
    }
}
