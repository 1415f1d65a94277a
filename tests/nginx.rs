//! deploy/nginx.conf in a real nginx: what it passes, what it refuses, what it repeats, and that its logs hold no secret.

use crate::support::{free_port, must, replaced, run, text, tool};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The name in deploy/nginx.conf.
pub(crate) const HOST: &str = "bots.example.com";

/// A real nginx with the shipped configuration, on ports of its own. Ends with the test.
pub(crate) struct Nginx {
    folder: TempDir,
    binary: PathBuf,
    curl: PathBuf,
    process: Child,
    tls: u16,
    plain: u16,
    /// The site itself without TLS, which the shipped file does not have: for load.
    load: u16,
}

impl Nginx {
    /// Starts it in front of `upstream`; `None` where nginx, openssl or curl is missing, which has then been said.
    pub(crate) fn start(upstream: SocketAddr) -> Option<Self> {
        let (binary, openssl, curl) = (tool("nginx")?, tool("openssl")?, tool("curl")?);
        let folder = tempfile::tempdir().expect("a folder");
        certificate(&openssl, folder.path());
        let (tls, plain, load) = (free_port(), free_port(), free_port());
        let config = folder.path().join("nginx.conf");
        fs::write(&config, rendered(folder.path(), upstream, [tls, plain, load])).expect("a configuration");
        must(
            Command::new(&binary)
                .arg("-t")
                .arg("-p")
                .arg(folder.path())
                .arg("-c")
                .arg(&config),
        );
        let process = Command::new(&binary)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&config)
            .args(["-g", "daemon off;"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self {
            folder,
            binary,
            curl,
            process,
            tls,
            plain,
            load,
        };
        nginx.wait_until_it_listens();
        // Without its folder for temporary files nginx answers 500 to a body that does not fit its memory buffer.
        fs::remove_dir(nginx.folder.path().join("temporary")).expect("nginx made it, and it is empty");
        Some(nginx)
    }

    fn wait_until_it_listens(&self) {
        for _ in 0..500 {
            if [self.tls, self.plain, self.load]
                .iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx does not listen: {}", self.logs());
    }

    /// A curl that knows the certificate and where the names lead; prints the status alone, 000 without an answer.
    fn curl(&self) -> Command {
        let mut curl = Command::new(&self.curl);
        let to = |name: &str| format!("{name}:{}:127.0.0.1", self.tls);
        curl.args([
            "--silent",
            "--max-time",
            "60",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .arg("--cacert")
        .arg(self.folder.path().join("cert.pem"))
        .args([
            "--noproxy",
            "*",
            "--resolve",
            &to(HOST),
            "--resolve",
            &to("other.example.com"),
        ]);
        curl
    }

    /// Where load goes in.
    pub(crate) fn entrance(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.load))
    }

    fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.tls)
    }

    /// The status nginx answers to this body.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> String {
        let file = self.folder.path().join("body");
        fs::write(&file, body).expect("a body");
        let header = format!("Content-Type: {content_type}");
        let data = format!("@{}", file.display());
        // Expect: 100-continue would let nginx refuse a large body before it is sent; the sender does not use it.
        run(self
            .curl()
            .args(["--header", &header, "--header", "Expect:", "--data-binary", &data])
            .arg(self.url(path)))
        .1
    }

    /// Everything nginx has written to its logs so far.
    pub(crate) fn logs(&self) -> String {
        ["access.log", "error.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to stop, it takes its workers along; killed, it would leave them behind.
        let config = self.folder.path().join("nginx.conf");
        run(Command::new(&self.binary)
            .arg("-p")
            .arg(self.folder.path())
            .arg("-c")
            .arg(config)
            .args(["-s", "stop"]));
        drop(self.process.wait());
    }
}

pub(crate) fn certificate(openssl: &Path, folder: &Path) {
    must(
        Command::new(openssl)
            .current_dir(folder)
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
                "-subj",
                "/CN=bots.example.com",
            ])
            .args(["-addext", "subjectAltName=DNS:bots.example.com,DNS:other.example.com"]),
    );
}

