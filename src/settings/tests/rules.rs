//! The rules one by one: what is refused, what is a warning, what is accepted.

use super::*;

const WEBHOOK: &str = "incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc123/\"";

/// Each pair breaks one rule of [`SMALL`](super::SMALL); the text must be in the mistakes, of which there is only one.
const BROKEN: &[(&str, &str, &str)] = &[
    ("id = 456", "", "7:3: portal.bot.id: missing"),
    ("id = 456", "id = \"456\"", "portal.bot.id: not an integer"),
    ("handler = \"echo\"", "", "portal.bot.handler: missing"),
    ("bot_token = \"tok\"", "", "2:1: portal: no token, so none"),
    (
        "bot_token = \"tok\"",
        "bot_token = \"\"",
        "portal.bot.bot_token: the secret is empty",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n event_mode = \"poll\"",
        "event_mode: \"poll\" is not one",
    ),
    (
        "bot_token = \"tok\"",
        "application_token = \"tok\"\n event_mode = \"fetch\"",
        "portal.bot.event_mode: nothing to fetch",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n evnt_url = 1",
        "portal.bot.evnt_url: unknown key",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n event_url = \"x\"",
        "event_url: not a web address",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n type = \"supervizor\"",
        "portal.bot.type: \"supervizor\" is not one",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n hidden = \"Y\"",
        "portal.bot.hidden: not true or false",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n profile = \"Support\"",
        "portal.bot.profile: not a table",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n profile = { colour = \"mint\" }",
        "did you mean `color`?",
    ),
    (
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n profile = { name = \"\" }",
        "portal.bot.profile.name: empty",
    ),
    (
        WEBHOOK,
        "incoming_webhook = \"https://acme.bitrix24.com/rest/1/\"",
        "not the address of an incoming",
    ),
    (
        WEBHOOK,
        "incoming_webhook = \"http://acme.bitrix24.com/rest/1/abc/\"",
        "incoming_webhook: not https",
    ),
    (
        WEBHOOK,
        "incoming_webhook = \"https://u:p@acme.bitrix24.com/rest/1/abc/\"",
        "not a web address",
    ),
    (
        WEBHOOK,
        "incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc/x.json\"",
        "not the address of an",
    ),
    (
        WEBHOOK,
        "incoming_webhook = \"https://acme.bitrix24.com:4443/rest/1/abc/\"",
        "on another host",
    ),
    (
        WEBHOOK,
        "endpoint = \"https://acme.bitrix24.com/rest/1/abc123/\"",
        "this is an incoming webhook",
    ),
    (
        WEBHOOK,
        "endpoint = \"https://10.0.0.1/rest/\"",
        "portal.endpoint: a private address",
    ),
    (
        WEBHOOK,
        "endpoint = \"http://acme.bitrix24.com/rest/\"",
        "portal.endpoint: not https",
    ),
    (
        WEBHOOK,
        "endpoint = \"https://acme.bitrix24.com/rest/?x\"",
        "an address with ? or #",
    ),
    (WEBHOOK, "plan = \"enterprize\"", "did you mean \"enterprise\"?"),
    (WEBHOOK, "plan = { burst = 5 }", "portal.plan.rate: missing"),
    (
        WEBHOOK,
        "plan = { burst = 5, rate = 0 }",
        "portal.plan.rate: 0 is not above 0",
    ),
    (WEBHOOK, "app = \"desk\"", "portal.app: there is no [[app]] \"desk\""),
    (
        "domain = \"acme.bitrix24.com\"",
        "domain = \"https://acme.bitrix24.com\"",
        "portal.domain: not a domain",
    ),
    ("name = \"acme\"", "name = \"a/b\"", "portal.name: not a name"),
    ("name = \"acme\"", "", "portal.name: missing"),
    (
        "\n[[portal]]",
        "[server]\npath = \"webhook\"\n[[portal]]",
        "\"webhook\" is not a path",
    ),
    (
        "\n[[portal]]",
        "[admin]\nlisten = \"127.0.0.1:8080\"\n[[portal]]",
        "the same address as server.listen",
    ),
    (
        "\n[[portal]]",
        "[workers]\nretry = []\n[[portal]]",
        "workers.retry: empty",
    ),
    (
        "\n[[portal]]",
        "[workers]\nhandler_timeout = 30\n[[portal]]",
        "a duration needs its unit",
    ),
    (
        "\n[[portal]]",
        "[store]\nmax_bytes = \"2 Gb1\"\n[[portal]]",
        "\"2 Gb1\" is not a size",
    ),
    (
        "\n[[portal]]",
        "[store]\nmax_bytes = 0\n[[portal]]",
        "store.max_bytes: 0 is too small",
    ),
    (
        "\n[[portal]]",
        "[store]\ndedup_window = \"99999d\"\n[[portal]]",
        "is more than ten years",
    ),
    ("\n[[portal]]", "[sever]\n[[portal]]", "did you mean `server`?"),
    ("\n[[portal]]", "server = 5\n[[portal]]", "server is not a table"),
    (
        "\n[[portal]]",
        "[capture]\nkeep = \"none\"\n[[portal]]",
        "not one of the choices",
    ),
];

#[test]
fn every_rule_refuses_what_it_is_for() {
    for (old, new, expected) in BROKEN {
        let text = mistakes(&with(old, new));
        assert!(text.contains(expected), "{new}: {text}");
        assert!(text.starts_with("1 mistake "), "{new}: {text}");
    }
}

#[test]
fn a_bot_to_be_registered_needs_a_code_of_its_own_a_token_and_a_webhook() {
    let unnumbered =
        |code: &str| format!("\n  [[portal.bot]]\n  code = \"{code}\"\n  handler = \"echo\"\n  bot_token = \"t\"\n");
    let settings = settings(&format!("{SMALL}{}", unnumbered("new")));
    let bots = &settings.portals[0].bots;
    assert_eq!((bots[1].id, bots[1].called().as_str()), (0, "new"));
    let twice = mistakes(&format!("{SMALL}{}{}", unnumbered("new"), unnumbered("new")));
    assert!(
        twice.contains("portal.bot.code: new is already used in line 13"),
        "{twice}"
    );
    let nameless = mistakes(&format!("{SMALL}{}", unnumbered("")));
    assert!(nameless.contains("portal.bot.id: missing"), "{nameless}");
    let silent = format!("{SMALL}{}", unnumbered("new")).replace(WEBHOOK, "");
    let silent = mistakes(&silent);
    assert!(silent.contains("imbot register --apply"), "{silent}");
}

#[test]
fn what_a_bot_shall_be_at_its_portal_is_read() {
    let text = with(
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\n type = \"supervisor\"\n hidden = true\n reactions = false\n openline = true\n background = \"mint\"\n \
         profile = { name = \"Support\", last_name = \"Bot\", work_position = \"\", gender = \"F\", color = \"lightBlue\", avatar = \"a.png\" }",
    );
    let wishes = &settings(&text).portals[0].bots[0].wishes;
    assert_eq!(wishes.kind.map(crate::method::BotType::as_str), Some("supervisor"));
    assert_eq!(
        (wishes.hidden, wishes.reactions, wishes.openline, wishes.mode_given),
        (Some(true), Some(false), Some(true), false)
    );
    let profile = &wishes.profile;
    assert_eq!(
        (profile.name.as_deref(), profile.work_position.as_deref()),
        (Some("Support"), Some(""))
    );
    assert_eq!(profile.avatar.as_deref(), Some(Path::new("a.png")));
}

#[test]
fn two_of_a_kind_are_refused() {
    let again = "\n  [[portal.bot]]\n  id = 456\n  handler = \"echo\"\n  bot_token = \"tok\"\n";
    let bots = mistakes(&format!("{SMALL}{again}"));
    assert!(
        bots.contains("imbot.toml:13:8: portal.bot.id: 456 is already used in line 8"),
        "{bots}"
    );
    let portals = mistakes(&format!("{SMALL}{SMALL}"));
    assert!(portals.starts_with("2 mistakes"), "{portals}");
    assert!(
        portals.contains("portal.name: acme is already used in line 3"),
        "{portals}"
    );
    assert!(
        portals.contains("portal.domain: acme.bitrix24.com is already used in line 4"),
        "{portals}"
    );
}

#[test]
fn a_webhook_portal_needs_a_token_for_each_bot_or_an_application() {
    let other = "\n  [[portal.bot]]\n  id = 457\n  handler = \"echo\"\n";
    let refused = mistakes(&format!("{SMALL}{other}"));
    assert!(
        refused.contains("imbot.toml:12:3: portal.bot: it cannot call the portal"),
        "{refused}"
    );
    let application = with("domain =", "application_token = \"a\"\ndomain =");
    assert_eq!(parsed(&format!("{application}{other}"), &[]).unwrap().warnings, [""; 0]);
    let own = format!("{SMALL}{other}  application_token = \"a\"\n");
    assert_eq!(parsed(&own, &[]).unwrap().warnings, [""; 0]);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    for (old, new, expected) in [
        (WEBHOOK, "", "imbot.toml:7:3: portal.bot: receives only"),
        (
            "\"tok\"",
            "\"a-token-of-more-than-forty-characters-0123\"",
            "imbot.toml:10:15: portal.bot.bot_token: longer than 40",
        ),
        (
            "\n[[portal]]",
            "[admin]\nlisten = \"0.0.0.0:9090\"\n[[portal]]",
            "imbot.toml:2:10: admin.listen: not a loopback",
        ),
    ] {
        let warnings = parsed(&with(old, new), &[]).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].starts_with("imbot.toml:") && warnings[0].contains(expected),
            "{warnings:?}"
        );
    }
}

#[test]
fn keys_for_registering_are_accepted() {
    let text = with(
        "bot_token = \"tok\"",
        "bot_token = \"tok\"\nevent_mode = \"webhook\"\nevent_url = \"https://bots.example.com/webhook\"\ntype = \"bot\"\n\
         hidden = true\nreactions = true\nopenline = false\nbackground = \"sky\"\nprofile = { name = \"x\" }",
    );
    let settings = settings(&text);
    let bot = &settings.portals[0].bots[0];
    assert_eq!(bot.event_url.as_deref(), Some("https://bots.example.com/webhook"));
}

#[test]
fn the_emulator_may_be_insecure() {
    let text = with("acme.bitrix24.com", "127.0.0.1:9000")
        .replace("https://", "http://")
        .replace(
            "name =",
            "allow_insecure = true\nendpoint = \"http://127.0.0.1:9000/rest/\"\nname =",
        );
    assert_eq!(settings(&text).portals[0].domain, "127.0.0.1:9000");
    let strict = mistakes(&with("acme.bitrix24.com", "127.0.0.1:9000"));
    assert!(strict.contains("portal.domain: a private address"), "{strict}");
}
