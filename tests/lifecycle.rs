//! The life of the process: what it tells a service manager, what a reload changes, how it stops, and a log nobody reads.

use crate::link;
use crate::server::{Far, IMBOT, Server, TOKEN, bare, end_of, signal};
use crate::support::replaced;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The socket of a service manager, in the folder of a server that is not started yet.
struct Manager(UnixDatagram);

impl Manager {
    fn of(server: &mut Server) -> Self {
        let path = server.folder().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a deadline");
        server.set("NOTIFY_SOCKET", path.to_str().expect("a plain path"));
        Self(socket)
    }

    /// The next message that is not just a sign of life.
    fn next(&self) -> String {
        loop {
            let said = self.any();
            if said != "WATCHDOG=1" {
                return said;
            }
        }
    }

    fn any(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).expect("a message within a minute");
        String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
    }
}

#[test]
fn the_service_manager_hears_of_ready_reload_and_stop() {
    let far = Far::start(100);
    let mut server = Server::new(&far.table());
    let manager = Manager::of(&mut server);
    server.spawn();
    assert_eq!(manager.next(), "READY=1");
    // Ready means ready: the very next request is served.
    assert_eq!(server.post(&far.body(7, 70, "hello")).outcome(), Some("accepted"));
    signal("HUP", server.pid());
    let reloading = manager.next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.next(), "READY=1");
    signal("TERM", server.pid());
    assert_eq!(manager.next(), "STOPPING=1");
    assert_eq!(server.ended().code(), Some(0), "{}", server.said());
}

#[test]
fn signs_of_life_come_when_they_are_asked_for_and_not_from_a_process_that_stands_still() {
    let far = Far::start(100);
    let mut server = Server::new(&far.table());
    server.set("WATCHDOG_USEC", "300000");
    let manager = Manager::of(&mut server);
    server.start();
    for _ in 0..3 {
        while manager.any() != "WATCHDOG=1" {}
    }
    signal("STOP", server.pid());
    // What was sent before it stood still.
    manager.0.set_nonblocking(true).expect("a socket");
    let mut message = [0; 4096];
    while manager.0.recv(&mut message).is_ok() {}
    manager.0.set_nonblocking(false).expect("a socket");
    manager
        .0
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("a deadline");
    assert!(
        manager.0.recv(&mut message).is_err(),
        "a process that stands still says it lives"
    );
    signal("CONT", server.pid());
    manager
        .0
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a deadline");
    assert_eq!(manager.any(), "WATCHDOG=1");
    server.kill();
}