/// The shipped file with test ports, paths and certificate; every other line is what runs in production.
fn rendered(folder: &Path, upstream: SocketAddr, [tls, plain, load]: [u16; 3]) -> String {
    let here = |name: &str| folder.join(name).display().to_string();
    let mut config = text("deploy/nginx.conf");
    for (from, to) in [
        ("pid /run/nginx.pid;", format!("pid {};", here("nginx.pid"))),
        ("/var/log/nginx/error.log", here("error.log")),
        ("/var/log/nginx/access.log", here("access.log")),
        ("/etc/letsencrypt/live/bots.example.com/fullchain.pem", here("cert.pem")),
        ("/etc/letsencrypt/live/bots.example.com/privkey.pem", here("key.pem")),
        (
            "server 127.0.0.1:8080 max_fails=0;",
            format!("server {upstream} max_fails=0;"),
        ),
        (
            "server_name bots.example.com;",
            format!("listen 127.0.0.1:{load};\nserver_name bots.example.com;"),
        ),
        ("listen 80 ", format!("listen 127.0.0.1:{plain} ")),
        ("listen 443 ", format!("listen 127.0.0.1:{tls} ")),
        // Only root may write where Debian's nginx keeps its temporary files.
        (
            "http {\n",
            format!(
                "http {{\nclient_body_temp_path {0};\nproxy_temp_path {0};\nfastcgi_temp_path {0};\nuwsgi_temp_path {0};\nscgi_temp_path {0};\n",
                here("temporary")
            ),
        ),
    ] {
        config = replaced(&config, from, &to);
    }
    config
}

/// The values of all `…token` fields of a form or JSON body.
pub(crate) fn tokens(body: &str) -> Vec<String> {
    let decoded = body.replace("%5B", "[").replace("%5D", "]");
    let form = decoded
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| key.contains("token"));
    let form = form.map(|(_, value)| value.to_owned());
    let json = body
        .split("token\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned);
    form.chain(json).filter(|token| token.len() > 8).collect()
}

/// Real nginx before a real server: every event is answered 200, no token of any event is in the logs.
/// `events` are (content type, body). Where it cannot run it has said so.
pub(crate) fn passes_events_and_keeps_their_secrets(upstream: SocketAddr, events: &[(&str, &[u8])]) {
    let Some(nginx) = Nginx::start(upstream) else {
        return;
    };
    let mut secrets = Vec::new();
    for (content_type, body) in events {
        let text = String::from_utf8_lossy(body);
        assert_eq!(nginx.post("/webhook", content_type, body), "200", "{text}");
        secrets.extend(tokens(&text));
    }
    let logs = nginx.logs();
    assert_eq!(
        logs.lines().filter(|line| line.contains(" POST /webhook 200 ")).count(),
        events.len(),
        "{logs}"
    );
    assert!(!secrets.is_empty(), "the events carry tokens");
    for secret in secrets {
        assert!(!logs.contains(&secret), "a token of an event is in nginx's logs");
    }
}

/// A request as a stand-in server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A server that answers 200 to each request but the first `breaks`, where it hangs up instead.
pub(crate) fn stand_in(breaks: usize) -> (SocketAddr, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    (address, serve(listener, breaks))
}

/// The same on a socket of the caller's.
pub(crate) fn serve(listener: TcpListener, breaks: usize) -> Arc<Mutex<Vec<Seen>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).expect("a head") > 0 {}
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).expect("a body");
            let mut seen = record.lock().expect("no test failed here");
            seen.push(Seen { head, body });
            if seen.len() > breaks {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .expect("an answer");
            }
        }
    });
    seen
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const EVENT: &[u8] =
    b"event=ONIMBOTV2DELETE&data%5Bbot%5D%5Bid%5D=1&auth%5Bapplication_token%5D=customMARKER-in-the-body";

#[test]
fn every_event_passes_and_its_tokens_stay_out_of_the_logs() {
    let (address, seen) = stand_in(0);
    let json = br#"{"event":"ONIMBOTV2DELETE","auth":{"application_token":"MARKER-in-json"}}"#;
    passes_events_and_keeps_their_secrets(address, &[(FORM, EVENT), ("application/json", json)]);
    let bodies: Vec<Vec<u8>> = seen
        .lock()
        .expect("no test failed here")
        .drain(..)
        .map(|request| request.body)
        .collect();
    assert!(bodies.is_empty() || bodies == [EVENT, json], "{bodies:?}");
}

