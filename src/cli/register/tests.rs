//! The comparison by itself: each field, each language, and what cannot be read.

use super::compare::{AVATAR, Kept, Row, Seen, Step, There, URL, compare};
use super::texts::kept_as;
use super::wish::Wish;
use crate::dispatch::{Bot, Command, Ctx, Outcome, Profile};
use crate::event::CommandAdd;
use crate::method::{BotInfo, BotType, Color, CommandInfo, Gender, UserInfo};
use crate::settings::{EventMode, Wishes};
use serde_json::json;

const ADDRESS: &str = "https://bots.example.com/webhook";

async fn deaf(_ctx: Ctx, _asked: CommandAdd) -> Outcome {
    Ok(())
}

fn help() -> Command {
    Command::new("/help")
        .title("en", "Help")
        .params("en", "topic")
        .title("de", "Hilfe")
}

fn wish(bot: Bot) -> Wish {
    Wish::of(&bot, &Wishes::default(), (EventMode::Webhook, Some(ADDRESS))).unwrap()
}

/// A portal that has all as the wish has it.
fn seen() -> Seen {
    Seen {
        bot: BotInfo {
            id: 7,
            code: "desk".to_owned(),
            kind: "bot".to_owned(),
            is_reactions_enabled: true,
            language: "en".to_owned(),
            event_mode: Some("webhook".to_owned()),
            ..BotInfo::default()
        },
        user: UserInfo {
            id: 7,
            name: "Help Desk".to_owned(),
            first_name: Some("Help".to_owned()),
            last_name: Some("Desk".to_owned()),
            color: Some("#4BA984".to_owned()),
            gender: Some("F".to_owned()),
            avatar: Some("/upload/a.png".to_owned()),
            ..UserInfo::default()
        },
        commands: vec![shown("Help", "topic")],
    }
}

fn shown(title: &str, params: &str) -> CommandInfo {
    CommandInfo {
        id: 40,
        command: "/help".to_owned(),
        title: Some(title.to_owned()),
        params: Some(params.to_owned()),
        ..CommandInfo::default()
    }
}

fn kept(fields: &[(&str, &str)]) -> Kept {
    let pair = |value: &str| (value.to_owned(), "2026-11-21T10:00:00Z".to_owned());
    fields
        .iter()
        .map(|(field, value)| ((*field).to_owned(), pair(value)))
        .collect()
}

/// What has to be done, by name.
fn to_do(rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.step != Step::Same);
    rows.map(Row::name).collect()
}

fn named() -> Bot {
    let profile = Profile::new("Help Desk").gender(Gender::Female).color(Color::Mint);
    Bot::new("helpdesk").profile(profile).command_with(help(), deaf)
}

#[test]
fn a_whole_name_a_colour_by_its_hex_and_texts_of_other_languages_are_no_difference() {
    let before = kept(&[(URL, ADDRESS), ("/help title.de", "Hilfe")]);
    let rows = compare("desk", &wish(named()), &seen(), &before, false);
    assert_eq!(to_do(&rows), [""; 0]);
    let same: Vec<String> = rows.iter().map(Row::name).collect();
    assert_eq!(same, ["event_url", "/help title.de"]);
    let forced = compare("desk", &wish(named()), &seen(), &before, true);
    assert_eq!(to_do(&forced), ["event_url", "/help title.de"]);
    let empty = compare("", &wish(named()), &seen(), &Kept::new(), false);
    assert_eq!(to_do(&empty), ["event_url", "/help title.de"]);
    assert!(empty.iter().all(|row| row.there == There::Never), "{empty:?}");
}

#[test]
fn what_neither_program_nor_configuration_says_is_left_as_it_is() {
    let mut other = seen();
    (other.bot.is_hidden, other.user.work_position) = (true, Some("boss".to_owned()));
    other.user.name = "Somebody Else".to_owned();
    let bare = wish(Bot::new("helpdesk").command_with(help(), deaf));
    let before = kept(&[(URL, ADDRESS), ("/help title.de", "Hilfe")]);
    assert_eq!(to_do(&compare("desk", &bare, &other, &before, false)), [""; 0]);
}

