//! What people see of a configuration: defaults, the full list of mistakes, warnings, secrets.

use super::*;
use std::time::Duration;

const HANDLERS: [&str; 2] = ["echo", "helpdesk"];

const SMALL: &str = r#"
[[portal]]
name = "acme"
domain = "acme.bitrix24.com"
incoming_webhook = "https://acme.bitrix24.com/rest/1/abc123/"

  [[portal.bot]]
  id = 456
  handler = "echo"
  bot_token = "tok"
"#;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn parsed(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Mistakes> {
    parse(text, Path::new("imbot.toml"), &HANDLERS, &environment(variables))
}

fn settings(text: &str) -> Settings {
    parsed(text, &[]).unwrap().settings
}

fn mistakes(text: &str) -> String {
    parsed(text, &[]).map(|_| ()).unwrap_err().to_string()
}

/// [`SMALL`] with one piece replaced.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old}");
    SMALL.replace(old, new)
}

#[test]
fn a_small_file_gets_every_default() {
    let Settings {
        server,
        admin,
        store,
        workers,
        deliver,
        portals,
    } = settings(SMALL);
    assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((server.path.as_str(), server.max_body_bytes), ("/webhook", 1_048_576));
    assert_eq!(server.ack, Ack::Durable);
    assert_eq!(server.trusted_proxies, ["127.0.0.1/32".parse().unwrap()]);
    assert_eq!(admin.listen.to_string(), "127.0.0.1:9090");
    assert!(admin.token.is_none());
    assert_eq!((store.path.to_str(), store.max_bytes), (Some("imbot-data"), 2 << 30));
    assert_eq!(store.dedup_window, Duration::from_secs(72 * 3600));
    assert_eq!((workers.concurrency, workers.max_attempts), (64, 8));
    assert_eq!(workers.handler_timeout, Duration::from_secs(30));
    assert_eq!(workers.retry, [1, 5, 20, 120, 300, 900, 1800].map(Duration::from_secs));
    assert_eq!(
        (workers.hold, deliver.hold),
        (Duration::from_secs(60), Duration::from_secs(60))
    );
    assert_eq!(deliver.max_age, Duration::from_secs(24 * 3600));
    assert_eq!(
        (deliver.on_unknown, deliver.answer_via),
        (OnUnknown::Stop, AnswerVia::Auto)
    );
    assert_eq!(portals[0].endpoint.as_str(), "https://acme.bitrix24.com/rest/");
    assert_eq!(portals[0].plan, Plan::STANDARD);
    assert!(!portals[0].allow_insecure);
}

#[test]
fn values_are_read_in_every_spelling() {
    let text = format!(
        r#"
[server]
listen = "[::1]:0"
max_body_bytes = "512KiB"
ack = "written"
trusted_proxies = ["10.0.0.0/8", "::1"]
[store]
max_bytes = 1_000_000
dedup_window = "500ms"
[workers]
retry = ["2m", "1d"]
[deliver]
on_unknown = "repeat"
answer_via = "send"
hold = "0s"
{}
"#,
        with(
            "domain =",
            "plan = { burst = 10, rate = 1 }\nendpoint = \"https://b24.example:8443/rest\"\ndomain ="
        )
        .replace("https://acme.bitrix24.com/rest/1", "https://b24.example:8443/rest/1")
    );
    let settings = settings(&text);
    assert_eq!(settings.server.listen.to_string(), "[::1]:0");
    assert_eq!(settings.server.max_body_bytes, 512 << 10);
    assert_eq!(settings.server.ack, Ack::Written);
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.store.max_bytes, 1_000_000);
    assert_eq!(settings.store.dedup_window, Duration::from_millis(500));
    assert_eq!(settings.workers.retry, [120, 86_400].map(Duration::from_secs));
    assert_eq!(settings.deliver.on_unknown, OnUnknown::Repeat);
    assert_eq!(settings.deliver.answer_via, AnswerVia::Send);
    assert_eq!(settings.deliver.hold, Duration::ZERO);
    assert_eq!(settings.portals[0].plan, Plan { burst: 10, rate: 1.0 });
    assert_eq!(settings.portals[0].endpoint.as_str(), "https://b24.example:8443/rest/");
}

