//! `imbot doctor` as a process: each illness made for real (a real nginx, certificates by openssl, a full disk, an
//! emulated portal that disagrees), and exactly its finding. Also the door probe that the round trip is made of.

use crate::server::{ECHO, Far, Server, TOKEN};
use crate::support::{Mount, free_port, must, replaced, run, tool};
use imbot::portal::{Action, Aim, BotSeed, Knobs, PortalConfig, Rule, Shape};
use imbot::types::Clock;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const HOST: &str = "bots.example.com";
const OTHER: &str = "other.example.com";
const URL_KEY: &str = "[[portal.bot]] event_url";

/// Which certificate nginx shows.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Good,
    Expired,
}

/// A real nginx with TLS before a server. Ends with its test.
struct Front {
    folder: TempDir,
    binary: PathBuf,
    process: Child,
    port: u16,
}

impl Front {
    /// `inside`: the `server` block beside listener and certificate.
    fn start(shown: Shown, inside: &str) -> Option<Self> {
        let (binary, openssl) = (tool("nginx")?, tool("openssl")?);
        let folder = tempfile::tempdir().expect("a folder");
        certificates(&openssl, folder.path(), shown);
        let port = free_port();
        let config = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\nevents {{}}\nhttp {{\n\
             access_log off; client_max_body_size 1m; client_body_buffer_size 1m;\n\
             client_body_temp_path temporary; proxy_temp_path temporary; fastcgi_temp_path temporary;\n\
             uwsgi_temp_path temporary; scgi_temp_path temporary;\n\
             server {{\nlisten 127.0.0.1:{port} ssl;\nssl_certificate leaf.pem; ssl_certificate_key leaf.key;\n{inside}\n}}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("a configuration");
        let process = Command::new(&binary)
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let front = Self {
            folder,
            binary,
            process,
            port,
        };
        for _ in 0..500 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(front);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(front.folder.path().join("error.log"));
        panic!("nginx does not listen: {said:?}");
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/webhook", self.port)
    }

    /// What doctor needs to come here.
    fn way(&self) -> Vec<String> {
        let ca = self.folder.path().join("ca.pem").display().to_string();
        let mut way = vec!["--ca".to_owned(), ca];
        for host in [HOST, OTHER] {
            way.extend(["--resolve".to_owned(), format!("{host}:{}:127.0.0.1", self.port)]);
        }
        way
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Asked to stop, it takes its workers along.
        run(Command::new(&self.binary)
            .arg("-p")
            .arg(self.folder.path())
            .args(["-c", "nginx.conf", "-s", "stop"]));
        drop(self.process.wait());
    }
}

/// A root and what it has signed for `HOST`.
fn certificates(openssl: &Path, folder: &Path, shown: Shown) {
    fs::write(
        folder.join("ca.conf"),
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
         policy=any\nx509_extensions=leaf\nunique_subject=no\n[any]\ncommonName=supplied\n\
         [leaf]\nbasicConstraints=CA:FALSE\nsubjectAltName=DNS:bots.example.com\n",
    )
    .expect("a configuration");
    fs::write(folder.join("index.txt"), "").expect("an index");
    fs::write(folder.join("serial"), "01").expect("a serial");
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let call = |arguments: &[&str]| must(Command::new(openssl).current_dir(folder).args(arguments));
    call(
        &[
            &["req", "-x509"][..],
            &ec,
            &[
                "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=root",
            ],
        ]
        .concat(),
    );
    call(
        &[
            &["req", "-new"][..],
            &ec,
            &["-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf"],
        ]
        .concat(),
    );
    let time: &[&str] = match shown {
        Shown::Good => &["-days", "20"],
        Shown::Expired => &["-startdate", "20240101000000Z", "-enddate", "20240201000000Z"],
    };
    let sign = [
        "ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", "leaf.csr", "-notext",
    ];
    call(&[&sign[..], time, &["-out", "leaf.pem"]].concat());
}

/// A portal, and a server with this `event_url`; `change` may edit the `[[portal]]` table. Nothing runs yet.
fn server(far: &Far, url: &str, change: impl FnOnce(String) -> String) -> Server {
    let table = format!("{}code = \"echo\"\nevent_url = \"{url}\"\n", far.table());
    Server::new(&change(table))
}

fn passing(server: &Server) -> String {
    format!("location = /webhook {{ proxy_pass http://{}; }}", server.public)
}

/// nginx before `server`, whose configuration gets the address then known.
fn fronted(server: &mut Server, shown: Shown, host: &str, inside: &str) -> Option<Front> {
    let front = Front::start(shown, inside)?;
    let text = fs::read_to_string(server.config()).expect("a configuration");
    fs::write(server.config(), replaced(&text, "URL", &front.url(host))).expect("a configuration");
    server.start();
    Some(front)
}

fn doctor(server: &Server, more: &[String]) -> Output {
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    server.command(&[&["doctor", "--json"][..], &more].concat())
}

fn findings(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    report["findings"].as_array().expect("findings").clone()
}

/// Exactly this finding, with the key to change and these words; exit code 1.
fn finds(output: &Output, finding: &str, change: &str, words: &str) {
    let found = findings(output);
    let named: Vec<_> = found
        .iter()
        .map(|found| found["finding"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        named,
        [finding],
        "{found:#?}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let told = |name: &str| found[0][name].as_str().unwrap_or_default().to_owned();
    assert!(told("change").contains(change), "{found:#?}");
    assert!(told("detail").contains(words), "{found:#?}");
    assert!(!told("means").is_empty() && !told("do").is_empty(), "{found:#?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

fn finds_nothing(output: &Output) {
    assert_eq!(findings(output), Vec::<Value>::new(), "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// One illness on the way: what nginx does, and what doctor says.
fn on_the_way(shown: Shown, host: &str, inside: impl FnOnce(&Server) -> String, expected: (&str, &str, &str)) {
    let far = Far::start(100);
    let mut server = server(&far, "URL", |table| table);
    let inside = inside(&server);
    let Some(front) = fronted(&mut server, shown, host, &inside) else {
        return;
    };
    let (finding, change, words) = expected;
    finds(&doctor(&server, &front.way()), finding, change, words);
}

/// One disagreement with the portal; the way is fine.
fn at_the_portal(far: &Far, change: impl FnOnce(String) -> String, expected: (&str, &str, &str)) {
    let mut server = server(far, "URL", change);
    let inside = passing(&server);
    let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
        return;
    };
    let (finding, change, words) = expected;
    finds(&doctor(&server, &front.way()), finding, change, words);
}

#[test]
fn a_healthy_set_up_gives_no_finding() {
    let far = Far::start(100);
    let mut server = server(&far, "URL", |table| table);
    let inside = passing(&server);
    let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
        return;
    };
    let output = doctor(&server, &front.way());
    finds_nothing(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["state"] == "ok"), "{report:#}");
    assert_eq!(
        checks.len(),
        6,
        "store, room, round trip, portal, clock, bot: {report:#}"
    );
    assert_eq!(
        server.metric("imbot_webhook_requests_total{outcome=\"ignored\",reason=\"probe\""),
        2.0
    );
    assert_eq!(server.metric("imbot_inbox_pending"), 0.0);
    // For people.
    let way = front.way();
    let way: Vec<&str> = way.iter().map(String::as_str).collect();
    let shown = server.command(&[&["doctor"][..], &way].concat());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("round trip") && shown.ends_with("nothing found\n"),
        "{shown}"
    );
    assert!(!shown.contains(TOKEN));
    // Without a server the rest is still checked.
    server.terminate();
    let output = doctor(&server, &front.way());
    finds_nothing(&output);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("no server is running"),
        "{output:?}"
    );
}

#[test]
fn a_name_without_address() {
    let far = Far::start(100);
    let mut server = server(&far, "https://bots.imbot-doctor.invalid/webhook", |table| table);
    server.start();
    finds(
        &doctor(&server, &[]),
        "no_address",
        URL_KEY,
        "bots.imbot-doctor.invalid has no address",
    );
}

#[test]
fn an_address_at_which_nobody_listens() {
    let far = Far::start(100);
    let mut server = server(&far, &format!("https://127.0.0.1:{}/webhook", free_port()), |table| {
        table
    });
    server.start();
    finds(&doctor(&server, &[]), "nobody_listens", URL_KEY, "no connection");
}

#[test]
fn an_expired_certificate() {
    on_the_way(
        Shown::Expired,
        HOST,
        passing,
        ("certificate_expired", "ssl_certificate", "expired"),
    );
}

#[test]
fn a_certificate_for_another_name() {
    on_the_way(Shown::Good, OTHER, passing, ("certificate_other_name", URL_KEY, OTHER));
}

#[test]
fn a_certificate_that_nobody_trusts() {
    let far = Far::start(100);
    let mut server = server(&far, "URL", |table| table);
    let inside = passing(&server);
    let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
        return;
    };
    // Without --ca.
    finds(
        &doctor(&server, &front.way()[2..]),
        "certificate_untrusted",
        "ssl_certificate",
        HOST,
    );
}

#[test]
fn a_proxy_that_answers_200_by_itself() {
    let inside = |_: &Server| "location / { return 200 'fine'; }".to_owned();
    on_the_way(
        Shown::Good,
        HOST,
        inside,
        ("answered_by_other", "[server] path", "HTTP 200"),
    );
}

#[test]
fn a_proxy_that_refuses_bodies_over_64_kib() {
    let inside = |server: &Server| format!("client_max_body_size 64k;\n{}", passing(server));
    on_the_way(
        Shown::Good,
        HOST,
        inside,
        ("large_body_lost", "client_max_body_size", "HTTP 413"),
    );
}

#[test]
fn a_proxy_that_drops_bodies_over_64_kib() {
    let inside = |server: &Server| {
        let to = server.public;
        format!(
            "location = /webhook {{ if ($content_length ~ '^[0-9]{{5,}}$') {{ rewrite ^ /dropped last; }} proxy_pass http://{to}; }}\n\
             location = /dropped {{ internal; proxy_pass_request_body off; proxy_set_header Content-Length ''; \
             proxy_pass http://{to}/webhook; }}"
        )
    };
    on_the_way(
        Shown::Good,
        HOST,
        inside,
        ("large_body_lost", "max_body_bytes", "imbot says empty"),
    );
}

#[test]
fn a_redirect() {
    let inside = |_: &Server| "location / { return 301 https://bots.example.com/elsewhere; }".to_owned();
    on_the_way(
        Shown::Good,
        HOST,
        inside,
        ("redirected", URL_KEY, "https://bots.example.com/elsewhere"),
    );
}

#[test]
fn a_proxy_without_a_server_behind_it() {
    let inside = |_: &Server| format!("location / {{ proxy_pass http://127.0.0.1:{}; }}", free_port());
    on_the_way(
        Shown::Good,
        HOST,
        inside,
        ("refused_on_the_way", "[server] listen", "HTTP 502"),
    );
}

#[test]
fn another_server_at_the_address() {
    let far = Far::start(100);
    let other = Server::beside(&far);
    let inside = |_: &Server| format!("location / {{ proxy_pass http://{}; }}", other.public);
    on_the_way(Shown::Good, HOST, inside, ("other_server", "[server] listen", "nonce"));
}

#[test]
fn a_wrong_bot_token() {
    let change = |table: String| replaced(&table, TOKEN, "a-token-that-nobody-has");
    let expected = ("bot_token_wrong", "[[portal.bot]] bot_token", "101");
    at_the_portal(&Far::start(100), change, expected);
}

/// A portal beside the usual one, in some respects.
fn portal(config: PortalConfig) -> Far {
    Far::with(PortalConfig {
        burst: 100,
        rate: 50,
        ..config
    })
}

fn usual() -> PortalConfig {
    PortalConfig {
        on_demand: true,
        bots: vec![BotSeed::webhook(ECHO, "echo", TOKEN)],
        ..PortalConfig::new(Clock::system())
    }
}

#[test]
fn the_number_of_another_bot() {
    let bots = vec![
        BotSeed::webhook(ECHO, "echo", TOKEN),
        BotSeed::webhook(102, "other", "token-of-the-other-bot"),
    ];
    let far = portal(PortalConfig { bots, ..usual() });
    let change = |table: String| replaced(&table, "id = 101", "id = 102");
    at_the_portal(&far, change, ("bot_id_foreign", "[[portal.bot]] id", "101 echo"));
}

#[test]
fn the_number_of_another_bot_of_the_same_token() {
    let bots = vec![
        BotSeed::webhook(ECHO, "echo", TOKEN),
        BotSeed::webhook(102, "second", TOKEN),
    ];
    let far = portal(PortalConfig { bots, ..usual() });
    let change = |table: String| replaced(&table, "id = 101", "id = 102");
    at_the_portal(
        &far,
        change,
        ("bot_id_foreign", "[[portal.bot]] id", "has the code second"),
    );
}

#[test]
fn a_bot_that_is_not_there() {
    let change = |table: String| replaced(&table, "id = 101", "id = 999");
    at_the_portal(
        &Far::start(100),
        change,
        ("bot_missing", "[[portal.bot]] id", "BOT_NOT_FOUND"),
    );
}

#[test]
fn another_event_mode() {
    let bots = vec![BotSeed::webhook(ECHO, "echo", TOKEN).fetching()];
    let far = portal(PortalConfig { bots, ..usual() });
    at_the_portal(
        &far,
        |table| table,
        (
            "event_mode_differs",
            "[[portal.bot]] event_mode",
            "the portal has fetch",
        ),
    );
}

#[test]
fn a_right_that_is_missing() {
    let far = portal(PortalConfig {
        webhook_scope: "im".to_owned(),
        ..usual()
    });
    at_the_portal(
        &far,
        |table| table,
        (
            "scope_missing",
            "the rights of [[portal]] incoming_webhook",
            "insufficient_scope",
        ),
    );
}

#[test]
fn a_clock_ten_minutes_off() {
    let ahead = Clock::manual(Clock::system().now() + Duration::from_secs(600));
    let far = portal(PortalConfig {
        clock: ahead,
        ticking: true,
        ..usual()
    });
    at_the_portal(
        &far,
        |table| table,
        ("clock_off", "the clock of this machine", "s behind the portal"),
    );
}

#[test]
fn a_portal_that_does_not_answer() {
    let far = Far::start(100);
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let here = far.portal.endpoint();
    let here = here.trim_end_matches("/rest/").to_owned();
    let change = |table: String| replaced(&table, &here, &nowhere);
    at_the_portal(&far, change, ("portal_unreachable", "[[portal]] domain", "connect"));
}

const OLD_URL: &str = "https://old.example.com/webhook?key=verysecret";
const NEW_URL: &str = "https://bots.imbot-doctor.invalid/webhook?key=verysecret";

/// A portal on which the application `local.desk` has two bots whose events go to `url`, and a server that it is installed
/// for: listed in the configuration with its bots (and these lines), or known by its installation alone.
fn application(url: &str, listed: Option<fn(&Far) -> String>) -> (Far, Server) {
    let bot = |id, code| BotSeed::app(id, code, "local.desk", "own-token", "application-token").hooked(url);
    let far = portal(PortalConfig {
        tells_address: true,
        authorisation: Some(([127, 0, 0, 1], 0).into()),
        bots: vec![bot(ECHO, "echo"), bot(102, "second")],
        ..usual()
    });
    let secret = far.portal.client_secret("local.desk").expect("it is there");
    let proof = far.portal.authorisation_address().expect("it listens");
    let bots = |table: &str| {
        let bot = |(id, code)| {
            format!("[[{table}.bot]]\nid = {id}\ncode = \"{code}\"\nhandler = \"echo\"\nevent_url = \"{NEW_URL}\"\n")
        };
        [(ECHO, "echo"), (102, "second")].map(bot).concat()
    };
    let mut text = format!(
        "store.key = \"{}\"\n[[app]]\nname = \"desk\"\nclient_id = \"local.desk\"\nclient_secret = \"{}\"\ninstall = \"open\"\n\
         allow_insecure = true\nauth_servers = [\"http://{proof}\"]\n{}",
        "5a".repeat(32),
        secret.expose(),
        bots("app"),
    );
    if let Some(more) = listed {
        let plain = usual();
        text = format!(
            "{text}[[portal]]\nname = \"demo\"\ndomain = \"{}\"\nmember_id = \"{}\"\nendpoint = \"{}\"\n\
             allow_insecure = true\napp = \"desk\"\n{}{}",
            plain.host,
            plain.member_id,
            far.portal.endpoint(),
            more(&far),
            bots("portal")
        );
    }
    let mut server = Server::new(&text);
    server.start();
    let door = format!("http://{}/webhook", server.public);
    far.portal.set_webhook_url(ECHO, &door).expect("the bot is there");
    far.wait(far.portal.install(ECHO)).expect("the application is there");
    far.portal.set_webhook_url(ECHO, url).expect("the bot is there");
    let live = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let list = server.command(&["portals", "list", "--json"]);
        String::from_utf8_lossy(&list.stdout).contains("\"live\"")
    });
    assert!(live, "{}", server.said());
    (far, server)
}

