//! What a bot shall be at a portal: the program's word, and the configuration's over it, each with its origin. Asks nobody;
//! reads picture files.

use crate::dispatch::{Bot, Command, Picture};
use crate::method::{BotRegister, BotType, Method as _};
use crate::settings::{EventMode, Wishes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Who wants it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Origin {
    Code,
    Config,
    /// Neither says anything else.
    Default,
}

impl Origin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Config => "config",
            Self::Default => "default",
        }
    }
}

/// A field that can be read at the portal and be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    LastName,
    WorkPosition,
    Gender,
    Color,
    Hidden,
    Reactions,
    Openline,
    Background,
}

impl Field {
    /// As the configuration calls it.
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::Name => "profile.name",
            Self::LastName => "profile.last_name",
            Self::WorkPosition => "profile.work_position",
            Self::Gender => "profile.gender",
            Self::Color => "profile.color",
            Self::Hidden => "hidden",
            Self::Reactions => "reactions",
            Self::Openline => "openline",
            Self::Background => "background",
        }
    }

    /// Where a method takes it.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Name => "fields.properties.name",
            Self::LastName => "fields.properties.lastName",
            Self::WorkPosition => "fields.properties.workPosition",
            Self::Gender => "fields.properties.gender",
            Self::Color => "fields.properties.color",
            Self::Hidden => "fields.isHidden",
            Self::Reactions => "fields.isReactionsEnabled",
            Self::Openline => "fields.isSupportOpenline",
            Self::Background => "fields.backgroundId",
        }
    }
}

/// A picture and the digest that tells it from others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: String,
}

/// What a bot shall be.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Wish {
    /// The name it is registered with.
    pub(super) name: String,
    pub(super) fields: Vec<(Field, Value, Origin)>,
    pub(super) kind: Option<(BotType, Origin)>,
    pub(super) avatar: Option<(Image, Origin)>,
    pub(super) mode: (EventMode, Origin),
    /// Where its events go in webhook mode; `None`: as it is at the portal.
    pub(super) url: Option<String>,
    pub(super) commands: Vec<Command>,
}

impl Wish {
    /// # Errors
    /// A picture cannot be read, or no portal would take it.
    pub(in crate::cli) fn of(
        bot: &Bot,
        wishes: &Wishes,
        (mode, url): (EventMode, Option<&str>),
    ) -> Result<Self, String> {
        let fields = fields(bot, wishes);
        let named = fields.iter().find(|(field, ..)| *field == Field::Name);
        let named = named.and_then(|(_, name, _)| name.as_str()).map(str::to_owned);
        let code = bot.profile_wished();
        let file = |path: &Path| std::fs::read(path).map_err(|error| format!("avatar {}: {error}", path.display()));
        let avatar = match (&wishes.profile.avatar, code.and_then(|profile| profile.avatar.as_ref())) {
            (Some(path), _) => Some((file(path)?, Origin::Config)),
            (None, Some(Picture::File(path))) => Some((file(path)?, Origin::Code)),
            (None, Some(Picture::Bytes(bytes))) => Some((bytes.to_vec(), Origin::Code)),
            (None, None) => None,
        };
        let avatar = avatar.map(|(bytes, origin)| image(bytes).map(|image| (image, origin)));
        let from_config = wishes.mode_given || mode == EventMode::Fetch;
        Ok(Self {
            name: named.unwrap_or_else(|| title(bot.name())),
            fields,
            kind: of_two(wishes.kind, code.and_then(|profile| profile.kind)),
            avatar: avatar.transpose()?,
            mode: (mode, if from_config { Origin::Config } else { Origin::Default }),
            url: url.map(str::to_owned),
            commands: bot.commands().cloned().collect(),
        })
    }

    /// The call that makes it under this code; how its events come is the caller's to say.
    pub(in crate::cli) fn registration(&self, code: &str) -> BotRegister {
        let mut call = BotRegister::new(code, &self.name);
        for (field, value, _) in &self.fields {
            call = call.with(field.path(), value.clone());
        }
        if let Some((kind, _)) = self.kind {
            call = call.kind(kind);
        }
        if let Some((image, _)) = &self.avatar {
            call = call.avatar(&image.bytes);
        }
        call
    }

    pub(super) fn field(&self, wanted: Field) -> Option<&Value> {
        let found = self.fields.iter().find(|(field, ..)| *field == wanted);
        found.map(|(_, value, _)| value)
    }
}

