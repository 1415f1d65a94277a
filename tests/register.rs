//! `imbot register` with the real binary at an emulated portal: what differs is shown, mended, and not touched again.

use crate::server::{ECHO, Far, IMBOT, Server, TOKEN, bare, signal};
use imbot::portal::{AppConfig, BotSeed, PortalConfig};
use imbot::types::{Clock, Secret};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// The token of bots that are registered here.
const NEW: &str = "token-of-the-new-bot";
/// The secret part of the portal's incoming webhook.
const WEBHOOK_CODE: &str = "demowebhookcode0";
/// Where nobody listens; the host has a dot in it, which is all that a portal wants.
const URL: &str = "http://127.0.0.1:9/webhook";
const WRITES: [&str; 6] = [
    "imbot.v2.Bot.register",
    "imbot.v2.Bot.update",
    "imbot.v2.Bot.unregister",
    "imbot.v2.Command.register",
    "imbot.v2.Command.update",
    "imbot.v2.Command.unregister",
];

/// A portal that has one bot in webhook mode, without commands.
fn far() -> Far {
    Far::with(PortalConfig {
        burst: 1_000,
        rate: 1_000,
        costs: Vec::new(),
        on_demand: true,
        bots: vec![BotSeed::webhook(ECHO, "desk", TOKEN).hooked(URL)],
        ..PortalConfig::new(Clock::system())
    })
}

/// The portal's table with these bots.
fn table(far: &Far, bots: &str) -> String {
    let table = far.table();
    let head = table.split("[[portal.bot]]").next().expect("the portal itself");
    format!("{head}{bots}")
}

/// The bot that is there, with everything said of it.
fn whole() -> String {
    format!(
        "[[portal.bot]]\nid = {ECHO}\ncode = \"desk\"\nhandler = \"helpdesk\"\nbot_token = \"{TOKEN}\"\nevent_url = \"{URL}\"\n\
         hidden = false\nreactions = true\nopenline = true\nbackground = \"mint\"\n\
         profile = {{ name = \"Ada\", last_name = \"Lovelace\", gender = \"F\", color = \"mint\", avatar = \"avatar.png\" }}\n"
    )
}

/// A bot that nobody has registered yet.
fn new_bot(code: &str, mode: &str) -> String {
    format!(
        "[[portal.bot]]\ncode = \"{code}\"\nhandler = \"echo\"\nbot_token = \"{NEW}\"\nevent_url = \"{URL}\"\nevent_mode = \"{mode}\"\n"
    )
}

/// A picture that differs from others by its height.
fn picture(height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10".to_vec();
    bytes.extend(height.to_be_bytes());
    bytes
}

/// A configuration with the picture beside it; nothing is started.
fn server(far: &Far, bots: &str) -> Server {
    let server = Server::new(&table(far, bots));
    fs::write(server.folder().join("avatar.png"), picture(16)).expect("a picture");
    fs::create_dir_all(server.store()).expect("a store folder");
    server
}

/// What a run printed, for people.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    /// The line about this field.
    fn line(&self, field: &str) -> &str {
        let found = self.out.lines().find(|line| line.contains(field));
        found.unwrap_or_else(|| panic!("nothing of {field} in\n{}\n{}", self.out, self.err))
    }
}