/// Tells the portal where the events of a bot go from now on.
fn moves(far: &Far, bot: i64) {
    let (access, _) = far.portal.tokens("local.desk", 1).expect("it is installed");
    let params = json!({ "auth": access.expose(), "botId": bot, "fields": { "webhookUrl": NEW_URL } });
    let url = format!("{}imbot.v2.Bot.update", far.portal.endpoint());
    let asked = crate::door::client().post(url).json(&params).send();
    assert_eq!(far.wait(asked).expect("an answer").status(), 200);
}

/// The row about subscriptions: its finding (empty: none) and what it says.
fn subscriptions(server: &Server) -> (String, String) {
    let output = doctor(server, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("old.example.com/webhook?key"), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let rows = report["checks"].as_array().expect("checks").iter();
    let rows: Vec<_> = rows.filter(|row| row["check"] == "subscriptions").collect();
    assert_eq!(rows.len(), 1, "{report:#}");
    let text = |name: &str| rows[0][name].as_str().unwrap_or_default().to_owned();
    (text("finding"), text("detail"))
}

#[test]
fn addresses_that_the_bots_of_an_application_have_left() {
    for listed in [true, false] {
        let alone: fn(&Far) -> String = |_| String::new();
        let (far, server) = application(OLD_URL, listed.then_some(alone));
        for bot in [ECHO, 102] {
            moves(&far, bot);
        }
        let (finding, detail) = subscriptions(&server);
        assert_eq!(finding, "subscription_stale", "{detail}");
        assert_eq!(detail, "8 to https://old.example.com/webhook?…");
        // Once the rows are gone, so is the finding.
        let name = if listed { "demo" } else { "de300de3" };
        let (access, _) = far.portal.tokens("local.desk", 1).expect("it is installed");
        let url = format!("{}event.get?auth={}", far.portal.endpoint(), access.expose());
        let rows: Value = far.wait(async {
            crate::door::client()
                .get(url)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap()
        });
        for row in rows["result"]
            .as_array()
            .expect("rows")
            .iter()
            .filter(|row| row["handler"] == OLD_URL)
        {
            let params = json!({ "event": row["event"], "handler": row["handler"] }).to_string();
            let output = server.command(&["call", "event.unbind", &params, "--portal", name]);
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(
            subscriptions(&server),
            (String::new(), "none to another address".to_owned())
        );
    }
}

#[test]
fn an_application_whose_bots_never_moved_has_no_stale_address() {
    // A webhook beside it has no subscriptions to tell of.
    let with_webhook: fn(&Far) -> String = |far| format!("incoming_webhook = \"{}\"\n", far.portal.incoming_webhook());
    let (_far, server) = application(NEW_URL, Some(with_webhook));
    assert_eq!(
        subscriptions(&server),
        (String::new(), "none to another address".to_owned())
    );
}

/// A server that has run, and stopped, on a store with a file system of its own.
fn ill_disk(make: impl FnOnce(&Path), expected: (&str, &str, &str)) {
    let far = Far::start(100);
    let mut server = server(&far, "https://bots.imbot-doctor.invalid/webhook", |table| table);
    let Some(_mount) = Mount::at(&server.store(), "64m") else {
        return;
    };
    server.start();
    server.terminate();
    make(&server.store());
    let (finding, change, words) = expected;
    finds(&doctor(&server, &[]), finding, change, words);
}

#[test]
fn a_full_disk() {
    let fill = |folder: &Path| {
        let mut file = fs::File::create(folder.join("other")).expect("a file");
        while file.write_all(&[0x55; 4096]).is_ok() {}
    };
    ill_disk(fill, ("disk_full", "[store] path", "No space left"));
}

#[test]
fn a_disk_that_is_read_only() {
    let lock = |folder: &Path| {
        must(Command::new("mount").args(["-o", "remount,ro"]).arg(folder));
    };
    ill_disk(lock, ("store_read_only", "[store] path", "Read-only file system"));
}

#[test]
fn a_store_at_its_own_limit() {
    let far = Far::start(100);
    let mut server = server(&far, "URL", |table| table);
    let inside = passing(&server);
    let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
        return;
    };
    let text = fs::read_to_string(server.config()).expect("a configuration");
    fs::write(server.config(), format!("store.max_bytes = \"1KiB\"\n{text}")).expect("a configuration");
    finds(
        &doctor(&server, &front.way()),
        "store_full",
        "[store] max_bytes",
        "of 0 MiB used",
    );
}

#[test]
fn live_proves_that_a_repeat_is_shown_once() {
    for (ignore_template, expected) in [(false, None), (true, Some("template_ignored"))] {
        let mut knobs = Knobs::default();
        knobs.ignore_template = ignore_template;
        let far = portal(PortalConfig { knobs, ..usual() });
        let mut server = server(&far, "URL", |table| table);
        let inside = passing(&server);
        let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
            return;
        };
        let mut live = front.way();
        live.extend(["--live", "--dialog", "7", "--wait", "60"].map(str::to_owned));
        let output = std::thread::scope(|scope| {
            let output = scope.spawn(|| doctor(&server, &live));
            // Somebody writes once the lines have been sent.
            for _ in 0..3000 {
                if !far.heard(7).is_empty() || output.is_finished() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let mut message = 700;
            while !output.is_finished() {
                message += 1;
                assert_eq!(server.post(&far.body(8, message, "here")).status, 200);
                std::thread::sleep(Duration::from_millis(300));
            }
            output.join().expect("it ends")
        });
        match expected {
            None => finds_nothing(&output),
            Some(finding) => finds(&output, finding, "the portal's own version", "and"),
        }
        let shown = far.heard(7).len();
        assert_eq!(shown, if ignore_template { 2 } else { 1 });
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("an event came") && said.contains("requests free"),
            "{said}"
        );
    }
}