fn of_two<T>(config: Option<T>, code: Option<T>) -> Option<(T, Origin)> {
    match (config, code) {
        (Some(value), _) => Some((value, Origin::Config)),
        (None, Some(value)) => Some((value, Origin::Code)),
        (None, None) => None,
    }
}

fn fields(bot: &Bot, wishes: &Wishes) -> Vec<(Field, Value, Origin)> {
    let config = &wishes.profile;
    let none = crate::dispatch::Profile::default();
    let code = bot.profile_wished().unwrap_or(&none);
    let filled = |name: &String| (!name.is_empty()).then(|| name.clone());
    // A last name belongs to its first name, so it comes from where that does.
    let last = if config.name.is_some() {
        None
    } else {
        code.last_name.clone()
    };
    let mut found: Vec<(Field, Option<(Value, Origin)>)> = Vec::new();
    let mut put = |field: Field, pair: Option<(Value, Origin)>| found.push((field, pair));
    put(Field::Name, texts(config.name.clone(), filled(&code.name)));
    put(
        Field::LastName,
        texts(config.last_name.clone(), last.filter(|last| !last.is_empty())),
    );
    put(
        Field::WorkPosition,
        texts(config.work_position.clone(), code.work_position.clone()),
    );
    put(Field::Gender, words(config.gender, code.gender));
    put(Field::Color, words(config.color, code.color));
    put(Field::Hidden, words(wishes.hidden, code.hidden));
    put(Field::Reactions, words(wishes.reactions, code.reactions));
    put(Field::Openline, words(wishes.openline, code.openlines));
    put(Field::Background, words(wishes.background, code.background));
    let wanted = found
        .into_iter()
        .filter_map(|(field, pair)| pair.map(|(value, origin)| (field, value, origin)));
    wanted.collect()
}

fn texts(config: Option<String>, code: Option<String>) -> Option<(Value, Origin)> {
    of_two(config, code).map(|(text, origin)| (json!(text), origin))
}

fn words<T: Into<Value>>(config: Option<T>, code: Option<T>) -> Option<(Value, Origin)> {
    of_two(config, code).map(|(word, origin)| (word.into(), origin))
}

fn image(bytes: Vec<u8>) -> Result<Image, String> {
    let tried = BotRegister::new("code", "name").avatar(&bytes);
    tried.check().map_err(|refused| format!("avatar: {refused}"))?;
    let digest = Sha256::digest(&bytes);
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Image { bytes, digest })
}

/// `helpdesk` as people see it: `Helpdesk`.
fn title(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Profile;
    use crate::method::{Color, Gender};

    const NO_URL: (EventMode, Option<&str>) = (EventMode::Webhook, None);

    #[test]
    fn the_configuration_wins_over_the_program_and_a_last_name_goes_with_its_first() {
        let profile = Profile::new("Ada")
            .last_name("Lovelace")
            .gender(Gender::Female)
            .color(Color::Red);
        let bot = Bot::new("helpdesk").profile(profile.hidden(true));
        let mut wishes = Wishes {
            hidden: Some(false),
            ..Wishes::default()
        };
        wishes.profile.name = Some("Support".to_owned());
        let wish = Wish::of(&bot, &wishes, NO_URL).unwrap();
        let expected = [
            (Field::Name, json!("Support"), Origin::Config),
            (Field::Gender, json!("F"), Origin::Code),
            (Field::Color, json!("red"), Origin::Code),
            (Field::Hidden, json!(false), Origin::Config),
        ];
        assert_eq!((wish.name.as_str(), wish.fields.as_slice()), ("Support", &expected[..]));
        let alone = Wish::of(&bot, &Wishes::default(), NO_URL).unwrap();
        assert_eq!(alone.field(Field::LastName), Some(&json!("Lovelace")));
        let bare = Wish::of(&Bot::new("helpdesk"), &Wishes::default(), NO_URL).unwrap();
        assert_eq!((bare.name.as_str(), bare.fields.len()), ("Helpdesk", 0));
        assert_eq!(bare.mode.1, Origin::Default);
    }

    #[test]
    fn a_picture_that_is_none_or_not_there_is_refused_before_anything_is_called() {
        let missing = Bot::new("b").profile(Profile::new("B").avatar_file("/nowhere/a.png"));
        let said = Wish::of(&missing, &Wishes::default(), NO_URL).unwrap_err();
        assert!(said.contains("/nowhere/a.png"), "{said}");
        let empty = Bot::new("b").profile(Profile::new("B").avatar(Vec::new()));
        assert!(Wish::of(&empty, &Wishes::default(), NO_URL).is_err());
    }
}
