//! Event names: which family, and which of the eight we have types for. Compared without case, kept in capitals.

use serde::Serialize;

/// The family of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Kind {
    /// `ONIMBOTV2…`, known or not.
    #[serde(rename = "imbot_v2")]
    ImbotV2,
    /// The names of the first bot API.
    #[serde(rename = "imbot_v1")]
    ImbotV1,
    /// `ONAPP…`: about the application, not about a chat.
    #[serde(rename = "app")]
    App,
    /// Anything else.
    #[serde(rename = "other")]
    Other,
}

impl Kind {
    /// The family of a name in capitals.
    #[must_use]
    pub fn of(name: &str) -> Self {
        const V1: [&str; 7] = [
            "ONIMBOTMESSAGEADD",
            "ONIMBOTMESSAGEUPDATE",
            "ONIMBOTMESSAGEDELETE",
            "ONIMBOTJOINCHAT",
            "ONIMBOTDELETE",
            "ONIMBOTCONTEXTGET",
            "ONIMCOMMANDADD",
        ];
        if name.starts_with("ONIMBOTV2") {
            Self::ImbotV2
        } else if V1.contains(&name) {
            Self::ImbotV1
        } else if name.starts_with("ONAPP") {
            Self::App
        } else {
            Self::Other
        }
    }

    /// The word used in `decode` and as a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImbotV2 => "imbot_v2",
            Self::ImbotV1 => "imbot_v1",
            Self::App => "app",
            Self::Other => "other",
        }
    }
}

/// The events with types of their own. The number is the first byte of their deduplication keys: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    MessageAdd = 1,
    MessageUpdate = 2,
    MessageDelete = 3,
    JoinChat = 4,
    BotDelete = 5,
    ContextGet = 6,
    CommandAdd = 7,
    ReactionChange = 8,
}

impl Known {
    const ALL: [Self; 8] = [
        Self::MessageAdd,
        Self::MessageUpdate,
        Self::MessageDelete,
        Self::JoinChat,
        Self::BotDelete,
        Self::ContextGet,
        Self::CommandAdd,
        Self::ReactionChange,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MessageAdd => "ONIMBOTV2MESSAGEADD",
            Self::MessageUpdate => "ONIMBOTV2MESSAGEUPDATE",
            Self::MessageDelete => "ONIMBOTV2MESSAGEDELETE",
            Self::JoinChat => "ONIMBOTV2JOINCHAT",
            Self::BotDelete => "ONIMBOTV2DELETE",
            Self::ContextGet => "ONIMBOTV2CONTEXTGET",
            Self::CommandAdd => "ONIMBOTV2COMMANDADD",
            Self::ReactionChange => "ONIMBOTV2REACTIONCHANGE",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// A name as it is kept for people: at most 64 bytes, whole characters, nothing that moves a terminal's cursor.
pub(super) fn shown(name: &str) -> String {
    let mut shown = String::with_capacity(name.len().min(64));
    for letter in name.chars() {
        if shown.len() + letter.len_utf8() > 64 {
            break;
        }
        shown.push(if letter.is_control() { '?' } else { letter });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_name_is_short_whole_and_harmless() {
        assert_eq!(shown("ONIMBOTV2DELETE"), "ONIMBOTV2DELETE");
        assert_eq!(shown("A\u{1b}[2J\n"), "A?[2J?");
        assert_eq!(shown(&"ы".repeat(40)).len(), 64);
        assert_eq!(shown(&format!("x{}", "ы".repeat(40))).len(), 63);
    }

    #[test]
    fn families_are_told_by_name() {
        for (name, kind) in [
            ("ONIMBOTV2MESSAGEADD", Kind::ImbotV2),
            ("ONIMBOTV2TOMORROW", Kind::ImbotV2),
            ("ONIMCOMMANDADD", Kind::ImbotV1),
            ("ONIMBOTTOMORROW", Kind::Other),
            ("ONAPPPAYMENT", Kind::App),
            ("ONCRMLEADADD", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