/// `imbot register …`; no output ever holds a token.
fn register(server: &Server, arguments: &[&str]) -> Run {
    let words: Vec<&str> = ["register"].into_iter().chain(arguments.iter().copied()).collect();
    let output = server.command(&words);
    let run = Run {
        code: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    };
    for secret in [TOKEN, NEW, WEBHOOK_CODE] {
        let said = format!("{}{}{}", run.out, run.err, server.said());
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    run
}

fn apply(server: &Server) -> Run {
    let run = register(server, &["--apply"]);
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    run
}

/// Nothing differs, and nothing is written.
fn is_settled(far: &Far, server: &Server) {
    let before = far.portal.log().len();
    for arguments in [&[][..], &["--apply"], &["--apply", "--prune"]] {
        let run = register(server, arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}\n{}", run.out, run.err);
        assert!(run.out.contains("is as wanted"), "{}", run.out);
    }
    assert_eq!(writes(far, before), [""; 0]);
}

/// The methods that changed something at the portal since this entry of its log.
fn writes(far: &Far, since: usize) -> Vec<String> {
    let log = far.portal.log();
    let methods = log[since..].iter().map(|entry| entry.method.clone());
    methods.filter(|method| WRITES.contains(&method.as_str())).collect()
}

/// The parameters of the last call of a method.
fn last(far: &Far, method: &str) -> Value {
    let log = far.portal.log();
    let found = log.iter().rev().find(|entry| entry.method == method);
    found.unwrap_or_else(|| panic!("nobody called {method}")).params.clone()
}

/// `imbot call` as a bot.
fn call(server: &Server, bot: i64, method: &str, params: &Value) -> Value {
    let output = server.command(&["call", method, &params.to_string(), "--bot", &bot.to_string()]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The number of a command of the bot.
fn command(server: &Server, bot: i64, name: &str) -> i64 {
    let list = call(server, bot, "imbot.v2.Command.list", &json!({}));
    let found = list["commands"].as_array().expect("a list").iter();
    let mut found = found.filter(|command| command["command"] == name);
    found.next().expect("it is there")["id"].as_i64().expect("a number")
}

/// Whether the bot repeats what this user says to it in private, or says anything at all.
fn answers(far: &Far, bot: i64, user: i64, text: &str) -> bool {
    far.wait(far.portal.say(user, &bot.to_string(), text))
        .expect("a dialog");
    let heard = || {
        far.portal
            .messages(&user.to_string())
            .iter()
            .any(|message| message.bot == Some(bot))
    };
    (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        heard()
    })
}

#[test]
fn what_differs_is_shown_then_applied_and_a_second_time_nothing_is_written() {
    let far = far();
    let mut server = server(&far, &whole());
    server.start();
    let before = far.portal.log().len();
    let dry = register(&server, &[]);
    assert_eq!(dry.code, 3, "{}\n{}", dry.out, dry.err);
    assert!(dry.err.contains("nothing was changed"), "{}", dry.err);
    assert_eq!(writes(&far, before), [""; 0]);
    assert!(dry.line("profile.name").contains("config"), "{}", dry.out);
    assert!(dry.line("profile.work_position").contains("code"), "{}", dry.out);
    assert!(dry.line("event_url").contains("never set by register"), "{}", dry.out);
    assert!(dry.line("/ticket").contains("register"), "{}", dry.out);
    apply(&server);
    assert_eq!(
        writes(&far, before),
        [
            "imbot.v2.Bot.update",
            "imbot.v2.Command.register",
            "imbot.v2.Command.register",
            "imbot.v2.Command.register"
        ]
    );
    is_settled(&far, &server);
    // And so without a server.
    server.terminate();
    is_settled(&far, &server);
}

#[test]
fn drift_in_each_readable_field_is_shown_and_mended_by_sending_that_field_alone() {
    let far = far();
    let server = server(&far, &whole());
    apply(&server);
    let of_bot = |fields: Value| ("imbot.v2.Bot.update", json!({ "fields": fields }));
    let ticket = command(&server, ECHO, "/ticket");
    let of_ticket = |fields: Value| {
        (
            "imbot.v2.Command.update",
            json!({ "commandId": ticket, "fields": fields }),
        )
    };
    for ((method, params), field) in [
        (
            of_bot(json!({ "properties": { "name": "Eve", "lastName": "Lovelace" } })),
            "profile.name",
        ),
        (
            of_bot(json!({ "properties": { "name": "Ada", "lastName": "King" } })),
            "profile.last_name",
        ),
        (
            of_bot(json!({ "properties": { "workPosition": "x" } })),
            "profile.work_position",
        ),
        (of_bot(json!({ "properties": { "gender": "M" } })), "profile.gender"),
        (of_bot(json!({ "properties": { "color": "red" } })), "profile.color"),
        (of_bot(json!({ "isHidden": true })), "hidden"),
        (of_bot(json!({ "isReactionsEnabled": false })), "reactions"),
        (of_bot(json!({ "isSupportOpenline": false })), "openline"),
        (of_bot(json!({ "backgroundId": "frost" })), "background"),
        (of_ticket(json!({ "common": true })), "/ticket common"),
        (of_ticket(json!({ "hidden": true })), "/ticket hidden"),
        (of_ticket(json!({ "extranetSupport": true })), "/ticket extranet"),
        (of_ticket(json!({ "title": { "en": "Drifted" } })), "/ticket title.en"),
        (
            of_ticket(json!({ "title": { "en": "Open a ticket" }, "params": { "en": "x" } })),
            "/ticket params.en",
        ),
    ] {
        call(&server, ECHO, method, &params);
        let dry = register(&server, &[]);
        assert_eq!(dry.code, 3, "{field}: {}\n{}", dry.out, dry.err);
        let rows = dry.out.lines().filter(|line| line.contains("set")).count();
        assert!(dry.line(field).ends_with("set"), "{field}: {}", dry.out);
        let before = far.portal.log().len();
        apply(&server);
        assert_eq!(writes(&far, before), [method], "{field}");
        let sent = last(&far, method)["fields"].clone();
        // A first name goes with its last, parameters with their title.
        assert!(sent.to_string().len() < 100 && rows < 4, "{field}: {sent} {}", dry.out);
    }
    is_settled(&far, &server);
}

#[test]
fn what_cannot_be_read_is_held_against_what_was_set_last_and_force_sets_it_again() {
    let far = far();
    let server = server(&far, &whole());
    apply(&server);
    let settled = register(&server, &[]);
    let line = settled.line("not readable, last set");
    assert!(line.contains("6 fields") && line.contains("--force"), "{line}");
    // Another address, another picture.
    let text = fs::read_to_string(server.config()).unwrap();
    fs::write(
        server.config(),
        text.replace("127.0.0.1:9/webhook", "127.0.0.1:9/other"),
    )
    .unwrap();
    fs::write(server.folder().join("avatar.png"), picture(17)).unwrap();
    let dry = register(&server, &[]);
    assert_eq!(dry.code, 3);
    for (field, value) in [("event_url", "127.0.0.1:9/webhook"), ("profile.avatar", "sha256")] {
        let line = dry.line(field);
        assert!(
            line.contains("not readable, last set 20") && line.contains(value),
            "{line}"
        );
    }
    let before = far.portal.log().len();
    apply(&server);
    assert_eq!(writes(&far, before), ["imbot.v2.Bot.update"]);
    let sent = last(&far, "imbot.v2.Bot.update");
    assert_eq!(sent["fields"]["webhookUrl"], "http://127.0.0.1:9/other");
    assert!(sent["fields"]["properties"]["avatar"].is_string() && sent["fields"]["isHidden"].is_null());
    is_settled(&far, &server);

    let before = far.portal.log().len();
    let forced = register(&server, &["--apply", "--force"]);
    assert_eq!(forced.code, 0, "{}\n{}", forced.out, forced.err);
    let [update, commands @ ..] = &writes(&far, before)[..] else {
        panic!("nothing was set again")
    };
    assert_eq!((update.as_str(), commands.len()), ("imbot.v2.Bot.update", 3));
    assert_eq!(
        last(&far, "imbot.v2.Command.update")["fields"]["title"]["en"],
        Value::Null,
        "what is read is not forced"
    );
    is_settled(&far, &server);

    let listed = register(&server, &["--json"]);
    let json: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(
        (&json["differences"], &json["bots"][0]["id"]),
        (&json!(0), &json!(ECHO))
    );
    let fields = json["bots"][0]["fields"].as_array().unwrap();
    let url = fields.iter().find(|field| field["field"] == "event_url").unwrap();
    assert_eq!((&url["readable"], &url["action"]), (&json!(false), &json!("none")));
    assert_eq!(url["lastSet"]["value"], "http://127.0.0.1:9/other");
}

#[test]
fn what_no_method_changes_is_shown_and_stays() {
    let far = far();
    let bot = whole().replace("code = \"desk\"", "code = \"help\"\ntype = \"supervisor\"");
    let server = server(&far, &bot);
    register(&server, &["--apply"]);
    let before = far.portal.log().len();
    let run = register(&server, &["--apply"]);
    assert_eq!(run.code, 3, "{}", run.out);
    for field in [" type ", " code "] {
        assert!(run.line(field).contains("needs unregister and register"), "{}", run.out);
    }
    assert_eq!(writes(&far, before), [""; 0]);
}

#[test]
fn what_only_the_portal_has_is_shown_and_leaves_with_prune_alone() {
    let far = far();
    let server = server(&far, &whole());
    apply(&server);
    let title = json!({ "fields": { "command": "old", "title": { "en": "Old" } } });
    call(&server, ECHO, "imbot.v2.Command.register", &title);
    let other = json!({ "fields": { "code": "stray", "properties": { "name": "Stray" } } });
    let stray = call(&server, ECHO, "imbot.v2.Bot.register", &other)["bot"]["id"]
        .as_i64()
        .unwrap();
    let before = far.portal.log().len();
    for arguments in [&[][..], &["--apply"]] {
        let run = register(&server, arguments);
        assert_eq!(run.code, 0, "{}", run.out);
        assert!(run.line("/old").contains("--prune"), "{}", run.out);
        assert!(
            run.line(&format!("{stray} (code stray)")).contains("--prune"),
            "{}",
            run.out
        );
    }
    assert_eq!(register(&server, &["--prune"]).code, 3);
    assert_eq!(writes(&far, before), [""; 0], "only with both");
    let one = register(&server, &["--bot", "desk", "--apply", "--prune"]);
    assert_eq!(one.code, 0);
    assert_eq!(
        writes(&far, before),
        ["imbot.v2.Command.unregister"],
        "one bot: no other is touched"
    );
    let run = register(&server, &["--apply", "--prune"]);
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert_eq!(last(&far, "imbot.v2.Bot.unregister")["botId"], stray);
    is_settled(&far, &server);
}

#[test]
fn a_new_bot_gets_its_number_under_a_running_server_and_answers_without_a_restart() {
    let far = far();
    let mut server = server(&far, &whole());
    server.start();
    let text = fs::read_to_string(server.config()).unwrap();
    fs::write(server.config(), format!("{text}{}", new_bot("fresh", "fetch"))).unwrap();
    let refused = register(&server, &["--apply", "--bot", "fresh"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("demo/fresh") && refused.err.contains("SIGHUP"),
        "{}",
        refused.err
    );
    signal("HUP", server.pid());
    let dry = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let run = register(&server, &["--bot", "fresh"]);
        (run.code == 3).then_some(run)
    });
    assert!(
        dry.expect("it is known after the reload")
            .line("Echo (code fresh)")
            .contains("not there")
    );
    assert_eq!(writes(&far, 0), [""; 0]);
    let applied = register(&server, &["--apply", "--bot", "fresh"]);
    assert_eq!(applied.code, 0, "{}\n{}", applied.out, applied.err);
    assert_eq!(last(&far, "imbot.v2.Bot.register")["fields"]["eventMode"], "fetch");
    let seen = register(&server, &["--bot", "fresh", "--json"]);
    let seen: Value = serde_json::from_str(&seen.out).unwrap();
    let id = seen["bots"][0]["id"].as_i64().unwrap();
    assert!(answers(&far, id, 7, "hello"), "{}", server.said());
    // Its commands are there, too, and the number is kept.
    command(&server, id, "/help");
    server.terminate();
    server.start();
    assert!(answers(&far, id, 8, "again"), "{}", server.said());
    // The door takes its events, too: they prove themselves with the token of its own.
    let posted = String::from_utf8(far.body(9, 4_000, "by the door")).unwrap();
    let posted = posted
        .replace(&format!("%5Bbot%5D%5Bid%5D={ECHO}"), &format!("%5Bbot%5D%5Bid%5D={id}"))
        .replace(TOKEN, NEW);
    assert_eq!(server.post(posted.as_bytes()).outcome(), Some("accepted"));
    let before = far.portal.log().len();
    assert_eq!(register(&server, &["--apply", "--bot", "fresh"]).code, 0);
    assert_eq!(writes(&far, before), [""; 0]);
}

/// The store's key, an application with one bot, and the portal's own authorisation server.
fn application(far: &Far, app: &AppConfig) -> String {
    let server = far.portal.authorisation_address().expect("it listens");
    format!(
        "store.key = \"{}\"\n[[app]]\nname = \"desk\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\ninstall = \"open\"\n\
         allow_insecure = true\nauth_servers = [\"http://{server}\"]\nplan = {{ burst = 500, rate = 500.0 }}\n\
         [[app.bot]]\ncode = \"fresh\"\nhandler = \"helpdesk\"\nevent_mode = \"fetch\"\nhidden = true\n",
        "5a".repeat(32),
        app.client_id,
        app.client_secret.expose(),
    )
}

#[test]
fn a_bot_of_an_application_is_made_where_it_is_installed_without_any_bot_token() {
    let far = Far::with(PortalConfig {
        burst: 1_000,
        rate: 1_000,
        costs: Vec::new(),
        on_demand: true,
        tells_address: true,
        authorisation: Some(([127, 0, 0, 1], 0).into()),
        ..PortalConfig::new(Clock::system())
    });
    let mut app = AppConfig {
        client_id: "local.desk".to_owned(),
        client_secret: Secret::new(NEW),
        application_token: Secret::new(TOKEN),
        scope: "imbot,im".to_owned(),
        handler_url: None,
    };
    let mut server = Server::new(&application(&far, &app));
    server.start();
    let nowhere = register(&server, &[]);
    assert_eq!(
        (nowhere.code, nowhere.out.as_str()),
        (0, ""),
        "nobody has installed it: {}",
        nowhere.err
    );
    app.handler_url = Some(format!("http://{}/webhook", server.public));
    far.wait(far.portal.install_app(app));
    let dry = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let run = register(&server, &[]);
        (run.code == 3).then_some(run)
    });
    assert!(dry.expect("it is installed").line("code fresh").contains("not there"));
    apply(&server);
    let made = last(&far, "imbot.v2.Bot.register");
    assert_eq!(
        (&made["fields"]["isHidden"], &made["fields"]["botToken"]),
        (&json!(true), &Value::Null)
    );
    is_settled(&far, &server);
    let id = last(&far, "imbot.v2.Command.register")["botId"]
        .as_i64()
        .expect("a number");
    assert!(answers(&far, id, 7, "hello"), "{}", server.said());
    server.terminate();
    server.start();
    is_settled(&far, &server);
}