/// The row `limits` of `doctor --live` at a portal like this, which imbot takes for one of this plan.
fn limits(config: PortalConfig, plan: &str, running: bool, ill: impl FnOnce(&Far)) -> (Far, Value) {
    let far = Far::with(PortalConfig { rate: 1, ..config });
    let table = far.table();
    let lines = table.lines().map(|line| match line.starts_with("plan = ") {
        true => format!("plan = {plan}\n"),
        false => format!("{line}\n"),
    });
    let mut server = Server::new(&lines.collect::<String>());
    server.start();
    if !running {
        server.terminate();
    }
    ill(&far);
    let live = ["--live", "--dialog", "7", "--wait", "1"].map(str::to_owned);
    let output = doctor(&server, &live);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let row = report["checks"].as_array().expect("checks").iter();
    let row = row.filter(|row| row["check"] == "limits").collect::<Vec<_>>();
    assert_eq!(row.len(), 1, "{report:#}");
    (far, row[0].clone())
}

/// The row has this finding (empty: none) and says this.
fn tells(row: &Value, finding: &str, words: &[&str]) {
    assert_eq!(row["finding"].as_str().unwrap_or_default(), finding, "{row:#}");
    let state = if finding.is_empty() {
        "ok"
    } else {
        row["state"].as_str().unwrap_or_default()
    };
    assert_eq!(row["state"], state, "{row:#}");
    let detail = row["detail"].as_str().unwrap_or_default();
    for word in words {
        assert!(detail.contains(word), "{word} is not in: {detail}");
    }
}

