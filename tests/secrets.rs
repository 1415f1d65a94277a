//! Marker secrets in every place that takes one, everything provoked that prints or stores, then a search for them in
//! all output and every file of the store. No marker may be found; the text of messages not in a log at info.

use crate::link;
use crate::nginx::tokens;
use crate::server::{ECHO, Far, Server};
use imbot::portal::{AppSeed, BotSeed, Owner, PortalConfig};
use imbot::types::{Clock, Secret};
use std::fs;
use std::path::Path;

/// Each is planted once; none may be found anywhere.
const MARKERS: [&str; 11] = [
    "MARKERbottoken",
    "MARKERappltoken",
    "MARKERwebhookcode",
    "MARKEReventaccess",
    "MARKEReventrefresh",
    "MARKERuseraccess",
    "MARKERuserrefresh",
    "MARKERdeepsecret",
    "MARKERforged",
    "MARKERadmintoken",
    "MARKERargument",
];
/// The text of messages: in the store, and in the log at debug only.
const TEXT: &str = "MARKERtext";
/// A bot of an application: it speaks with the token that comes with its events.
const APP_BOT: i64 = 102;

fn portal() -> Far {
    let app = AppSeed {
        client_id: "local.0123456789abcd.00000000".to_owned(),
        access_token: Secret::new("MARKEReventaccess"),
        application_token: Secret::new("MARKERappltoken"),
        scope: "imbot,im".to_owned(),
    };
    let owner = BotSeed {
        owner: Owner::App(app),
        ..BotSeed::webhook(APP_BOT, "app", "-")
    };
    Far::with(PortalConfig {
        on_demand: true,
        burst: 1000,
        rate: 500,
        webhook_code: Secret::new("MARKERwebhookcode"),
        bots: vec![BotSeed::webhook(ECHO, "echo", "MARKERbottoken"), owner],
        ..PortalConfig::new(Clock::system())
    })
}

fn configuration(far: &Far) -> String {
    let table = far.table().replace(crate::server::TOKEN, "MARKERbottoken");
    let table = table.replacen("endpoint", "application_token = \"MARKERappltoken\"\nendpoint", 1);
    format!("admin.token = \"MARKERadmintoken\"\n{table}[[portal.bot]]\nid = {APP_BOT}\nhandler = \"echo\"\n")
}

/// Tokens at several depths and in several spellings, beside those that the portal itself writes.
fn planted(body: Vec<u8>) -> Vec<u8> {
    let more = b"&auth%5Brefresh_token%5D=MARKERuserrefresh&auth[access_token]=MARKERuseraccess\
        &data%5Bbot%5D%5Bauth%5D%5Brefresh_token%5D=MARKEReventrefresh\
        &data%5Bmessage%5D%5Bparams%5D%5Bdeep%5D%5B0%5D%5Bclient_secret%5D=MARKERdeepsecret\
        &data[context][deeper][deepest][refreshToken]=MARKERdeepsecret";
    [body, more.to_vec()].concat()
}

/// A message with markers in every credential; an application's events carry tokens of the portal's own making.
fn message(far: &Far, bot: i64, id: i64) -> Vec<u8> {
    let text = format!("{TEXT} number {id}");
    let body = far.portal.message_event(bot, 7, id, &text).expect("the bot is there");
    // A second top-level token would be a conflict.
    if bot == APP_BOT { body } else { planted(body) }
}

fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    crate::support::replaced(&String::from_utf8_lossy(body), from, to).into_bytes()
}

/// Posts a form whose end is known; no answer may repeat a secret.
fn expect(server: &Server, body: &[u8], status: u16, outcome: Option<&str>) {
    let reply = server.post(body);
    assert_eq!((reply.status, reply.outcome()), (status, outcome), "{reply:?}");
    let shown = reply.head.contains("MARKER") || reply.body.contains("MARKER");
    assert!(!shown, "{reply:?}");
}

/// Everything that logs or stores: handled, refused, quarantined, repeated, dead.
fn provoke(far: &Far, server: &Server) {
    let ordinary = message(far, ECHO, 10);
    expect(server, &ordinary, 200, Some("accepted"));
    expect(server, &ordinary, 200, Some("duplicate"));
    expect(server, &message(far, APP_BOT, 11), 200, Some("accepted"));
    for bot in [ECHO, APP_BOT] {
        let unusable = replaced(&message(far, bot, 777_713), "=777713", "=77771x");
        expect(server, &unusable, 200, Some("quarantined"));
    }
    provoke_refusals(far, server);
    server.settled();
    let send = Some("imbot.v2.Chat.Message.send");
    far.portal.answer_error(send, 400, "ACCESS_DENIED", 2);
    expect(server, &message(far, ECHO, 15), 200, Some("accepted"));
    expect(server, &message(far, APP_BOT, 16), 200, Some("accepted"));
    server.settled();
    far.portal.answer_error(send, 500, "INTERNAL_SERVER_ERROR", 1);
    far.portal.execute_then_reset(send, 1);
    expect(server, &message(far, ECHO, 17), 200, Some("accepted"));
    expect(server, &message(far, APP_BOT, 18), 200, Some("accepted"));
    server.settled();
}

