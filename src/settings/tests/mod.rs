//! What people see of a configuration: here defaults, spellings and the list of mistakes; beside it the rules one by
//! one, and where values and secrets come from.

mod apps;
mod rules;
mod sources;

use super::model::Plan;
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
        capture,
        portals,
        apps,
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
    assert!(!capture.enabled && !capture.redact_text && capture.keep == Keep::Accepted);
    assert_eq!(capture.path.to_str(), Some("imbot-data/captures"));
    assert_eq!((capture.max_bytes, capture.max_files), (64 << 20, 10_000));
    assert_eq!(
        (capture.max_age, capture.stop_after),
        (Duration::from_secs(24 * 3600), Duration::from_secs(3600))
    );
    assert_eq!(portals[0].endpoint.as_str(), "https://acme.bitrix24.com/rest/");
    assert_eq!(portals[0].plan, Plan::STANDARD);
    assert!(!portals[0].allow_insecure && apps.is_empty());
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

[capture]
keep = "al"
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
imbot.toml:26:8: capture.keep: "al" is not one of the choices
    help: did you mean "all"?"#;
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
         help: add a [[portal]], or an [[app]]; `imbot config example` shows them"
    );
}