#[test]
fn type_and_code_are_fixed_and_the_mode_comes_before_the_address() {
    let bot = Bot::new("helpdesk").profile(Profile::new("Help Desk").kind(BotType::Supervisor));
    let mut fetched = seen();
    fetched.bot.event_mode = Some("fetch".to_owned());
    fetched.commands.clear();
    let rows = compare("other", &wish(bot), &fetched, &Kept::new(), true);
    assert_eq!(to_do(&rows), ["code", "type", "event_mode"]);
    assert_eq!((&rows[0].step, &rows[1].step), (&Step::Fixed, &Step::Fixed));
}

#[test]
fn a_text_is_read_in_the_portals_language_and_the_others_are_held_against_what_was_set() {
    let before = kept(&[(URL, ADDRESS), ("/help title.de", "Hilfe"), ("/help title.en", "Help")]);
    let texts = |found: CommandInfo, language: &str, before: &Kept| {
        let mut there = seen();
        there.bot.language = language.to_owned();
        there.commands = vec![found];
        let rows = compare("desk", &wish(named()), &there, before, false);
        to_do(&rows)
    };
    // A portal in German: en is the unreadable one, with its parameters.
    assert_eq!(texts(shown("Hilfe", ""), "de", &before), ["/help params.en"]);
    assert_eq!(
        texts(shown("Hilfe", "x"), "de", &before),
        ["/help params.de", "/help params.en"]
    );
    // Shown in the caller's language, not the portal's.
    assert_eq!(texts(shown("Help", "topic"), "de", &before), [""; 0]);
    // A change at the portal.
    assert_eq!(texts(shown("Held", "topic"), "en", &before), ["/help title.en"]);
    // A text of the portal's own language hides ours.
    assert_eq!(
        texts(shown("Aide", "topic"), "fr", &before),
        ["/help title.en", "/help title.fr"]
    );
    // A language that the program had before.
    let more = kept(&[(URL, ADDRESS), ("/help title.de", "Hilfe"), ("/help title.nl", "Hulp")]);
    assert_eq!(texts(shown("Help", "topic"), "en", &more), ["/help title.nl"]);
    // Another text than last time.
    let other = kept(&[(URL, ADDRESS), ("/help title.de", "Hilf")]);
    assert_eq!(texts(shown("Help", "topic"), "en", &other), ["/help title.de"]);
}

#[test]
fn flags_missing_commands_and_strays_each_have_their_row() {
    let mut there = seen();
    there.commands[0].common = true;
    there.commands.push(CommandInfo {
        id: 41,
        command: "/old".to_owned(),
        ..CommandInfo::default()
    });
    let bot = named().command_with(Command::new("/new").hidden(), deaf);
    let before = kept(&[(URL, ADDRESS), ("/help title.de", "Hilfe")]);
    let rows = compare("desk", &wish(bot), &there, &before, false);
    assert_eq!(to_do(&rows), ["/help common", "/new", "/old"]);
    assert_eq!(rows.last().map(|row| &row.step), Some(&Step::StrayCommand(41)));
}

#[test]
fn a_picture_is_known_by_its_digest_and_missed_where_the_portal_shows_none() {
    let bot = Bot::new("b").profile(Profile::new("Help Desk").avatar(b"GIF89a\x02\0\x03\0".to_vec()));
    let wish = wish(bot);
    let digest = wish.avatar.as_ref().map(|(image, _)| image.digest.clone()).unwrap();
    let mut there = seen();
    there.commands.clear();
    let before = kept(&[(URL, ADDRESS), (AVATAR, &digest)]);
    assert_eq!(to_do(&compare("", &wish, &there, &before, false)), [""; 0]);
    let other = kept(&[(URL, ADDRESS), (AVATAR, "0000")]);
    assert_eq!(to_do(&compare("", &wish, &there, &other, false)), ["profile.avatar"]);
    there.user.avatar = Some(String::new());
    let rows = compare("", &wish, &there, &before, false);
    assert_eq!(to_do(&rows), ["profile.avatar"]);
    assert_eq!(rows[0].wanted, Some(json!(format!("sha256 {}", &digest[..12]))));
}

#[test]
fn a_kept_text_has_its_commands_name() {
    assert_eq!(kept_as("/help", "title", "de"), "/help title.de");
}