fn provoke_refusals(far: &Far, server: &Server) {
    let forged = replaced(&message(far, ECHO, 12), "customMARKERbottoken", "customMARKERforged");
    expect(server, &forged, 403, None);
    let list = b"event=%5BMARKERforged&auth[application_token][]=MARKERforged";
    expect(server, list, 403, None);
    let json = br#"{"event":"ONIMBOTV2MESSAGEADD","auth":{"application_token":"MARKERforged""#;
    assert_eq!(server.post_as("application/json", json).status, 400);
    assert_eq!(server.post_as("text/MARKERforged", b"MARKERforged").status, 415);
    for (path, status) in [("/webhook?token=MARKERargument", 200), ("/MARKERargument", 404)] {
        assert_eq!(link::get(server.public, path).expect("an answer").status, status);
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("a readable file")));
        }
    }
    found
}

fn contains(bytes: &[u8], marker: &str) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
}

/// Where which marker was found.
fn search(places: &[(String, Vec<u8>)], markers: &[&str]) -> Vec<String> {
    let found = |(place, bytes): &(String, Vec<u8>)| {
        let markers = markers.iter().filter(|marker| contains(bytes, marker));
        markers.map(|marker| format!("{marker} in {place}")).collect::<Vec<_>>()
    };
    places.iter().flat_map(found).collect()
}

/// Texts with what they are called.
type Named = Vec<(String, Vec<u8>)>;

/// What the commands and pages print; the bodies of letters are asked for by `show` alone.
fn printed(server: &Server) -> (Named, Named) {
    let page = |path: &str| {
        (
            path.to_owned(),
            link::get(server.admin, path).expect("an answer").body.into_bytes(),
        )
    };
    let command = |arguments: &[&str]| {
        let output = server.command(arguments);
        assert!(output.status.success(), "{output:?}");
        (arguments.join(" "), [output.stdout, output.stderr].concat())
    };
    let quiet = vec![
        page("/metrics"),
        page("/readyz"),
        page("/api/v1/dead-letters"),
        command(&["config", "check"]),
        command(&["dead-letters", "list"]),
        command(&["dead-letters", "list", "--json"]),
        command(&["health"]),
    ];
    let letters = ["events", "calls", "unknown", "quarantine"]
        .map(|queue| server.letters(queue))
        .concat();
    assert!(letters.len() >= 4, "two calls and two unusable events: {letters:?}");
    let shown = letters.iter().flat_map(|letter| {
        let id = letter["id"].to_string();
        [
            command(&["dead-letters", "show", &id]),
            command(&["dead-letters", "show", &id, "--json"]),
        ]
    });
    (quiet, shown.collect())
}

fn leaks_nothing(format: &str, level: &str) {
    let far = portal();
    let mut server = Server::new(&configuration(&far));
    server.set("IMBOT_LOG", level);
    server.set("IMBOT_LOG_FORMAT", format);
    server.start();
    provoke(&far, &server);
    let (quiet, shown) = printed(&server);
    let running = files(&server.store());
    assert_eq!(server.terminate().code(), Some(0));
    let stopped = files(&server.store());
    let said = ("the server's output".to_owned(), server.said().into_bytes());
    assert!(contains(&said.1, "accepted"), "it logs: {}", server.said());

    let made = tokens(&String::from_utf8_lossy(&message(&far, APP_BOT, 11)));
    let secrets: Vec<&str> = MARKERS.into_iter().chain(made.iter().map(String::as_str)).collect();
    let everything = [quiet.clone(), shown, running, stopped.clone(), vec![said.clone()]].concat();
    let mut found = search(&everything, &secrets);
    found.extend(search(&quiet, &[TEXT]));
    if level == "info" {
        found.extend(search(&[said], &[TEXT]));
    }
    found.sort();
    found.dedup();
    assert!(
        found.is_empty(),
        "{format} at {level}:\n{}\n{}",
        found.join("\n"),
        server.said()
    );
    // The search works: it finds the text in the store, where it belongs, and what was planted in what was posted.
    assert!(!search(&stopped, &[TEXT]).is_empty(), "the store holds the bodies");
    planted_secrets_are_found(&far, &server, &secrets);
}

/// The control: the same search over a file with what was posted and configured.
fn planted_secrets_are_found(far: &Far, server: &Server, secrets: &[&str]) {
    let control = server.folder().join("control");
    fs::create_dir(&control).expect("a folder");
    let bodies = [
        message(far, ECHO, 10),
        message(far, APP_BOT, 11),
        configuration(far).into_bytes(),
    ];
    let requests = b"MARKERforged MARKERargument".to_vec();
    fs::write(control.join("posted"), [bodies.concat(), requests].concat()).expect("a file");
    assert_eq!(search(&files(&control), secrets).len(), secrets.len());
}