#[test]
fn a_dozen_mistakes_are_reported_at_once_with_their_lines() {
    let text = r#"[server]
listen = "localhost:8080"
pth = "/webhook"
ack = "durble"

[workers]
concurrency = 0
retry = ["1s", "5"]

[[portal]]
name = "acme"
domain = "acme.bitrix24.com"
incoming_webhook = "https://other.bitrix24.com/rest/1/SECRETMARKER/"

  [[portal.bot]]
  id = -1
  handler = "helpdeks"
  bot_token = { env = "ACME_BOT_TOKEN" }

[[portal]]
name = "beta"
domain = "ACME.bitrix24.com"
application_token = "SECRETMARKER"

[[app]]
name = "desk"
"#;
    let expected = r#"12 mistakes in the configuration
imbot.toml:2:10: server.listen: "localhost:8080" is not an IP address with a port
    help: write it as "127.0.0.1:8080"
imbot.toml:3:1: server.pth: unknown key
    help: did you mean `path`?
imbot.toml:4:7: server.ack: "durble" is not one of the choices
    help: did you mean "durable"?
imbot.toml:7:15: workers.concurrency: 0 is too small
    help: write at least 1
imbot.toml:8:16: workers.retry: "5" is not a duration
    help: write a number and ms, s, m, h or d, for example "30s"
imbot.toml:13:20: portal.incoming_webhook: the webhook is on another host than the portal's endpoint
    help: use the webhook of this portal, or correct domain or endpoint
imbot.toml:16:8: portal.bot.id: -1 is too small
    help: write at least 1
imbot.toml:17:13: portal.bot.handler: the program has no bot "helpdeks"
    help: did you mean "helpdesk"?
imbot.toml:18:15: portal.bot.bot_token: environment variable ACME_BOT_TOKEN is not set
    help: set ACME_BOT_TOKEN, or use another source: file or credential
imbot.toml:20:1: portal: it has no bots
    help: add a [[portal.bot]] below it
imbot.toml:22:10: portal.domain: acme.bitrix24.com is already used in line 12
    help: every portal needs its own
imbot.toml:25:1: app: this version does not support OAuth applications yet
    help: remove it; a later version of imbot will know it"#;
    assert_eq!(mistakes(text), expected);
}

#[test]
fn everything_that_is_not_toml_is_reported_at_once_and_never_quoted() {
    let text = "[server]\nlisten = SECRETMARKER\npath = \"SECRETMARKER\n[server]\n";
    let expected = "3 mistakes in the configuration
imbot.toml:2:10: not TOML: string values must be quoted, expected literal string
    help: correct the line; the meaning is checked once the whole file reads as TOML
imbot.toml:3:21: not TOML: invalid basic string, expected `\"`
    help: correct the line; the meaning is checked once the whole file reads as TOML
imbot.toml:4:2: not TOML: duplicate key
    help: correct the line; the meaning is checked once the whole file reads as TOML";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn an_empty_file_says_what_to_add() {
    assert_eq!(
        mistakes(""),
        "1 mistake in the configuration\nimbot.toml:1:1: no portal is configured\n    \
         help: add a [[portal]]; `imbot config example` shows one"
    );
}

