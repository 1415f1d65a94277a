//! A real Prometheus before a running server: it scrapes with the shipped configuration, the rules load, and every query of
//! the dashboard returns something after a demo run. Also draws the picture of the guide.

use crate::lifecycle::says;
use crate::server::{Far, Server, signal};
use crate::support::{free_port, must, replaced, root, run, text, tool, writes_docs};
use imbot::portal::Shape;
use imbot::types::Clock;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A real Prometheus with deploy/prometheus.yml, which scrapes this server every second. Ends with the test.
struct Prometheus {
    _folder: TempDir,
    curl: PathBuf,
    process: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(binary: &Path, target: SocketAddr) -> Option<Self> {
        let curl = tool("curl")?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = text("deploy/prometheus.yml");
        for (from, to) in [
            ("scrape_interval: 15s", "scrape_interval: 1s".to_owned()),
            ("evaluation_interval: 15s", "evaluation_interval: 1s".to_owned()),
            ("127.0.0.1:9090", target.to_string()),
        ] {
            config = replaced(&config, from, &to);
        }
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("a configuration");
        fs::write(
            folder.path().join("prometheus.rules.yml"),
            text("deploy/prometheus.rules.yml"),
        )
        .expect("rules");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let process = Command::new(binary)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let prometheus = Self {
            _folder: folder,
            curl,
            process,
            address,
        };
        prometheus.until("/-/ready", |page| page.contains("Ready"));
        Some(prometheus)
    }

    fn page(&self, path: &str) -> String {
        let address = format!("http://{}{path}", self.address);
        run(Command::new(&self.curl)
            .args(["--silent", "--noproxy", "*"])
            .arg(address))
        .1
    }

    fn until(&self, path: &str, wanted: impl Fn(&str) -> bool) {
        for _ in 0..3000 {
            if wanted(&self.page(path)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{path} of prometheus says {}", self.page(path));
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Events of several people, one duplicate, one of a stranger, one without a use; then a portal in trouble, then calm.
fn demo(far: &Far, server: &Server, calm: Duration, trouble: Duration) {
    let mut number = 0;
    let mut talk = |time: Duration| {
        #[expect(clippy::disallowed_methods, reason = "a real Prometheus scrapes in real time")]
        let begun = Instant::now();
        while begun.elapsed() < time || number < 20 {
            number += 1;
            let body = far.body(60 + number % 5, 1_000_000 + number, &number.to_string());
            server.post(&body);
            if number % 7 == 0 {
                server.post(&body);
            }
            if number % 11 == 0 {
                server.post(&replaced(&String::from_utf8_lossy(&body), "custom", "custon").into_bytes());
            }
            // Not a wait for anything: the pace of people.
            thread::sleep(Duration::from_millis(20 + (number.unsigned_abs() * 37) % 60));
        }
    };
    talk(calm);
    let useless = String::from_utf8(far.body(70, 77, "x")).expect("a form");
    server.post(replaced(&useless, "data%5Bmessage%5D%5Bid%5D=77", "data%5Bmessage%5D%5Bid%5D=x").as_bytes());
    far.portal.refuse_for(trouble, Shape::Html);
    talk(trouble);
    far.portal.answer_error(None, 400, "ACCESS_DENIED", 1);
    talk(calm);
    server.settled();
}

/// Server, portal and Prometheus; returns the unix time at which the story begins.
fn scraped() -> Option<(Far, Server, Prometheus, i64)> {
    let binary = tool("prometheus")?;
    let far = Far::start(100);
    let server = Server::beside(&far);
    let begun = Clock::system().now().unix_seconds();
    let prometheus = Prometheus::start(&binary, server.admin)?;
    prometheus.until("/api/v1/targets", |page| page.contains("\"health\":\"up\""));
    Some((far, server, prometheus, begun))
}

/// Runs every query of the dashboard and draws the panels; returns one line a query: how many series, and the query.
fn draw(prometheus: &Prometheus, begun: i64, out: &Path) -> Option<String> {
    let python = tool("python3")?;
    let now = Clock::system().now().unix_seconds();
    let drawn = must(
        Command::new(python)
            .arg(root().join("tests/support/draw_panels.py"))
            .arg(root().join("deploy/grafana/imbot.json"))
            .arg(format!("http://{}", prometheus.address))
            .args([begun.to_string(), now.to_string()])
            .arg(out),
    );
    Some(drawn)
}

#[test]
fn prometheus_scrapes_a_running_server_and_every_query_of_the_dashboard_returns_series() {
    let Some((far, server, prometheus, begun)) = scraped() else {
        return;
    };
    // The guide's picture wants two minutes to look at; for that alone the story is told slowly.
    let anew = writes_docs();
    let (talk, outage) = if anew { (40, 30) } else { (3, 2) };
    demo(&far, &server, Duration::from_secs(talk), Duration::from_secs(outage));
    // Two scrapes after the end of the story.
    let last = server.metric("imbot_events_accepted_total");
    let query = "/api/v1/query?query=imbot_events_accepted_total";
    prometheus.until(query, |page| page.contains(&format!("\"{last}\"")));
    let folder = tempfile::tempdir().expect("a folder");
    let picture: PathBuf = folder.path().join("panels.svg");
    let Some(drawn) = draw(&prometheus, begun, &picture) else {
        return;
    };
    let queries: Vec<&str> = drawn.lines().collect();
    assert!(queries.len() > 25, "{drawn}");
    let empty: Vec<_> = queries.iter().filter(|line| line.starts_with("0 ")).collect();
    assert!(empty.is_empty(), "no series for {empty:#?}");
    if anew {
        fs::copy(&picture, root().join("docs/guide/dashboard.svg")).expect("a picture for the guide");
    }
    let picture = fs::read_to_string(picture).expect("a picture");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));

    let rules = prometheus.page("/api/v1/rules");
    let loaded = rules.matches("\"type\":\"alerting\"").count();
    assert_eq!(
        loaded,
        text("deploy/prometheus.rules.yml").matches("- alert:").count(),
        "{rules}"
    );
    assert!(!rules.contains("\"health\":\"err\""), "{rules}");
    // The one alarm that this story must raise without waiting.
    signal("HUP", server.pid());
    says(&server, "the configuration was read again");
    fs::write(server.config(), "nonsense = [").expect("a configuration");
    signal("HUP", server.pid());
    prometheus.until("/api/v1/alerts", |page| {
        page.contains("\"alertname\":\"ImbotReloadFailed\"") && page.contains("\"state\":\"firing\"")
    });
}