/// Waits for a line of the log.
pub(crate) fn says(server: &Server, words: &str) {
    for _ in 0..3000 {
        if server.said().contains(words) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no {words:?} in\n{}", server.said());
}

#[test]
fn a_reload_changes_portals_at_once_names_what_waits_and_keeps_what_works() {
    let far = Far::start(100);
    let mut server = Server::new(&far.table());
    // What the bot would answer under a token that the portal does not know is no part of this.
    server.arguments.push("--accept-only".to_owned());
    server.start();
    let good = fs::read_to_string(server.config()).expect("a configuration");
    assert_eq!(server.metric("imbot_config_reload_failed"), 0.0);

    fs::write(server.config(), format!("{good}\nnonsense = [")).expect("a configuration");
    signal("HUP", server.pid());
    says(&server, "the one before stays in effect");
    assert_eq!(server.metric("imbot_config_reload_failed"), 1.0);
    assert_eq!(server.post(&far.body(7, 70, "one")).outcome(), Some("accepted"));

    // Another bot token: events under the old one are refused from now on.
    let changed = replaced(&good, TOKEN, "another-token-of-the-bot");
    fs::write(server.config(), format!("workers.concurrency = 3\n{changed}")).expect("a configuration");
    signal("HUP", server.pid());
    says(&server, "in effect now: portal demo");
    says(&server, "only a restart makes it count: workers.concurrency");
    assert_eq!(server.metric("imbot_config_reload_failed"), 0.0);
    assert_eq!(server.post(&far.body(7, 71, "two")).status, 403);
    let body = String::from_utf8(far.body(7, 72, "three")).expect("a form");
    let body = replaced(&body, TOKEN, "another-token-of-the-bot");
    assert_eq!(server.post(body.as_bytes()).outcome(), Some("accepted"));

    fs::write(server.config(), &good).expect("a configuration");
    signal("HUP", server.pid());
    // The same line for the third time.
    for _ in 0..3000 {
        if server.said().matches("the configuration was read again").count() == 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.post(&far.body(7, 73, "four")).outcome(), Some("accepted"));
    assert!(!server.said().contains("another-token"), "a token is in the log");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_portal_that_a_reload_brings_is_served_and_answered() {
    let (first, second) = (Far::start(100), Far::named("second", 100));
    let server = {
        let mut server = Server::beside(&first);
        let both = format!(
            "{}{}",
            fs::read_to_string(server.config()).expect("a configuration"),
            second.table()
        );
        assert_eq!(server.post(&second.body(7, 70, "too early")).status, 403);
        fs::write(server.config(), both).expect("a configuration");
        signal("HUP", server.pid());
        says(&server, "in effect now: portal second");
        server.ready();
        server
    };
    assert_eq!(server.post(&second.body(7, 71, "hello")).outcome(), Some("accepted"));
    assert_eq!(server.post(&first.body(7, 71, "hello")).outcome(), Some("accepted"));
    server.settled();
    assert_eq!(
        (first.heard(7), second.heard(7)),
        (vec!["hello".to_owned()], vec!["hello".to_owned()])
    );
}

/// A server with one call on its way to a portal that does not answer.
fn with_a_hanging_call(far: &Far) -> Server {
    far.portal.hang(1);
    let server = Server::beside(far);
    assert_eq!(server.post(&far.body(7, 70, "hello")).outcome(), Some("accepted"));
    for _ in 0..3000 {
        if !far.portal.log().is_empty() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the call does not leave:\n{}", server.said());
}

#[test]
fn a_stop_waits_for_what_runs_within_25_s_and_a_second_one_does_not() {
    let far = Far::start(100);
    let mut server = with_a_hanging_call(&far);
    signal("TERM", server.pid());
    says(&server, "what runs may end within 20 s");
    signal("TERM", server.pid());
    assert_eq!(server.ended().code(), Some(0), "{}", server.said());
    assert!(
        server.said().contains("asked to stop a second time"),
        "{}",
        server.said()
    );
    server.start();
    server.settled();
    assert_eq!(far.heard(7), ["hello"], "the call was kept");

    far.portal.hang(1);
    assert_eq!(server.post(&far.body(7, 71, "again")).outcome(), Some("accepted"));
    #[expect(clippy::disallowed_methods, reason = "the drain is bounded in real time")]
    let asked = Instant::now();
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
    server.start();
    server.settled();
    assert_eq!(far.heard(7), ["hello", "again"]);
    server.kill();
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_server() {
    let far = Far::start(100_000);
    let server = Server::new(&far.table());
    let mut child = bare(IMBOT)
        .args(["serve", "--config"])
        .arg(server.config())
        .env("IMBOT_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Never read: after 64 KiB the pipe is full.
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    crate::held::ready(&server);
    for number in 0..500 {
        assert_eq!(
            server.post(&far.body(7, 1000 + number, "hello")).outcome(),
            Some("accepted")
        );
    }
    server.settled();
    let page = link::get(server.admin, "/metrics").expect("it answers").body;
    assert!(page.contains("imbot_log_lines_dropped_total "), "{page}");
    signal("TERM", child.id());
    assert_eq!(
        end_of(&mut child).and_then(|status| status.code()),
        Some(0),
        "the end does not wait for the sink"
    );
}
