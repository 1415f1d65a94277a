//! How a bot's author wants people to see it. Plain data; `imbot register` brings it to the portals.

use crate::method::{Background, BotType, Color, Gender};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How people see a bot, and what it hears: what the program wants where `imbot.toml` says nothing else. What neither says
/// stays as it is at the portal.
///
/// ```
/// use imbot::Profile;
/// use imbot::method::{BotType, Color, Gender};
/// let profile = Profile::new("Support")
///     .work_position("answers questions")
///     .gender(Gender::Female)
///     .color(Color::Mint)
///     .kind(BotType::Supervisor);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) last_name: Option<String>,
    pub(crate) work_position: Option<String>,
    pub(crate) gender: Option<Gender>,
    pub(crate) color: Option<Color>,
    pub(crate) avatar: Option<Picture>,
    pub(crate) kind: Option<BotType>,
    pub(crate) hidden: Option<bool>,
    pub(crate) reactions: Option<bool>,
    pub(crate) openlines: Option<bool>,
    pub(crate) background: Option<Background>,
}

/// A picture, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

impl Profile {
    /// The name that people see.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.trim().to_owned(),
            ..Self::default()
        }
    }

    /// The last name.
    pub fn last_name(mut self, name: &str) -> Self {
        self.last_name = Some(name.trim().to_owned());
        self
    }

    /// The position, shown below the name.
    pub fn work_position(mut self, position: &str) -> Self {
        self.work_position = Some(position.to_owned());
        self
    }

    /// The gender, for the grammar of some languages.
    pub fn gender(mut self, gender: Gender) -> Self {
        self.gender = Some(gender);
        self
    }

    /// The colour.
    pub fn color(mut self, color: Color) -> Self {
        self.color = Some(color);
        self
    }

    /// The picture: the bytes of an image file, at most 5000 x 5000 pixels (`include_bytes!` takes one along).
    pub fn avatar(mut self, image: impl Into<Vec<u8>>) -> Self {
        self.avatar = Some(Picture::Bytes(image.into().into()));
        self
    }

    /// The picture as a file, read by `imbot register`.
    pub fn avatar_file(mut self, file: impl AsRef<Path>) -> Self {
        self.avatar = Some(Picture::File(file.as_ref().to_owned()));
        self
    }

    /// What it hears and may do. It cannot be changed once the bot is registered.
    pub fn kind(mut self, kind: BotType) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Not in the list of bots.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = Some(hidden);
        self
    }

    /// People may put reactions on its messages.
    pub fn reactions(mut self, enabled: bool) -> Self {
        self.reactions = Some(enabled);
        self
    }

    /// It may serve open lines.
    pub fn openlines(mut self, supported: bool) -> Self {
        self.openlines = Some(supported);
        self
    }

    /// The background of its private dialogs.
    pub fn background(mut self, background: Background) -> Self {
        self.background = Some(background);
        self
    }
}