/// Each pair breaks one rule of [`SMALL`]; the text must be among the mistakes, and be the only one.
#[test]
fn every_rule_refuses_what_it_is_for() {
    let webhook = "incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc123/\"";
    for (old, new, expected) in [
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
            "bot_token = \"tok\"\n event_mode = \"fetch\"",
            "does not support event_mode",
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
            webhook,
            "incoming_webhook = \"https://acme.bitrix24.com/rest/1/\"",
            "not the address of an incoming",
        ),
        (
            webhook,
            "incoming_webhook = \"http://acme.bitrix24.com/rest/1/abc/\"",
            "incoming_webhook: not https",
        ),
        (
            webhook,
            "incoming_webhook = \"https://u:p@acme.bitrix24.com/rest/1/abc/\"",
            "not a web address",
        ),
        (
            webhook,
            "incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc/x.json\"",
            "not the address of an",
        ),
        (
            webhook,
            "incoming_webhook = \"https://acme.bitrix24.com:444/rest/1/abc/\"",
            "on another host",
        ),
        (
            webhook,
            "endpoint = \"https://acme.bitrix24.com/rest/1/abc123/\"",
            "this is an incoming webhook",
        ),
        (
            webhook,
            "endpoint = \"https://10.0.0.1/rest/\"",
            "portal.endpoint: a private address",
        ),
        (
            webhook,
            "endpoint = \"http://acme.bitrix24.com/rest/\"",
            "portal.endpoint: not https",
        ),
        (
            webhook,
            "endpoint = \"https://acme.bitrix24.com/rest/?x\"",
            "an address with ? or #",
        ),
        (webhook, "plan = \"enterprize\"", "did you mean \"enterprise\"?"),
        (webhook, "plan = { burst = 5 }", "portal.plan.rate: missing"),
        (
            webhook,
            "plan = { burst = 5, rate = 0 }",
            "portal.plan.rate: 0 is not above 0",
        ),
        (
            webhook,
            "app = \"desk\"",
            "portal.app: this version does not support OAuth",
        ),
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
        ("\n[[portal]]", "[capture]\n[[portal]]", "does not support captures yet"),
    ] {
        let text = mistakes(&with(old, new));
        assert!(text.contains(expected), "{new}: {text}");
        assert!(text.starts_with("1 mistake "), "{new}: {text}");
    }
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
    let webhook = "incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc123/\"";
    for (old, new, expected) in [
        (webhook, "", "imbot.toml:7:3: portal.bot: receives only"),
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
        (
            "\n[[portal]]",
            "[store]\nkey = { credential = \"k\" }\n[[portal]]",
            "store.key: not used by this version",
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
         hidden = true\nreactions = true\nopenline = false\nbackground = \"x\"\nprofile = { name = \"x\" }",
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

#[test]
fn the_environment_overrides_every_key_outside_lists() {
    let loaded = parsed(
        &format!("[server]\nlisten = \"127.0.0.1:1\"\n{SMALL}"),
        &[
            ("IMBOT_SERVER__LISTEN", "127.0.0.1:2"),
            ("IMBOT_SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("IMBOT_STORE__MAX_BYTES", "3GiB"),
            ("IMBOT_STORE__PATH", "2024"),
            ("IMBOT_WORKERS__CONCURRENCY", "3"),
            ("IMBOT_WORKERS__HOLD", "90s"),
            ("IMBOT_ADMIN__TOKEN", "12345"),
            ("IMBOT_DELIVER__HOLD", ""),
            ("IMBOT_CONFIG", "elsewhere.toml"),
            ("IMBOT_LOG_FORMAT", "json"),
            ("IMBOT_ADMIN_TOKEN", "x"),
        ],
    );
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.server.listen.port(), 2);
    assert_eq!(settings.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.store.max_bytes, 3 << 30);
    assert_eq!(settings.store.path.to_str(), Some("2024"));
    assert_eq!(settings.workers.concurrency, 3);
    assert_eq!(settings.workers.hold, Duration::from_secs(90));
    assert!(settings.admin.token.unwrap().matches(b"12345"));
}

#[test]
fn a_variable_that_sets_nothing_is_refused_with_the_nearest_name() {
    let refused = parsed(
        SMALL,
        &[
            ("IMBOT_PORTAL__0__NAME", "x"),
            ("IMBOT_SERVER__LISTN", "x"),
            ("IMBOT_WORKERS__HOLD", "soon"),
        ],
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "3 mistakes in the configuration
environment variable IMBOT_PORTAL__0__NAME: no setting has this name
    help: unset it; portals and bots are set in the file, all other keys as IMBOT_SECTION__KEY
environment variable IMBOT_SERVER__LISTN: no setting has this name
    help: did you mean `IMBOT_SERVER__LISTEN`?
environment variable IMBOT_WORKERS__HOLD: workers.hold: \"soon\" is not a duration
    help: write a number and ms, s, m, h or d, for example \"30s\""
    );
}

#[test]
fn secrets_come_from_four_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("beside"), "from-file\n").unwrap();
    std::fs::create_dir(folder.path().join("credentials")).unwrap();
    std::fs::write(folder.path().join("credentials/bot"), "from-credential\r\n").unwrap();
    let credentials = folder.path().join("credentials");
    let environment = environment(&[
        ("TOKEN", "from-env"),
        ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap()),
    ]);
    for (source, expected) in [
        ("\"literal\"", "literal"),
        ("{ env = \"TOKEN\" }", "from-env"),
        ("{ file = \"beside\" }", "from-file"),
        ("{ credential = \"bot\" }", "from-credential"),
    ] {
        let file = folder.path().join("imbot.toml");
        let loaded = parse(&with("\"tok\"", source), &file, &HANDLERS, &environment).unwrap();
        let token = loaded.settings.portals[0].bots[0].bot_token.clone().unwrap();
        assert!(token.matches(expected.as_bytes()), "{source}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_a_mistake_without_its_value() {
    for (source, expected) in [
        (
            "{ env = \"SECRET MARKER\" }",
            "env does not name an environment variable",
        ),
        ("{ file = \"nowhere\" }", "nowhere does not exist"),
        ("{ credential = \"bot\" }", "there is no $CREDENTIALS_DIRECTORY"),
        ("{ credential = \"../bot\" }", "not a name of a credential"),
        ("{ vault = \"SECRETMARKER\" }", "unknown source of a secret"),
        ("{ env = \"A\", file = \"B\" }", "a secret has exactly one source"),
        ("{ env = 5 }", "the source of a secret is not a string"),
        ("5", "not a secret"),
    ] {
        let text = mistakes(&with("\"tok\"", source));
        assert!(
            text.contains(expected) && text.starts_with("1 mistake "),
            "{source}: {text}"
        );
        assert!(!text.contains("MARKER"), "{text}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let marker = "SECRETMARKER";
    let text = with("\"tok\"", "\"SECRETMARKER\"")
        .replace("abc123", marker)
        .replace("domain =", "application_token = \"SECRETMARKER\"\ndomain =");
    let shown = format!("{:?}", parsed(&text, &[("IMBOT_ADMIN__TOKEN", marker)]).unwrap());
    assert!(shown.contains("***") && !shown.contains(marker), "{shown}");
    // A webhook in the wrong key, and a portal that is wrong all over.
    for key in [
        "name",
        "allow_insecure",
        "endpoint",
        "domain",
        "incoming_webhook",
        "application_tokn",
        "member_id",
        "plan",
    ] {
        let text = format!("[[portal]]\n{key} = \"https://a.b/rest/1/{marker}/x?a\"\n");
        assert!(!mistakes(&text).contains(marker), "{key}");
    }
}

#[test]
fn the_expected_token_is_given_or_derived() {
    let bot = |bot_token: &str, given: &str| {
        let text = with("bot_token = \"tok\"", &format!("bot_token = \"{bot_token}\"\n{given}"));
        settings(&text).portals[0].bots[0].expected_token().unwrap()
    };
    assert!(bot("my_secret_token_123", "").matches(b"custommy_secret_token_123"));
    let long = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert!(bot(long, "").matches(b"custom9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b"));
    assert!(bot("tok", "application_token = \"own\"").matches(b"own"));
    let plain = with("bot_token = \"tok\"", "").replace("domain =", "application_token = \"a\"\ndomain =");
    assert!(settings(&plain).portals[0].bots[0].expected_token().is_none());
}

#[test]
fn the_file_is_found_in_the_order_people_are_told() {
    let named = environment(&[("IMBOT_CONFIG", "from-env.toml")]);
    let given = locate(Some(Path::new("given.toml")), &named).unwrap();
    assert_eq!(given, Path::new("given.toml"));
    assert_eq!(locate(None, &named).unwrap(), Path::new("from-env.toml"));
    let error = load(Some(Path::new("/nowhere/imbot.toml")), &HANDLERS, &named).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/imbot.toml: the configuration cannot be read"),
        "{error}"
    );
    let nothing = SettingsError::NotFound.to_string();
    for part in [
        "--config",
        "IMBOT_CONFIG",
        "imbot.toml",
        "imbot dev",
        "imbot config example",
    ] {
        assert!(nothing.contains(part), "{part}: {nothing}");
    }
}