#[test]
fn live_tells_with_which_status_the_portal_refuses_when_its_counter_is_full() {
    for (status, pause, words) in [
        (503, None, "HTTP 503 QUERY_LIMIT_EXCEEDED; imbot waited"),
        (
            429,
            Some(3),
            "HTTP 429 QUERY_LIMIT_EXCEEDED, Retry-After 3 s; imbot waited",
        ),
    ] {
        let mut knobs = Knobs::default();
        (knobs.limit_status, knobs.retry_after) = (status, pause);
        let burst = 50;
        let config = PortalConfig {
            burst,
            knobs,
            ..usual()
        };
        let (far, row) = limits(config, "{ burst = 50, rate = 1.0 }", true, |_| {});
        tells(&row, "", &["refused after ", words, "and went on"]);
        let log = far.portal.log();
        let refused = log.iter().filter(|entry| entry.status == Some(status)).count();
        assert!((1..=6).contains(&refused), "it does not hammer: {refused}");
        let last = log.last().expect("a request");
        assert_eq!(
            (last.method.as_str(), last.status),
            ("imbot.v2.Revision.get", Some(200))
        );
    }
}

#[test]
fn live_finds_a_portal_that_refuses_sooner_than_its_plan_allows() {
    let config = PortalConfig { burst: 20, ..usual() };
    // Without a server, too.
    let (_far, row) = limits(config, "{ burst = 50, rate = 2.0 }", false, |_| {});
    tells(
        &row,
        "limit_sooner",
        &["HTTP 503 QUERY_LIMIT_EXCEEDED", "of 50 at most", "and went on"],
    );
}

