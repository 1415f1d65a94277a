//! Why a call is not made: the portal would refuse it, or change it without a word. Owns the wording; holds no value of
//! the call, so that it may be logged.

use std::fmt;

/// A parameter that the portal would refuse, cut or ignore. Found before anything is queued.
///
/// ```
/// use imbot::method::{Method, Refused, MessageSend, Reason};
/// let refused = MessageSend::new("chat5", " ").check().unwrap_err();
/// assert_eq!(refused.field(), "fields.message");
/// assert_eq!(refused.reason(), &Reason::Blank);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    field: String,
    reason: Reason,
}

/// What is wrong with a parameter. Lengths are Unicode code points unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing is there after trimming.
    Blank,
    /// Longer than the portal takes.
    TooLong {
        /// How long it is.
        length: usize,
        /// The most that is taken.
        most: usize,
    },
    /// More entries than the portal takes.
    TooMany {
        /// How many there are.
        count: usize,
        /// The most that is taken.
        most: usize,
    },
    /// A list that must not be empty is.
    Empty,
    /// A number outside its range.
    OutOfRange {
        /// The number.
        value: i64,
        /// The least that is taken.
        least: i64,
        /// The most that is taken.
        most: i64,
    },
    /// It does not have the form that the portal reads; the text says which form that is.
    Form(&'static str),
    /// It does not go together with something else; the text says with what.
    Rule(&'static str),
}

impl Refused {
    /// Refuses the parameter at `field`.
    pub(crate) fn new(field: impl Into<String>, reason: Reason) -> Self {
        Self {
            field: field.into(),
            reason,
        }
    }

    /// The same refusal, seen from the object that holds the parameter.
    pub(crate) fn inside(self, outer: &str) -> Self {
        let field = match self.field.as_str() {
            "" => outer.to_owned(),
            field => format!("{outer}.{field}"),
        };
        Self { field, ..self }
    }

    /// The path of the parameter, as the portal names it: `fields.keyboard.2.LINK`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("is blank; give it a text"),
            Self::TooLong { length, most } => write!(f, "has {length} characters; the portal takes {most}"),
            Self::TooMany { count, most } => write!(f, "has {count} entries; the portal takes {most}"),
            Self::Empty => f.write_str("is an empty list; give it at least one entry"),
            Self::OutOfRange { value, least, most } if *most == i64::MAX => {
                write!(f, "is {value}; the portal takes {least} and more")
            }
            Self::OutOfRange { value, least, most } => write!(f, "is {value}; the portal takes {least} to {most}"),
            Self::Form(form) => write!(f, "must be {form}"),
            Self::Rule(rule) => f.write_str(rule),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_where_and_what_and_no_value() {
        let refused = Refused::new(
            "LINK",
            Reason::Form("an http or https address, or a path of the portal"),
        );
        assert_eq!(
            refused.inside("1").inside("fields.keyboard").to_string(),
            "fields.keyboard.1.LINK: must be an http or https address, or a path of the portal"
        );
        let range = Reason::OutOfRange {
            value: 0,
            least: 1,
            most: 600,
        };
        assert_eq!(
            Refused::new("duration", range).to_string(),
            "duration: is 0; the portal takes 1 to 600"
        );
    }
}
