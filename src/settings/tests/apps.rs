//! OAuth applications: defaults, every refusal, and how portals name them.

use super::*;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

const APP: &str = r#"
[store]
key = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

[[app]]
name = "desk"
client_id = "local.0123456789abcdef01234567"
client_secret = "SECRETMARKER"

  [[app.bot]]
  code = "support_bot"
  handler = "helpdesk"
"#;

#[test]
fn an_application_gets_every_default() {
    let settings = settings(APP);
    let app = &settings.apps[0];
    assert_eq!((app.name.as_str(), app.install), ("desk", Install::Ask));
    assert_eq!(
        app.auth_servers,
        ["https://oauth.bitrix.info", "https://oauth.bitrix24.tech"]
    );
    assert_eq!((app.plan, app.allow_insecure), (Plan::STANDARD, false));
    assert_eq!((app.bots[0].id, app.bots[0].code.as_str()), (None, "support_bot"));
    assert_eq!(settings.store.key.unwrap().expose(), KEY.to_ascii_lowercase());
    assert!(settings.portals.is_empty(), "its portals come by installation");
}

/// Each pair breaks one rule of [`APP`]; the text must be in the mistakes, of which there is only one.
const BROKEN: &[(&str, &str, &str)] = &[
    (KEY, "0011", "3:7: store.key: not a key of 32 bytes"),
    (
        "[store]\nkey = \"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\"",
        "",
        "4:1: app: there is no store.key",
    ),
    ("name = \"desk\"", "", "app.name: missing"),
    (
        "client_id = \"local.0123456789abcdef01234567\"",
        "",
        "app.client_id: missing",
    ),
    (
        "local.0123456789abcdef01234567",
        "local 1",
        "app.client_id: not a client_id",
    ),
    ("client_secret = \"SECRETMARKER\"", "", "app.client_secret: missing"),
    (
        "name = \"desk\"",
        "name = \"desk\"\ninstall = \"opn\"",
        "app.install: \"opn\" is not one of the choices",
    ),
    (
        "name = \"desk\"",
        "name = \"desk\"\nauth_servers = []",
        "app.auth_servers: empty",
    ),
    (
        "name = \"desk\"",
        "name = \"desk\"\nauth_servers = [\"127.0.0.1\"]",
        "app.auth_servers: not a host",
    ),
    (
        "name = \"desk\"",
        "name = \"desk\"\nauth_servers = [\"http://a.example\"]",
        "app.auth_servers: not a host",
    ),
    (
        "name = \"desk\"",
        "name = \"desk\"\nauth_servers = [\"a.example/x\"]",
        "app.auth_servers: not a host",
    ),
    (
        "name = \"desk\"",
        "name = \"desk\"\nclient = 1",
        "app.client: unknown key",
    ),
    ("code = \"support_bot\"", "", "app.bot.code: missing"),
    (
        "handler = \"helpdesk\"",
        "handler = \"nobody\"",
        "app.bot.handler: the program has no bot",
    ),
    (
        "code = \"support_bot\"",
        "code = \"support_bot\"\nbot_token = \"t\"",
        "app.bot.bot_token: not for a bot of an",
    ),
    (
        "code = \"support_bot\"",
        "code = \"support_bot\"\nprofile = { nme = \"x\" }",
        "app.bot.profile.nme: unknown key",
    ),
];

#[test]
fn each_mistake_of_an_application_is_told() {
    for &(old, new, expected) in BROKEN {
        assert!(APP.contains(old), "{old}");
        let told = mistakes(&APP.replacen(old, new, 1));
        assert!(
            told.starts_with("1 mistake ") && told.contains(expected),
            "{expected}\n{told}"
        );
        assert!(!told.contains("SECRETMARKER"));
    }
    let (head, _) = APP.split_once("  [[app.bot]]").unwrap();
    assert!(mistakes(head).contains("app: it has no bots"));
    let twice = format!(
        "{APP}{}",
        APP.split_once("[[app]]")
            .map(|(_, app)| format!("[[app]]{app}"))
            .unwrap()
    );
    assert!(mistakes(&twice).contains("app.name: desk is already used in line 6"));
    assert!(mistakes(&twice).contains("app.client_id: local.0123456789abcdef01234567 is already used"));
}

#[test]
fn a_listed_portal_needs_no_token_and_no_bots_of_its_own() {
    let portal = "[[portal]]\nname = \"acme\"\ndomain = \"acme.bitrix24.com\"\napp = \"desk\"\n";
    let read = settings(&format!("{APP}{portal}"));
    assert_eq!(read.portals[0].app.as_deref(), Some("desk"));
    let told = mistakes(&format!("{APP}{}", portal.replace("\"desk\"", "\"dsk\"")));
    assert!(told.contains("portal.app: there is no [[app]] \"dsk\"") && told.contains("did you mean \"desk\""));
    let listed = APP.replace("name = \"desk\"", "name = \"desk\"\ninstall = \"listed\"");
    let warned = parsed(&listed, &[]).unwrap().warnings;
    assert!(warned[0].contains("no [[portal]] has app = \"desk\""), "{warned:?}");
}

#[test]
fn a_key_may_be_a_file_of_raw_bytes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), [0xAB_u8; 32]).unwrap();
    let text = APP.replace(&format!("\"{KEY}\""), "{ file = \"key\" }");
    let file = folder.path().join("imbot.toml");
    let key =
        |text: &str| parse(text, &file, &HANDLERS, &Environment::default()).map(|loaded| loaded.settings.store.key);
    assert_eq!(key(&text).unwrap().unwrap().expose(), "ab".repeat(32));
    std::fs::write(folder.path().join("key"), [0xAB_u8; 31]).unwrap();
    assert!(key(&text).is_err());
}

#[test]
fn no_hostile_endpoint_is_taken_as_an_incoming_webhook() {
    for (value, _) in crate::rest::watched::hostile() {
        for address in [value.clone(), format!("{value}1/abc123/")] {
            if address == "https://acme.bitrix24.com/rest/1/abc123/" {
                continue; // the portal's own: x73 is about the domain beside it
            }
            let told = mistakes(&with(
                "https://acme.bitrix24.com/rest/1/abc123/",
                &address.replace('\\', "\\\\"),
            ));
            assert!(told.contains("portal.incoming_webhook: "), "{address}: {told}");
            assert!(value.is_empty() || !told.contains(&value), "not repeated: {told}");
        }
    }
}