#[test]
fn live_finds_a_refusal_that_would_not_be_taken_for_a_limit() {
    let page = Rule {
        method: Some("imbot.v2.Revision.get".to_owned()),
        times: None,
        until: None,
        action: Action::Answer {
            status: 403,
            code: String::new(),
            shape: Shape::Html,
        },
    };
    let later = Aim {
        nth: Some(20),
        ..Aim::default()
    };
    let config = PortalConfig {
        burst: 1_000,
        ..usual()
    };
    let ill = |far: &Far| far.portal.fault_at(page, later);
    let (_far, row) = limits(config, "\"standard\"", true, ill);
    tells(&row, "limit_unreadable", &["HTTP 403 without JSON"]);
}

#[test]
fn live_says_that_a_portal_has_no_limit() {
    let config = PortalConfig {
        burst: 1_000,
        ..usual()
    };
    let (far, row) = limits(config, "\"standard\"", true, |_| {});
    tells(&row, "", &["no refusal: the portal has a larger plan"]);
    assert!(far.portal.log().iter().all(|entry| entry.status == Some(200)));
}

#[test]
fn a_portal_that_holds_another_address_is_found_by_waiting() {
    let far = Far::start(100);
    let mut server = server(&far, "URL", |table| table);
    let inside = passing(&server);
    let Some(front) = fronted(&mut server, Shown::Good, HOST, &inside) else {
        return;
    };
    let mut live = front.way();
    live.extend(["--live", "--dialog", "7", "--wait", "1"].map(str::to_owned));
    finds(
        &doctor(&server, &live),
        "event_not_received",
        URL_KEY,
        "no event within 1 s",
    );
}

