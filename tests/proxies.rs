//! deploy/Caddyfile and deploy/haproxy.cfg in the real programs: what they pass, what they refuse, that their logs hold no
//! secret. nginx has a file of its own; restarts behind all three are in restarts.rs.

use crate::nginx::{EVENT, FORM, HOST, certificate, stand_in};
use crate::support::{free_port, must, replaced, run, text, tool};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A real proxy with the shipped configuration, on ports of its own. Ends with the test.
pub(crate) struct Front {
    folder: TempDir,
    curl: PathBuf,
    process: Child,
    tls: u16,
    plain: u16,
    /// The site itself without TLS, which the shipped file does not have: for load.
    load: u16,
}

impl Front {
    /// `None` where a tool is missing, which has then been said.
    pub(crate) fn caddy(upstream: SocketAddr) -> Option<Self> {
        let binary = tool("caddy")?;
        Self::start(|folder, tls, plain, load| {
            let here = |name: &str| folder.path().join(name).display().to_string();
            let mut config = text("deploy/Caddyfile");
            for (from, to) in [
                (
                    "\tadmin off\n",
                    format!("\tadmin off\n\thttp_port {plain}\n\thttps_port {tls}\n\tdefault_bind 127.0.0.1\n"),
                ),
                ("/var/log/caddy/imbot.log", here("proxy.log")),
                ("/var/log/caddy/caddy.log", here("caddy.log")),
                (
                    "\nbots.example.com {\n",
                    format!(
                        "\nbots.example.com {{\n\ttls {} {}\n",
                        here("cert.pem"),
                        here("key.pem")
                    ),
                ),
                ("127.0.0.1:8080", upstream.to_string()),
            ] {
                config = replaced(&config, from, &to);
            }
            config.push_str(&plain_site(&config, load));
            let file = folder.path().join("Caddyfile");
            fs::write(&file, config).expect("a configuration");
            let mut command = Command::new(&binary);
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
            // Where it would keep certificates.
            command
                .env("XDG_DATA_HOME", folder.path())
                .env("XDG_CONFIG_HOME", folder.path());
            command.stderr(File::create(folder.path().join("said.log")).expect("a file"));
            command
        })
    }

    /// `None` where a tool is missing, which has then been said.
    pub(crate) fn haproxy(upstream: SocketAddr) -> Option<Self> {
        let binary = tool("haproxy")?;
        Self::start(|folder, tls, plain, load| {
            let both =
                ["cert.pem", "key.pem"].map(|name| fs::read_to_string(folder.path().join(name)).expect("a file"));
            let pem = folder.path().join("both.pem");
            fs::write(&pem, both.concat()).expect("a file");
            let mut config = text("deploy/haproxy.cfg");
            for (from, to) in [
                ("log /dev/log local0", "log stdout format raw local0".to_owned()),
                // Who runs the test may not change its user.
                ("    user haproxy\n    group haproxy\n", String::new()),
                ("bind :80\n", format!("bind 127.0.0.1:{plain}\n")),
                (
                    "bind :443 ",
                    format!("bind 127.0.0.1:{load}\n    bind 127.0.0.1:{tls} "),
                ),
                ("/etc/haproxy/certs/bots.example.com.pem", pem.display().to_string()),
                ("server one 127.0.0.1:8080", format!("server one {upstream}")),
                ("server two 127.0.0.1:8080", format!("server two {upstream}")),
            ] {
                config = replaced(&config, from, &to);
            }
            let file = folder.path().join("haproxy.cfg");
            fs::write(&file, config).expect("a configuration");
            must(Command::new(&binary).arg("-c").arg("-f").arg(&file));
            let mut command = Command::new(&binary);
            command.args(["-db", "-f"]).arg(&file);
            command.stdout(File::create(folder.path().join("proxy.log")).expect("a file"));
            command.stderr(File::create(folder.path().join("said.log")).expect("a file"));
            command
        })
    }

    fn start(make: impl Fn(&TempDir, u16, u16, u16) -> Command) -> Option<Self> {
        let (openssl, curl) = (tool("openssl")?, tool("curl")?);
        let folder = tempfile::tempdir().expect("a folder");
        certificate(&openssl, folder.path());
        let (tls, plain, load) = (free_port(), free_port(), free_port());
        let process = make(&folder, tls, plain, load)
            .stdin(Stdio::null())
            .spawn()
            .expect("the proxy starts");
        let front = Self {
            folder,
            curl,
            process,
            tls,
            plain,
            load,
        };
        front.wait_until_it_listens();
        Some(front)
    }

