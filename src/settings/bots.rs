//! What `[[portal.bot]]` and `[[app.bot]]` say about a bot's registration: type, flags, background, profile. Read for
//! `imbot register` alone; what is not written stays as the program, or else the portal, has it.

use super::fields::{Fields, Found};
use super::keys;
use super::model::{ProfileSettings, Wishes};
use super::report::Wrong;
use super::sections::Sources;
use super::values;
use crate::method::{Background, BotType, Color, Gender};
use toml::de::DeValue;

/// The keys of a bot that only its registration needs. `path` is that of its profile, as people write it.
pub(super) fn wishes<'a>(sources: Sources<'a>, path: &'static str, fields: &mut Fields<'a, '_>) -> Wishes {
    Wishes {
        mode_given: fields.has("event_mode"),
        kind: fields.read("type", |found| values::choice(found, &kinds())),
        hidden: fields.read("hidden", values::flag),
        reactions: fields.read("reactions", values::flag),
        openline: fields.read("openline", values::flag),
        background: fields.read("background", |found| {
            values::choice(found, &words(Background::ALL, Background::as_str))
        }),
        profile: profile(sources, path, fields),
    }
}

/// The types a bot may have here, as words.
pub(super) fn types() -> Vec<&'static str> {
    kinds().into_iter().map(|(word, _)| word).collect()
}

fn kinds() -> Vec<(&'static str, BotType)> {
    // `network` is a word of an error text of the portal; no document says what such a bot is.
    let mut kinds = words(BotType::ALL, BotType::as_str);
    kinds.retain(|(_, kind)| *kind != BotType::Network);
    kinds
}

fn profile<'a>(sources: Sources<'a>, path: &'static str, fields: &mut Fields<'a, '_>) -> ProfileSettings {
    let Some(found) = fields.find("profile") else {
        return ProfileSettings::default();
    };
    let DeValue::Table(table) = found.value else {
        let help = "write it as profile = { name = \"…\", work_position = \"…\" }";
        fields.mistake("profile", &found.place, Wrong::new("not a table", help));
        return ProfileSettings::default();
    };
    let mut fields = Fields::of_table(path, found.place, table, fields.report);
    fields.refuse_unknown(&keys::PROFILE);
    ProfileSettings {
        name: fields.read("name", name),
        last_name: fields.read("last_name", name),
        work_position: fields.read("work_position", |found| values::text(found).map(str::to_owned)),
        gender: fields.read("gender", |found| {
            values::choice(found, &words(Gender::ALL, Gender::as_str))
        }),
        color: fields.read("color", |found| {
            values::choice(found, &words(Color::ALL, Color::as_str))
        }),
        avatar: fields.read("avatar", |found| {
            values::filled(found).map(|file| sources.vault.folder.join(file))
        }),
    }
}

/// A name that people see: the portal takes no empty one, and cuts blanks off.
fn name(found: &Found<'_>) -> Result<String, Wrong> {
    let text = values::filled(found)?;
    if text.trim() != text {
        return Err(Wrong::new("blanks around it", "remove them: the portal cuts them off"));
    }
    Ok(text.to_owned())
}

fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|value| (word(*value), *value)).collect()
}