#[test]
fn another_event_mode_than_the_configured_one_is_shown_with_its_origin() {
    let far = far();
    let server = server(&far, &whole());
    assert!(!register(&server, &[]).out.contains("event_mode"));
    let text = fs::read_to_string(server.config()).unwrap();
    fs::write(server.config(), format!("{text}event_mode = \"fetch\"\n")).unwrap();
    let dry = register(&server, &[]);
    assert_eq!(dry.code, 3);
    let line = dry.line("event_mode");
    assert!(
        line.contains("webhook") && line.contains("config") && line.ends_with("switch to fetch"),
        "{line}"
    );
    assert!(
        !dry.out.contains("event_url"),
        "nobody posts to it in fetch mode: {}",
        dry.out
    );
}

#[test]
fn a_bot_is_unregistered_after_a_question_and_made_anew_when_it_is_wanted() {
    let far = far();
    let server = server(&far, &new_bot("fresh", "fetch"));
    apply(&server);
    let before = far.portal.log().len();
    let asked = register(&server, &["--unregister", "fresh"]);
    assert_eq!(asked.code, 2, "{}", asked.err);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    assert_eq!(register(&server, &["--unregister", "nobody", "--yes"]).code, 2);
    assert_eq!(writes(&far, before), [""; 0]);
    let gone = register(&server, &["--unregister", "fresh", "--yes"]);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert_eq!(writes(&far, before), ["imbot.v2.Bot.unregister"]);
    let dry = register(&server, &[]);
    assert_eq!(dry.code, 3);
    assert!(dry.line("code fresh").contains("not there"), "{}", dry.out);
    apply(&server);
    is_settled(&far, &server);
    // Somebody deletes it at the portal.
    let id = last(&far, "imbot.v2.Command.register")["botId"].as_i64().unwrap();
    far.wait(far.portal.delete_bot(id)).unwrap();
    assert_eq!(register(&server, &[]).code, 3);
    apply(&server);
    is_settled(&far, &server);
}

