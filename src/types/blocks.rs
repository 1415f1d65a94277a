//! The blocks of an attachment, one type each. Owns their fields and rules; never sends.
//!
//! Source: Bitrix24 documentation, attachments. Text fields marked BB take [`Markup`]: of its codes a portal shows
//! user, chat, send, put, call, br, b, u, i, s and url there.

use super::Markup;
use super::fields::Fields;
use super::refused::{Reason, Refused};
use super::words::{AvatarType, ColorToken, Layout};
use serde_json::{Map, Value};

/// One block of an [`Attachment`](super::Attachment).
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Block {
    name: &'static str,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Text(Markup),
    One(Fields),
    Many(Vec<Fields>),
}

impl Block {
    /// A text in BB code; plain text is escaped.
    pub fn message(text: impl Into<Markup>) -> Self {
        Self {
            name: "MESSAGE",
            body: Body::Text(text.into()),
        }
    }

    /// A link with description and picture.
    pub fn link(link: Link) -> Self {
        Self::one("LINK", link.0)
    }

    /// A link that the portal looks up. Named in the documentation and not described there: try it before you rely on it.
    pub fn rich_link(link: Link) -> Self {
        Self::one("RICH_LINK", link.0)
    }

    /// A person, a chat or a bot.
    pub fn user(user: UserCard) -> Self {
        Self::one("USER", user.0)
    }

    /// Rows of names and values, all in one layout.
    pub fn grid(layout: Layout, rows: impl IntoIterator<Item = GridRow>) -> Self {
        let rows = rows.into_iter().map(|row| row.0.with("DISPLAY", layout)).collect();
        Self::many("GRID", rows)
    }

    /// Pictures.
    pub fn images(images: impl IntoIterator<Item = Image>) -> Self {
        Self::many("IMAGE", images.into_iter().map(|image| image.0).collect())
    }

    /// Links to files.
    pub fn files(files: impl IntoIterator<Item = FileLink>) -> Self {
        Self::many("FILE", files.into_iter().map(|file| file.0).collect())
    }

    /// A line of the usual length and colour.
    pub fn delimiter() -> Self {
        Self::one("DELIMITER", Fields::new().with("SIZE", 200))
    }

    /// A line of `pixels` length and a colour, as `#RRGGBB`.
    pub fn colored_delimiter(pixels: u32, color: &str) -> Self {
        let fields = Fields::new().number("SIZE", pixels.into(), 1, u32::MAX.into());
        Self::one("DELIMITER", fields.color("COLOR", color))
    }

    fn one(name: &'static str, fields: Fields) -> Self {
        let body = Body::One(fields);
        Self { name, body }
    }

    fn many(name: &'static str, entries: Vec<Fields>) -> Self {
        let body = Body::Many(entries);
        Self { name, body }
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        match &self.body {
            Body::Text(text) if text.is_blank() => Err(Refused::new(self.name, Reason::Blank)),
            Body::Text(_) => Ok(()),
            Body::One(fields) => fields.check().map_err(|refused| refused.inside(self.name)),
            Body::Many(entries) if entries.is_empty() => Err(Refused::new(self.name, Reason::Empty)),
            Body::Many(entries) => entries.iter().enumerate().try_for_each(|(at, fields)| {
                let place = |refused: Refused| refused.inside(&at.to_string()).inside(self.name);
                fields.check().map_err(place)
            }),
        }
    }

    pub(super) fn json(&self) -> Value {
        let body = match &self.body {
            Body::Text(text) => text.as_str().into(),
            Body::One(fields) => Value::Object(fields.object().clone()),
            Body::Many(entries) => entries
                .iter()
                .map(|entry| Value::Object(entry.object().clone()))
                .collect(),
        };
        Value::Object(Map::from_iter([(self.name.to_owned(), body)]))
    }
}

