//! Words that a portal reads: closed sets of values, each with its own spelling. Owns the spelling; decides nothing.

/// An enum whose variants stand for one word on the wire each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it goes over the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl From<$name> for serde_json::Value {
            fn from(word: $name) -> Self {
                Self::String(word.as_str().to_owned())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a button or an attachment looks like; the portal's theme decides the colour. Default: `base`.
    ColorToken {
        Primary = "primary",
        Secondary = "secondary",
        Alert = "alert",
        Base = "base",
    }
}

words! {
    /// How a button stands: alone in its line, or beside others.
    Display {
        Line = "LINE",
        Block = "BLOCK",
    }
}

words! {
    /// Where a button is shown. Default: everywhere.
    Device {
        Mobile = "MOBILE",
        Desktop = "DESKTOP",
        All = "ALL",
    }
}

words! {
    /// How the rows of a grid stand. One grid has one layout.
    Layout {
        Block = "BLOCK",
        Line = "LINE",
        Row = "ROW",
        Table = "TABLE",
    }
}

words! {
    /// The shape of a picture beside a name.
    AvatarType {
        User = "USER",
        Chat = "CHAT",
        Bot = "BOT",
    }
}
