//! The captured bodies of tests/captures with what their manifests say, and the receiver they are meant for: portals and
//! bots of config.json, with emulated portals where the real ones would be.

use crate::server::{Far, Server};
use crate::support::{root, text};
use imbot::portal::{BotSeed, PortalConfig};
use imbot::types::{Clock, Secret};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// A captured body and its line in the manifest.
pub(crate) struct Capture {
    pub(crate) name: String,
    /// What to send it as; a body whose manifest says `-` is JSON by its first byte, or a form.
    pub(crate) content_type: String,
    /// The columns after the content type.
    pub(crate) columns: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// A folder of tests/captures.
pub(crate) fn folder(name: &str) -> PathBuf {
    root().join("tests/captures").join(name)
}

/// All bodies of `public` or `hostile`, in the order of the manifest.
pub(crate) fn captures(name: &str) -> Vec<Capture> {
    let manifest = text(&format!("tests/captures/{name}/MANIFEST.tsv"));
    let read = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        let mut next = || columns.next().expect("a column");
        let (file, declared) = (next(), next());
        let body = match file.as_str() {
            "x81_pairs_100000.form" => pairs_100000(),
            "x85_text_2mib.form" => text_2mib(),
            other => fs::read(folder(name).join(other)).expect("a body"),
        };
        let content_type = match declared.as_str() {
            "-" if body.starts_with(b"{") => "application/json",
            "-" => "application/x-www-form-urlencoded",
            other => other,
        };
        Capture {
            name: file,
            content_type: content_type.to_owned(),
            columns: columns.collect(),
            body,
        }
    };
    let found: Vec<_> = manifest.lines().skip(1).map(read).collect();
    assert!(found.len() >= 41, "{name} has only {} bodies", found.len());
    found
}

/// The `client_endpoint` of each hostile event that names one to lure us to (x51 to x73), with the `domain` beside it.
pub(crate) fn endpoints() -> Vec<(String, String)> {
    let told = |capture: Capture| {
        let pairs = url::form_urlencoded::parse(&capture.body).into_owned();
        let mut pairs: std::collections::HashMap<String, String> = pairs.collect();
        let mut take = |name| pairs.remove(name).expect("the event says so");
        (take("auth[client_endpoint]"), take("auth[domain]"))
    };
    let luring = captures("hostile")
        .into_iter()
        .filter(|capture| capture.name.contains("_ssrf_"));
    let told: Vec<_> = luring.map(told).collect();
    assert_eq!(told.len(), 12, "x51 to x73");
    told
}

/// The two bodies that are too large to keep; see the README of the captures.
fn pairs_100000() -> Vec<u8> {
    let pairs = (1..=100_000).map(|at| format!("&data[x][k{at}]={at}"));
    first().into_iter().chain(pairs.flat_map(String::into_bytes)).collect()
}

fn text_2mib() -> Vec<u8> {
    let body = String::from_utf8(first()).expect("plain text");
    body.replace("%5Btext%5D=Hello", &format!("%5Btext%5D={}", "A".repeat(2 << 20)))
        .into_bytes()
}

fn first() -> Vec<u8> {
    fs::read(folder("public").join("01_message_add_private.form")).expect("a body")
}

/// The portals of config.json, each emulated, and the configuration of a server for them.
pub(crate) struct Receiver {
    /// acme, beta, onprem.
    pub(crate) portals: Vec<Far>,
    pub(crate) config: String,
}

/// The access tokens that the captures carry for their bots.
const EVENT_TOKENS: [(i64, &str); 3] = [
    (
        456,
        "e18cf66a239ac6308b0b5388ef6f768d46a222eb8918ea9fd0d9731a37e04b17543a04",
    ),
    (
        470,
        "b1966f2b1eb1ed83fee1c5123eda410f93048e9abf67d3bd72c5356a66aa81020e8c7f",
    ),
    (
        511,
        "499808b09ee2c2ee6dcde6b4bbf06ff6732a46fcb7028a14886d3be81293dded18e5de",
    ),
];

impl Receiver {
    pub(crate) fn start() -> Self {
        let known: Value = serde_json::from_str(&text("tests/captures/config.json")).expect("JSON");
        let (mut portals, mut config) = (Vec::new(), String::new());
        for portal in known["portals"].as_array().expect("portals") {
            let bots = seeds(&known, portal);
            let far = Far::with(PortalConfig {
                host: word(&portal["domain"]),
                member_id: word(&portal["member_id"]),
                webhook_code: Secret::new("captureswebhook"),
                on_demand: true,
                burst: 1000,
                rate: 500,
                bots: bots.clone(),
                ..PortalConfig::new(Clock::system())
            });
            config.push_str(&table(portal, &known, &far, &bots));
            portals.push(far);
        }
        Self { portals, config }
    }

    /// A server for them on an empty store.
    pub(crate) fn server(&self) -> Server {
        let mut server = Server::new(&self.config);
        server.start();
        server
    }

    /// A message to a webhook bot of acme, which must be handled.
    pub(crate) fn ordinary(&self, message: i64) -> Vec<u8> {
        self.portals[0]
            .portal
            .message_event(461, 27, message, "still there?")
            .expect("bot 461")
    }
}

fn word(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// The bot token of a webhook bot; bots of applications have none.
fn bot_token(known: &Value, id: i64) -> Option<String> {
    let bots = known["webhook_bots"].as_array().expect("bots");
    bots.iter()
        .find(|bot| bot["bot_id"] == id)
        .map(|bot| word(&bot["bot_token"]))
}

fn seeds(known: &Value, portal: &Value) -> Vec<BotSeed> {
    let ids = known["bots"][word(&portal["key"])].as_array().expect("bots").iter();
    let seed = |id: i64| match bot_token(known, id) {
        Some(token) => BotSeed::webhook(id, &format!("bot{id}"), &token),
        None => {
            let token = EVENT_TOKENS.iter().find(|(bot, _)| *bot == id);
            let token = token.map_or_else(|| format!("tokenof{id}"), |(_, token)| (*token).to_owned());
            let client = "local.65a1b2c3d4e5f6.12345678";
            BotSeed::app(
                id,
                &format!("bot{id}"),
                client,
                &token,
                &word(&portal["application_token"]),
            )
        }
    };
    ids.map(|id| seed(id.as_i64().expect("a number"))).collect()
}

fn table(portal: &Value, known: &Value, far: &Far, bots: &[BotSeed]) -> String {
    let mut text = format!(
        "[[portal]]\nname = {}\ndomain = {}\nmember_id = {}\napplication_token = {}\nendpoint = \"{}\"\n\
         incoming_webhook = \"{}\"\nallow_insecure = true\nplan = {{ burst = 500, rate = 250.0 }}\n",
        portal["key"],
        portal["domain"],
        portal["member_id"],
        portal["application_token"],
        far.portal.endpoint(),
        far.portal.incoming_webhook(),
    );
    for bot in bots {
        let _ = write!(text, "[[portal.bot]]\nid = {}\nhandler = \"echo\"\n", bot.id);
        if let Some(token) = bot_token(known, bot.id) {
            let _ = writeln!(text, "bot_token = \"{token}\"");
        }
    }
    text
}