#[test]
fn wrong_arguments_end_with_2() {
    let far = Far::start(100);
    let server = server(&far, "https://bots.example.com/webhook", |table| table);
    for (arguments, said) in [
        (&["--portal", "nobody"][..], "the configuration has: demo"),
        (&["--ca", "/nowhere.pem"], "/nowhere.pem"),
        (&["--resolve", "bots.example.com"], "HOST:PORT:ADDRESS"),
        (&["--live"], "--dialog"),
    ] {
        let output = server.command(&[&["doctor"][..], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
fn the_door_answers_a_nonce_once_and_stores_nothing() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    let token = fs::read_to_string(server.store().join("admin.token")).expect("the admin token");
    let http = crate::door::client();
    let issue = || {
        let asked = http
            .post(format!("http://{}/api/v1/probe", server.admin))
            .bearer_auth(token.trim());
        let answer: Value = far.wait(async { asked.send().await.unwrap().json().await.unwrap() });
        answer["nonce"].as_str().expect("a nonce").to_owned()
    };
    let without = http.post(format!("http://{}/api/v1/probe", server.admin));
    assert_eq!(far.wait(async { without.send().await.unwrap().status().as_u16() }), 401);
    let refused = |body: &str| {
        let reply = server.post(body.as_bytes());
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (403, "{\"error\":\"forbidden\"}"),
            "{body}"
        );
    };
    let nonce = issue();
    refused("event=IMBOTPROBE");
    refused(&format!("event=IMBOTPROBE&nonce={}", "0".repeat(64)));
    refused(&format!("event=ONIMBOTV2MESSAGEADD&nonce={nonce}"));
    let as_json = json!({ "event": "IMBOTPROBE", "nonce": nonce }).to_string();
    assert_eq!(server.post_as("application/json", as_json.as_bytes()).status, 403);
    let good = format!("event=IMBOTPROBE&nonce={nonce}");
    let reply = server.post(good.as_bytes());
    assert_eq!(reply.status, 200);
    let proof: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(proof["probe"].as_str().map(str::len), Some(64), "{proof}");
    assert!(!reply.body.contains(&nonce) && !reply.body.contains(token.trim()));
    refused(&good);
    assert_eq!(
        server.metric("imbot_webhook_requests_total{outcome=\"ignored\",reason=\"probe\""),
        1.0
    );
    assert_eq!(server.metric("imbot_webhook_requests_total{outcome=\"accepted\""), 0.0);
    let said = server.said();
    assert!(!said.contains(&nonce), "{said}");
}
