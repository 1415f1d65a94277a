//! `imbot config check` and `imbot config example`: texts only. Imports settings; prints nothing itself, shows no secret.

use crate::method::{Background, BotType, Color, Gender};
use crate::settings::{
    self, Ack, BotSettings, Environment, EventMode, Install, Loaded, PortalSettings, Settings, Wishes,
};
use crate::store::{self, Peeked};
use std::fmt::Write as _;
use std::path::Path;

/// A commented `imbot.toml` with every key.
pub(crate) fn example() -> String {
    include_str!("imbot.example.toml").to_owned()
}

/// What the configuration means, or everything that is wrong with it; and whether it can be used.
pub(crate) fn check(path: Option<&Path>, handlers: &[&str], environment: &Environment) -> (String, bool) {
    let loaded = settings::locate(path, environment)
        .and_then(|file| settings::load(Some(&file), handlers, environment).map(|loaded| (file, loaded)));
    match loaded {
        Ok((file, loaded)) => (summary(&file, &loaded), true),
        Err(error) => (format!("{error}\n"), false),
    }
}

fn summary(file: &Path, Loaded { settings, warnings }: &Loaded) -> String {
    let mut text = format!("{}: can be used\n", file.display());
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let Settings {
        server, admin, store, ..
    } = settings;
    let _ = writeln!(
        text,
        "events:   http://{}{}, {}",
        server.listen,
        server.path,
        promise(server.ack)
    );
    let _ = writeln!(text, "operator: http://{}", admin.listen);
    let _ = writeln!(text, "store:    {}", store.path.display());
    let stored = store::peek(&store.path, store.key.as_ref()).unwrap_or_default();
    for portal in &settings.portals {
        let _ = writeln!(
            text,
            "portal {}: {}, {} calls at once, then {} a second",
            portal.name, portal.endpoint, portal.plan.burst, portal.plan.rate
        );
        for bot in &portal.bots {
            let _ = writeln!(
                text,
                "  bot {}: {}, {}{}{}",
                bot.called(),
                bot.handler,
                identity(portal, bot),
                source(bot.event_mode),
                registration(bot.id == 0, &bot.wishes)
            );
            let of_bot = |peeked: &&Peeked| peeked.portal == portal.name && peeked.bot == bot.id;
            if let Some(difference) = stored.iter().find(of_bot).and_then(|peeked| token(bot, peeked)) {
                let _ = writeln!(text, "    {difference}");
            }
        }
    }
    for app in &settings.apps {
        let admission = match app.install {
            Install::Ask => "a new portal waits for `imbot portals accept`",
            Install::Listed => "only listed portals may install it",
            Install::Open => "any portal may install it",
        };
        let _ = writeln!(text, "application {}: {}, {admission}", app.name, app.client_id);
        for bot in &app.bots {
            let number = bot.id.map_or_else(|| bot.code.clone(), |id| id.to_string());
            let source = source(bot.event_mode);
            let _ = writeln!(
                text,
                "  bot {number}: {}, answers through the application{source}{}",
                bot.handler,
                registration(bot.id.is_none(), &bot.wishes)
            );
        }
    }
    text
}

fn source(mode: EventMode) -> &'static str {
    match mode {
        EventMode::Webhook => "",
        EventMode::Fetch => ", fetches its events",
    }
}

/// How the token that the store has differs from the configured one.
fn token(bot: &BotSettings, peeked: &Peeked) -> Option<String> {
    let Some(rotation) = &peeked.rotation else {
        return Some("the store has another token for it, which this store.key cannot read".to_owned());
    };
    if rotation.done.is_none() {
        return Some("its token is being changed, and the portal has not said yet which one it has".to_owned());
    }
    (bot.bot_token.as_ref() != Some(&rotation.new)).then(|| {
        format!(
            "the stored token is used, not the configured one: it is to be changed in {}",
            bot.token_source
        )
    })
}

