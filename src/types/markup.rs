//! Text that a chat user will read, in Bitrix24's BB code. Owns escaping; never sends.
//!
//! Escaping is not documented by Bitrix24; the practical rule is a zero-width space after each `[` and inside the
//! other marks a client acts on (`>>` at a line's start, a line of `------`, a leading `/`), so that words of
//! strangers cannot mention everybody, plant a button or start a command.

use std::fmt::{self, Write as _};

/// Breaks a mark without being seen.
const BREAK: char = '\u{200B}';

/// Text with BB code in it. Made from plain text (escaped), by [`markup!`](crate::markup), or [`raw`](Self::raw).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// Text taken as BB code as it stands. Only for text that no stranger had a hand in.
    #[must_use]
    pub fn raw(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Plain text: nothing in it will act as BB code.
    #[must_use]
    pub fn escaped(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 16);
        let mut rest = text;
        let mut line_start = true;
        while let Some(mark) = rest.chars().next() {
            let taken = if line_start { mark_at_line_start(rest) } else { 0 };
            if taken > 0 {
                out.push_str(&rest[..1]);
                out.push(BREAK);
                out.push_str(&rest[1..taken]);
                rest = &rest[taken..];
                line_start = false;
                continue;
            }
            out.push(mark);
            if mark == '[' {
                out.push(BREAK);
            }
            // A space does not end the "start of line" for a command: clients trim.
            line_start = mark == '\n' || mark == '\r' || (line_start && mark.is_whitespace());
            rest = &rest[mark.len_utf8()..];
        }
        Self(out)
    }

    /// The BB code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The BB code, by value.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether nothing would be shown: the portal trims, and refuses blank text.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// For [`markup!`](crate::markup): formats arguments that have been escaped.
    #[doc(hidden)]
    #[must_use]
    pub fn from_format(args: fmt::Arguments<'_>) -> Self {
        let mut out = String::new();
        // Writing to a String cannot fail; an argument's own Display might, and then its text is cut there.
        let _ = out.write_fmt(args);
        Self(out)
    }
}

/// Length of a mark that acts at the start of a line: `>>`, `------`, `/command`. Zero if there is none.
pub(super) fn mark_at_line_start(rest: &str) -> usize {
    if rest.starts_with(">>") {
        2
    } else if rest.starts_with("------") {
        6
    } else if rest.starts_with('/') && rest[1..].starts_with(|next: char| next.is_alphanumeric()) {
        1
    } else {
        0
    }
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        Self::escaped(text)
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        Self::escaped(&text)
    }
}

impl From<&String> for Markup {
    fn from(text: &String) -> Self {
        Self::escaped(text)
    }
}

/// An argument of [`markup!`](crate::markup): markup stays, everything else is escaped.
#[doc(hidden)]
pub struct Piece<T>(pub T);

impl Piece<&Markup> {
    /// Markup is passed through.
    #[must_use]
    pub fn piece(&self) -> Markup {
        self.0.clone()
    }
}

/// The fallback of [`Piece::piece`]: found only where the inherent one does not apply.
#[doc(hidden)]
pub trait EscapePiece {
    /// The argument's text, escaped.
    fn piece(&self) -> Markup;
}

impl<T: fmt::Display> EscapePiece for Piece<&T> {
    fn piece(&self) -> Markup {
        Markup::escaped(&self.0.to_string())
    }
}

/// Like `format!`, with BB code in the template and every argument escaped (except [`Markup`] itself).
///
/// ```
/// use imbot::markup;
/// let name = "[user=all]everybody[/user]";
/// assert_eq!(markup!("[b]{}[/b]", name).as_str(), "[b][\u{200B}user=all]everybody[\u{200B}/user][/b]");
/// ```
#[macro_export]
macro_rules! markup {
    ($template:literal $(,)?) => {
        $crate::types::Markup::from_format(format_args!($template))
    };
    ($template:literal $(, $argument:expr)+ $(,)?) => {{
        use $crate::types::EscapePiece as _;
        $crate::types::Markup::from_format(format_args!(
            $template $(, $crate::types::Piece(&$argument).piece().as_str())+
        ))
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        Markup::escaped(text).into_string().replace(BREAK, "|")
    }

    #[test]
    fn marks_of_strangers_are_broken() {
        assert_eq!(seen("[user=all]hi[/user]"), "[|user=all]hi[|/user]");
        assert_eq!(seen(">>quote\n>>more a >> b"), ">|>quote\n>|>more a >> b");
        assert_eq!(seen("------\ntext"), "-|-----\ntext");
        assert_eq!(seen("/help me"), "/|help me");
        assert_eq!(seen("  /help"), "  /|help");
        assert_eq!(seen("1/2 and a / b"), "1/2 and a / b");
        assert_eq!(seen("/"), "/");
    }

    #[test]
    fn plain_words_stay_byte_for_byte() {
        for text in [
            "",
            "Hello",
            "a+b & c%20",
            "👍🏽 ok\r\n\ttab",
            "----- five",
            "price: 5 > 3",
        ] {
            assert_eq!(Markup::escaped(text).as_str(), text);
        }
    }

    #[test]
    fn the_macro_escapes_arguments_but_not_markup() {
        let inner = Markup::raw("[i]yes[/i]");
        let made = crate::markup!("[b]{}[/b] {} {}", "[x]", inner, 7);
        assert_eq!(made.as_str(), "[b][\u{200B}x][/b] [i]yes[/i] 7");
    }
}