#[test]
fn no_secret_is_in_a_json_log_at_debug_or_anywhere_else() {
    leaks_nothing("json", "debug");
}

#[test]
fn no_secret_is_in_a_pretty_log_at_debug_or_anywhere_else() {
    leaks_nothing("pretty", "debug");
}

#[test]
fn no_secret_and_no_text_is_in_a_log_at_info() {
    leaks_nothing("json", "info");
    leaks_nothing("pretty", "info");
}

/// A portal whose bot belongs to an application that must be installed.
fn installable() -> Far {
    let bot = BotSeed::app(ECHO, "echo", "local.desk", "MARKERownbottoken", "MARKERappltoken");
    Far::with(PortalConfig {
        on_demand: true,
        tells_address: true,
        authorisation: Some(([127, 0, 0, 1], 0).into()),
        bots: vec![bot],
        ..PortalConfig::new(Clock::system())
    })
}

fn applied(far: &Far) -> String {
    let secret = far
        .portal
        .client_secret("local.desk")
        .expect("the application is there");
    let server = far
        .portal
        .authorisation_address()
        .expect("it has an address of its own");
    format!(
        "admin.token = \"MARKERadmintoken\"\nstore.key = \"{}\"\n[[app]]\nname = \"desk\"\nclient_id = \"local.desk\"\n\
         client_secret = \"{}\"\nallow_insecure = true\nauth_servers = [\"http://{server}\"]\n\
         [[app.bot]]\ncode = \"echo\"\nhandler = \"echo\"\n",
        "5a".repeat(32),
        secret.expose()
    )
}

/// What a command prints, once that contains `awaited`.
fn told(server: &Server, arguments: &[&str], awaited: &str) -> String {
    let mut said = String::new();
    for _ in 0..200 {
        let output = server.command(arguments);
        said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if said.contains(awaited) {
            return said;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{arguments:?} never said {awaited}: {said}\n{}", server.said());
}

#[test]
fn no_token_of_an_installation_is_in_a_log_at_debug_or_anywhere_else() {
    let far = installable();
    let mut server = Server::new(&applied(&far));
    server.set("IMBOT_LOG", "debug");
    server.set("IMBOT_LOG_FORMAT", "json");
    server.start();
    let url = format!("http://{}/webhook", server.public);
    far.portal.set_webhook_url(ECHO, &url).expect("the bot is there");
    far.wait(far.portal.install(ECHO)).expect("the application is there");
    let mut printed = vec![told(&server, &["portals", "list"], "waiting")];
    printed.push(told(
        &server,
        &["portals", "accept", "de30", "--name", "acme"],
        "acme is served",
    ));
    expect(&server, &far.body(7, 10, "first"), 200, Some("accepted"));
    server.settled();
    far.portal.apply(&imbot::portal::Deed::ExpireTokens);
    expect(&server, &far.body(7, 11, "second"), 200, Some("accepted"));
    server.settled();
    assert_eq!(far.heard(7), ["first", "second"]);
    assert!(
        far.portal.log().iter().any(|entry| entry.method == "oauth.token"),
        "it was renewed"
    );
    let forged = b"event=ONAPPINSTALL&auth[access_token]=MARKERforged&auth[refresh_token]=MARKERforged\
        &auth[application_token]=MARKERforged&auth[member_id]=de300de300de300de300de300de300de";
    // One a second from one source: the real installation may have just been here.
    let knocked = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.post(forged).status == 200
    });
    assert!(knocked, "{}", server.said());
    far.wait(far.portal.uninstall(ECHO)).expect("the application is there");
    printed.push(told(&server, &["portals", "list", "--json"], "uninstalled"));
    printed.push(told(&server, &["config", "check"], "answers through the application"));
    printed.push(link::get(server.admin, "/metrics").expect("an answer").body);
    let running = files(&server.store());
    assert_eq!(server.terminate().code(), Some(0));
    printed.push(told(&server, &["portals", "list"], "parked"));
    printed.push(told(&server, &["portals", "forget", "acme"], "acme is forgotten"));
    printed.push(told(&server, &["portals", "list"], "no portal"));
    let said = ("the server's output".to_owned(), server.said().into_bytes());
    assert!(contains(&said.1, "a portal is installed"), "it logs: {}", server.said());

    let mut secrets = far.portal.live_tokens();
    assert!(secrets.len() >= 4, "access and refresh, before and after the renewal");
    let secret = far
        .portal
        .client_secret("local.desk")
        .expect("the application is there");
    secrets.extend(["MARKERappltoken", "MARKERforged", "MARKERadmintoken", secret.expose()].map(str::to_owned));
    secrets.push("5a".repeat(32));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let printed = printed
        .into_iter()
        .map(|text| ("a command or page".to_owned(), text.into_bytes()))
        .collect();
    let everything = [printed, running, files(&server.store()), vec![said]].concat();
    let found = search(&everything, &secrets);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