/// What `imbot register` would make of it, beside what the program says.
fn registration(learned: bool, wishes: &Wishes) -> String {
    let profile = &wishes.profile;
    let flag = |name: &str, flag: Option<bool>| flag.map(|flag| format!("{name} {flag}"));
    let said = |name: &str, text: Option<&str>| text.map(|text| format!("{name} {text}"));
    let avatar = profile.avatar.as_ref().map(|file| file.display().to_string());
    let parts = [
        said("type", wishes.kind.map(BotType::as_str)),
        flag("hidden", wishes.hidden),
        flag("reactions", wishes.reactions),
        flag("openline", wishes.openline),
        said("background", wishes.background.map(Background::as_str)),
        said("name", profile.name.as_deref()),
        said("last_name", profile.last_name.as_deref()),
        said("work_position", profile.work_position.as_deref()),
        said("gender", profile.gender.map(Gender::as_str)),
        said("color", profile.color.map(Color::as_str)),
        said("avatar", avatar.as_deref()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut text = String::new();
    if learned {
        text.push_str(", its number is learned");
    }
    if !parts.is_empty() {
        text.push_str(&format!("; to be registered with {}", parts.join(", ")));
    }
    text
}

/// What a 200 means to who configures it.
fn promise(ack: Ack) -> &'static str {
    match ack {
        Ack::Durable => "200 once the disk has the event",
        Ack::Written => "200 once the page cache has the event: a crash of the machine may lose it",
        Ack::Memory => "200 at once: a crash may lose the event",
    }
}

fn identity(portal: &PortalSettings, bot: &BotSettings) -> &'static str {
    match (&bot.bot_token, &portal.incoming_webhook) {
        (Some(_), Some(_)) => "answers through the incoming webhook",
        (Some(_), None) => "receives only",
        (None, _) if portal.app.is_some() => "answers through the application",
        (None, _) if bot.application_token.is_some() || portal.application_token.is_some() => {
            "answers with the token of the event"
        }
        (None, _) => "receives nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLERS: [&str; 2] = ["echo", "helpdesk"];

    fn environment(more: &[(&str, &str)]) -> Environment {
        let known = [
            ("ACME_WEBHOOK", "https://acme.bitrix24.com/rest/1/SECRETMARKER/"),
            ("ACME_BOT_TOKEN", "SECRETMARKER"),
            ("ACME_TOKEN", "SECRETMARKER"),
            ("ACME_BOT_APPLICATION_TOKEN", "SECRETMARKER"),
            ("IMBOT_ADMIN_TOKEN", "SECRETMARKER"),
        ];
        known.into_iter().chain(more.iter().copied()).collect()
    }

    /// Writes `text` to a file and checks it.
    fn checked(text: &str, environment: &Environment) -> (String, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("imbot.toml");
        std::fs::write(&file, text).unwrap();
        let (report, ok) = check(Some(&file), &HANDLERS, environment);
        (report.replace(&file.display().to_string(), "imbot.toml"), ok)
    }

    #[test]
    fn the_example_can_be_used_once_its_variables_are_set() {
        let (report, ok) = checked(&example(), &environment(&[]));
        assert_eq!(
            report,
            "imbot.toml: can be used
events:   http://127.0.0.1:8080/webhook, 200 once the disk has the event
operator: http://127.0.0.1:9090
store:    imbot-data
portal acme: https://acme.bitrix24.com/rest/, 50 calls at once, then 2 a second
  bot 456: helpdesk, answers through the incoming webhook
"
        );
        assert!(ok);
    }

    #[test]
    fn a_bot_that_fetches_is_told_apart() {
        let text = example().replace("event_mode = \"webhook\"", "event_mode = \"fetch\"");
        let (report, ok) = checked(&text, &environment(&[]));
        let line = "  bot 456: helpdesk, answers through the incoming webhook, fetches its events\n";
        assert!(ok && report.contains(line), "{report}");
    }

    #[test]
    fn what_register_would_do_is_shown() {
        let text = example().replace("  id = 456 ", "  ").replace(
            "  event_mode = \"webhook\"",
            "  type = \"supervisor\"\n  hidden = true\n  profile = { name = \"Support\", color = \"mint\" }\n",
        );
        let (report, ok) = checked(&text, &environment(&[]));
        let line = "  bot support_bot: helpdesk, answers through the incoming webhook, its number is learned; to be registered \
                    with type supervisor, hidden true, name Support, color mint\n";
        assert!(ok && report.contains(line), "{report}");
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let parse = |text: &str| settings::parse(text, Path::new("imbot.toml"), &HANDLERS, &environment(&[])).unwrap();
        let example = example();
        let (sections, portals) = example.split_at(example.find("[[portal]]\n").unwrap());
        assert!(sections.contains("[deliver]"));
        let (all, bare) = (parse(&example), parse(portals));
        assert_eq!(format!("{:?}", all.settings), format!("{:?}", bare.settings));
    }

    #[test]
    fn what_the_example_has_commented_out_can_be_used_too() {
        let mut text = String::new();
        for line in example().lines() {
            let bare = line.trim_start().strip_prefix("# ").filter(|bare| {
                let table = bare.trim_start().starts_with("[[app");
                (bare.contains(" = ") && !bare.starts_with("A ")) || table
            });
            text.push_str(bare.unwrap_or(line));
            text.push('\n');
        }
        let credentials = tempfile::tempdir().unwrap();
        std::fs::write(credentials.path().join("store-key"), "0f".repeat(32)).unwrap();
        std::fs::write(credentials.path().join("desk-secret"), "SECRETMARKER").unwrap();
        let folder = credentials.path().display().to_string();
        let more = [("CREDENTIALS_DIRECTORY", folder.as_str())];
        let (report, ok) = checked(&text, &environment(&more));
        assert!(ok, "{report}");
        assert!(report.contains("application desk: local."), "{report}");
        assert!(!report.contains("SECRETMARKER"), "{report}");
        for key in ["member_id", "endpoint", "application_token", "allow_insecure", "token"] {
            assert!(
                text.lines()
                    .any(|line| line.trim_start().starts_with(&format!("{key} = "))),
                "{key}"
            );
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named_with_its_line() {
        let (report, ok) = checked(&example(), &Environment::default());
        assert!(!ok);
        assert!(
            report.starts_with("2 mistakes in the configuration\nimbot.toml:54:20: "),
            "{report}"
        );
        assert!(
            report.contains("environment variable ACME_BOT_TOKEN is not set"),
            "{report}"
        );
    }

    #[test]
    fn a_missing_file_says_which() {
        let (report, ok) = check(
            Some(Path::new("/nowhere/imbot.toml")),
            &HANDLERS,
            &Environment::default(),
        );
        assert!(!ok);
        assert!(
            report.starts_with("/nowhere/imbot.toml: the configuration cannot be read"),
            "{report}"
        );
    }
}