/// Declares the setters that several blocks share, each with the field it writes.
macro_rules! setters {
    ($type:ident { $($(#[$meta:meta])* $name:ident($kind:ident $field:literal)),+ $(,)? }) => {
        impl $type {
            $(setters!(@one $(#[$meta])* $name, $kind, $field);)+
        }
    };
    (@one $(#[$meta:meta])* $name:ident, address, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, address: &str) -> Self {
            Self(self.0.address($field, address))
        }
    };
    (@one $(#[$meta:meta])* $name:ident, text, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, text: &str) -> Self {
            Self(self.0.with($field, text))
        }
    };
    (@one $(#[$meta:meta])* $name:ident, markup, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, text: impl Into<Markup>) -> Self {
            Self(self.0.with($field, text.into().as_str()))
        }
    };
    (@one $(#[$meta:meta])* $name:ident, id, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, id: i64) -> Self {
            Self(self.0.id($field, id))
        }
    };
    (@one $(#[$meta:meta])* $name:ident, pixels, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, pixels: u32) -> Self {
            Self(self.0.number($field, pixels.into(), 1, u32::MAX.into()))
        }
    };
    (@one $(#[$meta:meta])* $name:ident, color, $field:literal) => {
        $(#[$meta])*
        pub fn $name(self, color: &str) -> Self {
            Self(self.0.color($field, color))
        }
    };
}

/// A link with description and picture.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Link(Fields);

impl Link {
    /// A link to an address (`http`, `https`, or a path of the portal).
    pub fn new(address: &str) -> Self {
        Self(Fields::new().address("LINK", address))
    }
}

setters!(Link {
    /// The words that are shown instead of the address.
    name(text "NAME"),
    /// A description below it.
    description(text "DESC"),
    /// A description in HTML; it replaces the other one.
    html(text "HTML"),
    /// The address of a picture.
    preview(address "PREVIEW"),
    /// The width of the picture in pixels.
    width(pixels "WIDTH"),
    /// The height of the picture in pixels.
    height(pixels "HEIGHT"),
    /// Opens the dialog with this user instead.
    user_id(id "USER_ID"),
    /// Opens this chat instead.
    chat_id(id "CHAT_ID"),
    /// Opens this account of the Bitrix24 network instead.
    network_id(text "NETWORK_ID"),
});

/// A person, a chat or a bot, with a picture.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct UserCard(Fields);

impl UserCard {
    /// Somebody with this name.
    pub fn new(name: &str) -> Self {
        Self(Fields::new().filled("NAME", name))
    }

    /// The shape of the picture.
    pub fn avatar_type(self, kind: AvatarType) -> Self {
        Self(self.0.with("AVATAR_TYPE", kind))
    }
}

setters!(UserCard {
    /// The address of the picture.
    avatar(address "AVATAR"),
    /// Where the name leads.
    link(address "LINK"),
    /// The user it stands for.
    user_id(id "USER_ID"),
    /// The chat it stands for.
    chat_id(id "CHAT_ID"),
    /// The bot it stands for.
    bot_id(id "BOT_ID"),
    /// The account of the Bitrix24 network it stands for.
    network_id(text "NETWORK_ID"),
});

/// One row of a grid.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct GridRow(Fields);

impl GridRow {
    /// A row without name and value.
    pub fn new() -> Self {
        Self::default()
    }

    /// The colour of its value by meaning.
    pub fn style(self, token: ColorToken) -> Self {
        Self(self.0.with("COLOR_TOKEN", token))
    }
}

setters!(GridRow {
    /// What it is.
    name(text "NAME"),
    /// Its value, BB code; plain text is escaped.
    value(markup "VALUE"),
    /// The width of the column of names in pixels.
    width(pixels "WIDTH"),
    /// The height in pixels.
    height(pixels "HEIGHT"),
    /// The colour of its value, as `#RRGGBB`.
    color(color "COLOR"),
    /// Where the value leads.
    link(address "LINK"),
    /// The user the value leads to.
    user_id(id "USER_ID"),
    /// The chat the value leads to.
    chat_id(id "CHAT_ID"),
});

/// A picture.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Image(Fields);

impl Image {
    /// The picture at an address.
    pub fn new(address: &str) -> Self {
        Self(Fields::new().address("LINK", address))
    }
}

setters!(Image {
    /// Its name.
    name(text "NAME"),
    /// The address of a smaller one.
    preview(address "PREVIEW"),
    /// Its width in pixels.
    width(pixels "WIDTH"),
    /// Its height in pixels.
    height(pixels "HEIGHT"),
});

/// A link to a file.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct FileLink(Fields);

impl FileLink {
    /// The file at an address.
    pub fn new(address: &str) -> Self {
        Self(Fields::new().address("LINK", address))
    }

    /// Its size in bytes.
    pub fn size(self, bytes: u64) -> Self {
        Self(self.0.with("SIZE", bytes))
    }
}

setters!(FileLink {
    /// Its name.
    name(text "NAME"),
});

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn link() -> Link {
        Link::new("/a")
            .name("n")
            .description("d")
            .html("<b>h</b>")
            .preview("https://example.com/p.png")
            .width(1)
            .height(2)
            .user_id(3)
            .chat_id(4)
            .network_id("5")
    }

    /// Every block with all its fields, beside the documentation's list of them.
    fn dressed() -> Vec<(Block, &'static str, &'static str)> {
        let link_fields = "LINK NAME DESC HTML PREVIEW WIDTH HEIGHT USER_ID CHAT_ID NETWORK_ID";
        let user = UserCard::new("n")
            .avatar("/a")
            .link("/l")
            .user_id(1)
            .chat_id(2)
            .bot_id(3);
        let row = GridRow::new()
            .name("n")
            .value("v")
            .width(1)
            .height(2)
            .color("#fff")
            .link("/l");
        let image = Image::new("/a").name("n").preview("/p").width(1).height(2);
        vec![
            (Block::link(link()), "LINK", link_fields),
            (Block::rich_link(link()), "RICH_LINK", link_fields),
            (
                Block::user(user.network_id("4").avatar_type(AvatarType::Bot)),
                "USER",
                "NAME AVATAR LINK USER_ID CHAT_ID BOT_ID NETWORK_ID AVATAR_TYPE",
            ),
            (
                Block::grid(Layout::Table, [row.style(ColorToken::Alert).user_id(1).chat_id(2)]),
                "GRID",
                "DISPLAY NAME VALUE WIDTH HEIGHT COLOR_TOKEN COLOR LINK USER_ID CHAT_ID",
            ),
            (Block::images([image]), "IMAGE", "LINK NAME PREVIEW WIDTH HEIGHT"),
            (
                Block::files([FileLink::new("/f").name("n").size(5)]),
                "FILE",
                "LINK NAME SIZE",
            ),
            (Block::colored_delimiter(100, "#c3c3c3"), "DELIMITER", "SIZE COLOR"),
        ]
    }

    #[test]
    fn every_block_has_every_documented_field_and_no_other() {
        for (block, name, fields) in dressed() {
            assert_eq!(block.check(), Ok(()), "{name}");
            let json = block.json();
            let body = &json.as_object().unwrap()[name];
            let body = body.as_array().map_or(body, |entries| &entries[0]);
            let seen: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(seen, fields.split(' ').collect::<BTreeSet<_>>(), "{name}");
            assert_eq!(json.as_object().unwrap().len(), 1, "one key a block");
        }
        assert_eq!(Block::message("[b]").json(), json!({ "MESSAGE": "[\u{200B}b]" }));
        assert_eq!(Block::delimiter().json(), json!({ "DELIMITER": { "SIZE": 200 } }));
    }

    #[test]
    fn a_wrong_block_is_refused_with_its_place() {
        let bad = "ftp://example.com";
        for (block, field) in [
            (Block::message(""), "MESSAGE"),
            (Block::link(Link::new(bad)), "LINK.LINK"),
            (Block::link(Link::new("/x").preview(bad)), "LINK.PREVIEW"),
            (Block::link(Link::new("/x").width(0)), "LINK.WIDTH"),
            (Block::rich_link(Link::new("/x").user_id(0)), "RICH_LINK.USER_ID"),
            (Block::user(UserCard::new("")), "USER.NAME"),
            (Block::user(UserCard::new("n").avatar(bad)), "USER.AVATAR"),
            (Block::grid(Layout::Row, []), "GRID"),
            (
                Block::grid(Layout::Row, [GridRow::new(), GridRow::new().color("x")]),
                "GRID.1.COLOR",
            ),
            (Block::images([]), "IMAGE"),
            (Block::images([Image::new(bad)]), "IMAGE.0.LINK"),
            (Block::files([]), "FILE"),
            (Block::files([FileLink::new("")]), "FILE.0.LINK"),
            (Block::colored_delimiter(0, "#fff"), "DELIMITER.SIZE"),
            (Block::colored_delimiter(1, "white"), "DELIMITER.COLOR"),
        ] {
            assert_eq!(block.check().unwrap_err().field(), field);
        }
    }
}