#[test]
fn an_event_with_the_portals_token_does_not_tell_the_number_of_a_bot_with_its_own() {
    let far = far();
    let bots = new_bot("fresh", "fetch");
    let table = table(&far, &format!("application_token = \"the-portals-own\"\n{bots}"));
    let mut server = Server::new(&table);
    server.start();
    let forged = String::from_utf8(far.body(9, 4_000, "I am fresh")).unwrap();
    let forged = forged
        .replace(&format!("%5Bbot%5D%5Bid%5D={ECHO}"), "%5Bbot%5D%5Bid%5D=777")
        .replace("%5Bbot%5D%5Bcode%5D=desk", "%5Bbot%5D%5Bcode%5D=fresh")
        .replace(&format!("custom{TOKEN}"), "the-portals-own");
    assert_eq!(server.post(forged.as_bytes()).outcome(), Some("ignored"));
    assert!(register(&server, &[]).line("code fresh").contains("not there"));
}

#[test]
fn a_bot_that_was_registered_by_hand_is_found_by_its_code() {
    let far = far();
    let bot = whole().replace(&format!("id = {ECHO}\n"), "");
    let server = server(&far, &bot);
    let early = server.command(&["pause", "demo/desk"]);
    let said = String::from_utf8_lossy(&early.stderr).into_owned();
    assert_eq!(early.status.code(), Some(1), "{said}");
    assert!(said.contains("nobody knows the number of bot desk yet"), "{said}");
    let dry = register(&server, &[]);
    assert_eq!(dry.code, 3, "{}\n{}", dry.out, dry.err);
    assert!(dry.line(" id ").contains("keep its number"), "{}", dry.out);
    let before = far.portal.log().len();
    apply(&server);
    assert!(!writes(&far, before).contains(&"imbot.v2.Bot.register".to_owned()));
    is_settled(&far, &server);
    let paused = server.command(&["pause", "demo/desk", "--json"]);
    let paused: Value = serde_json::from_slice(&paused.stdout).unwrap_or_else(|error| panic!("{error}: {paused:?}"));
    assert_eq!(paused["paused"]["bots"], json!([ECHO]), "by its code as by its number");
}