#[test]
fn events_pass_unchanged_and_no_secret_reaches_the_logs() {
    let (address, seen) = stand_in(0);
    let Some(nginx) = Nginx::start(address) else { return };
    assert_eq!(
        nginx.post("/webhook?CLIENT_ID=MARKER-in-the-arguments", FORM, EVENT),
        "200"
    );
    let largest = vec![b'x'; 1 << 20];
    assert_eq!(nginx.post("/webhook", FORM, &largest), "200");
    let seen = seen.lock().expect("no test failed here").clone();
    assert_eq!(seen[0].body, EVENT);
    assert_eq!(seen[1].body.len(), largest.len());
    assert!(
        seen[0].head.contains("X-Forwarded-For: 127.0.0.1\r\n"),
        "{}",
        seen[0].head
    );
    let logs = nginx.logs();
    assert_eq!(logs.matches(" POST /webhook 200 ").count(), 2, "{logs}");
    assert!(!logs.contains("MARKER"), "{logs}");
}

#[test]
fn a_forwarded_address_that_a_client_claims_is_overwritten() {
    let (address, seen) = stand_in(0);
    let Some(nginx) = Nginx::start(address) else { return };
    let (_, status) = run(nginx
        .curl()
        .args(["--header", "X-Forwarded-For: 203.0.113.9", "--data", "event=X"])
        .arg(nginx.url("/webhook")));
    assert_eq!(status, "200");
    let head = seen.lock().expect("no test failed here")[0].head.clone();
    assert!(!head.contains("203.0.113.9"), "{head}");
}

#[test]
fn a_request_that_breaks_upstream_is_sent_once_more() {
    let (address, seen) = stand_in(1);
    let Some(nginx) = Nginx::start(address) else { return };
    assert_eq!(nginx.post("/webhook", FORM, EVENT), "200");
    let seen = seen.lock().expect("no test failed here").clone();
    assert_eq!(
        seen.iter().map(|request| request.body.as_slice()).collect::<Vec<_>>(),
        [EVENT, EVENT]
    );
}

#[test]
fn behind_a_broken_server_nginx_says_so_and_logs_no_arguments() {
    let (address, _) = stand_in(usize::MAX);
    let Some(nginx) = Nginx::start(address) else { return };
    assert_eq!(nginx.post("/webhook?CLIENT_ID=MARKER", FORM, EVENT), "502");
    let logs = nginx.logs();
    assert!(
        logs.contains(" POST /webhook 502 ") && logs.contains("up=502"),
        "{logs}"
    );
    assert!(!logs.contains("MARKER"), "{logs}");
}

#[test]
fn only_the_webhook_of_the_right_host_is_public() {
    let (address, seen) = stand_in(0);
    let Some(nginx) = Nginx::start(address) else { return };
    for path in [
        "/",
        "/webhook/",
        "/webhook2",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/dead-letters",
        "/webhook/../metrics",
    ] {
        assert_eq!(nginx.post(path, FORM, EVENT), "404", "{path}");
    }
    let (_, other_host) = run(nginx
        .curl()
        .args(["--header", "Host: other.example.com", "--data", "event=X"])
        .arg(nginx.url("/webhook")));
    assert_eq!(other_host, "421");
    let (greeted, other_name) = run(nginx
        .curl()
        .args(["--data", "event=X"])
        .arg(nginx.url("/webhook").replace(HOST, "other.example.com")));
    assert!(
        !greeted && other_name == "000",
        "an unknown name gets no certificate, but got {other_name}"
    );
    let (_, in_clear) = run(nginx
        .curl()
        .args(["--data", "event=X"])
        .arg(format!("http://127.0.0.1:{}/webhook", nginx.plain)));
    assert_eq!(in_clear, "404");
    let too_large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(nginx.post("/webhook", FORM, &too_large), "413");
    assert_eq!(
        seen.lock().expect("no test failed here").len(),
        0,
        "none of it reached the server"
    );
    let (_, probe) = run(nginx.curl().arg(nginx.url("/webhook")));
    assert_eq!(probe, "200");
}

#[test]
fn tokens_are_found_in_both_kinds_of_bodies() {
    assert_eq!(
        tokens("auth%5Bapplication_token%5D=0123456789&a=1&auth[access_token]=abcdefghijk"),
        ["0123456789", "abcdefghijk"]
    );
    assert_eq!(tokens(r#"{"auth":{"application_token":"0123456789"}}"#), ["0123456789"]);
}