    fn wait_until_it_listens(&self) {
        for _ in 0..1000 {
            let mut ports = [self.tls, self.plain, self.load].into_iter();
            if ports.all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the proxy does not listen: {}", self.logs());
    }

    /// Where load goes in.
    pub(crate) fn entrance(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.load))
    }

    /// Everything it has written so far.
    pub(crate) fn logs(&self) -> String {
        ["proxy.log", "caddy.log", "said.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }

    /// The status of a request by curl: 000 without an answer.
    fn curl(&self, host: &str, path: &str, arguments: &[&str]) -> String {
        self.curl_as(None, host, path, arguments)
    }

    /// The same with another name in `Host` than the one greeted.
    fn curl_as(&self, claimed: Option<&str>, host: &str, path: &str, arguments: &[&str]) -> String {
        let to = |name: &str| format!("{name}:{}:127.0.0.1", self.tls);
        let mut curl = Command::new(&self.curl);
        if !arguments.contains(&ASKS_FIRST) {
            curl.args(["--header", "Expect:"]);
        }
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
            &to("third.example.com"),
        ])
        // Without the port, as on 443: Caddy's access log knows its site by the bare name.
        .args(["--header", &format!("Host: {}", claimed.unwrap_or(host))])
        .args(arguments)
        .arg(format!("https://{host}:{}{path}", self.tls));
        run(&mut curl).1
    }

    fn post(&self, path: &str, body: &[u8]) -> String {
        self.post_with(path, body, &[])
    }

    fn post_with(&self, path: &str, body: &[u8], more: &[&str]) -> String {
        let file = self.folder.path().join("body");
        fs::write(&file, body).expect("a body");
        let header = format!("Content-Type: {FORM}");
        let body = format!("@{}", file.display());
        let arguments = [&["--header", &header, "--data-binary", &body][..], more].concat();
        self.curl(HOST, path, &arguments)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The site's block once more, for an address without TLS.
fn plain_site(config: &str, load: u16) -> String {
    let block = config
        .split("\nbots.example.com {\n")
        .nth(1)
        .and_then(|rest| rest.split("\n}\n").next());
    let block = block.expect("the site of deploy/Caddyfile");
    let lines = block.lines().filter(|line| !line.trim_start().starts_with("tls "));
    let lines: Vec<&str> = lines.collect();
    format!("\nhttp://bots.example.com:{load} {{\n{}\n}}\n", lines.join("\n"))
}

/// The status of an event that comes without TLS.
fn in_clear(front: &Front) -> String {
    let quietly = [
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--noproxy",
        "*",
    ];
    let curl = run(Command::new(&front.curl)
        .args(quietly)
        .args(["--header", &format!("Host: {HOST}"), "--data", "event=X"])
        .arg(format!("http://127.0.0.1:{}/webhook", front.plain)));
    curl.1
}

const ASKS_FIRST: &str = "Expect: 100-continue";

fn passes_events_and_nothing_else(start: impl Fn(SocketAddr) -> Option<Front>) {
    let (address, seen) = stand_in(0);
    let Some(front) = start(address) else { return };
    assert_eq!(
        front.post("/webhook?CLIENT_ID=MARKER-in-the-arguments", EVENT),
        "200",
        "{}",
        front.logs()
    );
    let largest = vec![b'x'; 1 << 20];
    assert_eq!(front.post("/webhook", &largest), "200", "{}", front.logs());
    let claim = [
        "--header",
        "X-Forwarded-For: 203.0.113.9",
        "--header",
        "X-Secret: MARKER",
        "--data",
        "event=X",
    ];
    assert_eq!(front.curl(HOST, "/webhook", &claim), "200");
    assert_eq!(front.curl(HOST, "/webhook", &[]), "200", "a probe by GET");
    let passed = std::mem::take(&mut *seen.lock().expect("no test failed here"));
    assert_eq!(passed[0].body, EVENT);
    assert_eq!(passed[1].body.len(), largest.len());
    let head = passed[2].head.to_lowercase();
    assert!(
        head.contains("x-forwarded-for: 127.0.0.1\r\n") && !head.contains("203.0.113.9"),
        "{head}"
    );

    for path in [
        "/",
        "/webhook/",
        "/webhook2",
        "/metrics",
        "/healthz",
        "/api/v1/dead-letters",
    ] {
        assert_eq!(front.post(path, EVENT), "404", "{path}");
    }
    let other_host = front.curl_as(Some("other.example.com"), HOST, "/webhook", &["--data", "event=X"]);
    assert_eq!(other_host, "421");
    let other_name = front.curl("third.example.com", "/webhook", &["--insecure", "--data", "event=X"]);
    assert_eq!(other_name, "000", "no certificate for a name that is not ours");
    assert_eq!(in_clear(&front), "404", "no redirect");
    // Asked first: who is still sending when the refusal comes may find the connection closed before reading it.
    let asking = ["--header", ASKS_FIRST, "--expect100-timeout", "30"];
    let too_large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(front.post_with("/webhook", &too_large, &asking), "413");
    let reached = seen.lock().expect("no test failed here").len();
    assert_eq!(reached, 0, "none of it reached the server");
    let logs = front.logs();
    assert!(!logs.contains("MARKER"), "{logs}");
    assert!(logs.contains("/webhook"), "requests are logged: {logs}");
}

#[test]
fn caddy_passes_events_alone_and_logs_no_secret() {
    passes_events_and_nothing_else(Front::caddy);
}

#[test]
fn haproxy_passes_events_alone_and_logs_no_secret() {
    passes_events_and_nothing_else(Front::haproxy);
}

#[test]
fn haproxy_sends_an_event_that_breaks_upstream_once_more() {
    let (address, seen) = stand_in(1);
    let Some(front) = Front::haproxy(address) else { return };
    assert_eq!(front.post("/webhook", EVENT), "200");
    let bodies: Vec<Vec<u8>> = seen
        .lock()
        .expect("no test failed here")
        .drain(..)
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, [EVENT, EVENT]);
}

#[test]
fn caddy_waits_for_a_server_that_is_not_there_yet() {
    let later = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let Some(front) = Front::caddy(later) else { return };
    let answered = std::thread::scope(|scope| {
        let posted = scope.spawn(|| front.post("/webhook", EVENT));
        // Begun before anybody listens; how long before does not matter.
        let server = std::net::TcpListener::bind(later).expect("the port is free");
        crate::nginx::serve(server, 0);
        posted.join().expect("it does not fail")
    });
    assert_eq!(answered, "200");
}