#[test]
fn a_wrong_token_a_foreign_code_and_other_refusals_are_clear_sentences() {
    let far = far();
    for (bots, code, said) in [
        // Registered with another token.
        (
            whole().replace(TOKEN, "wrong"),
            4,
            "bot_token is not the one it was registered with",
        ),
        (new_bot("desk", "fetch"), 4, "another code"),
        (
            whole().replace("id = 101", "id = 999"),
            1,
            "remove id from its [[portal.bot]]",
        ),
        (
            new_bot("fresh", "webhook").replace(&format!("event_url = \"{URL}\"\n"), ""),
            1,
            "needs event_url",
        ),
        (
            new_bot("fresh", "fetch").replace(NEW, &"x".repeat(41)),
            1,
            "40 characters",
        ),
        (whole().replace("avatar.png", "nowhere.png"), 1, "nowhere.png"),
    ] {
        let server = server(&far, &bots);
        let before = far.portal.log().len();
        let run = register(&server, &["--apply"]);
        assert_eq!(run.code, code, "{}", run.err);
        assert!(run.err.contains(said), "no {said} in {}", run.err);
        assert_eq!(writes(&far, before), [""; 0]);
    }
}

#[test]
fn the_help_tells_the_exit_codes() {
    let help = bare(IMBOT).args(["register", "--help"]).output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for part in [
        "Exit codes",
        "3 something differs",
        "--prune",
        "--force",
        "--unregister",
        "75",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
