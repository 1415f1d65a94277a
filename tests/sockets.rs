//! Restarts that refuse nobody, with a socket that outlives the process; and the real server behind a real nginx.

use crate::corpus::{Receiver, captures};
use crate::link;
use crate::nginx::passes_events_and_keeps_their_secrets;
use crate::server::{Far, IMBOT, Server, bare};
use crate::support::{root, tool};
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

const FORM: &str = "application/x-www-form-urlencoded";
const RESTARTS: usize = 10;
const SENDERS: i64 = 4;

/// hold_socket.py with a server in it. Ends with the test.
struct Held {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Held {
    fn start(python: &Path, port: u16, config: &Path) -> Self {
        let mut child = bare(python.to_str().expect("a path"))
            .arg(root().join("tests/support/hold_socket.py"))
            .arg(port.to_string())
            .args([IMBOT, "serve", "--config"])
            .arg(config)
            .env("IMBOT_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let orders = child.stdin.take().expect("stdin is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        assert!(next(&mut lines).starts_with("started "));
        Self { child, orders, lines }
    }

    /// The exit code of the server that was running.
    fn order(&mut self, word: &str) -> String {
        writeln!(self.orders, "{word}").expect("it listens");
        next(&mut self.lines)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The end of its input ends the server; the lines must not stop it meanwhile.
        let _ = writeln!(self.orders, "stop");
        let _ = self.child.wait();
    }
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines.next().expect("it goes on").expect("text")
}

/// Waits for the admin address of the new process: then the public socket is served again.
fn ready(server: &Server) {
    for _ in 0..3000 {
        if link::get(server.admin, "/readyz").is_ok_and(|reply| reply.status == 200) {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the server is not ready");
}

#[test]
fn restarts_with_an_inherited_socket_refuse_nobody() {
    let Some(python) = tool("python3") else { return };
    let far = Far::start(100_000);
    // Never started by itself: it has the configuration, the addresses and the questions.
    let server = Server::new(&far.table());
    let mut held = Held::start(&python, server.public.port(), &server.config());
    ready(&server);
    let (stop, posted) = (AtomicBool::new(false), AtomicI64::new(0));
    let failures: Vec<String> = thread::scope(|scope| {
        let (far, stop, posted, to) = (&far, &stop, &posted, server.public);
        let send = move |user: i64| {
            let mut failures = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let number = posted.fetch_add(1, Ordering::Relaxed);
                match link::post(to, FORM, &far.body(user, 1_000_000 + number, &number.to_string())) {
                    Ok(reply) if reply.outcome() == Some("accepted") => {}
                    other => failures.push(format!("event {number}: {other:?}")),
                }
            }
            failures
        };
        let senders: Vec<_> = (0..SENDERS).map(|user| scope.spawn(move || send(60 + user))).collect();
        for _ in 0..RESTARTS {
            let before = posted.load(Ordering::Relaxed);
            while posted.load(Ordering::Relaxed) < before + 50 && senders.iter().any(|sender| !sender.is_finished()) {
                thread::sleep(std::time::Duration::from_millis(1));
            }
            assert_eq!(held.order("restart"), "ended 0");
            assert!(next(&mut held.lines).starts_with("started "));
            ready(&server);
        }
        stop.store(true, Ordering::Relaxed);
        senders
            .into_iter()
            .flat_map(|sender| sender.join().expect("it does not fail"))
            .collect()
    });
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        posted.into_inner(),
        failures.join("\n")
    );
    server.settled();
    let answered: usize = (60..60 + SENDERS).map(|user| far.heard(user).len()).sum();
    assert_eq!(answered, usize::try_from(posted.into_inner()).unwrap());
    assert_eq!(held.order("stop"), "ended 0");
}

#[test]
fn a_real_server_behind_a_real_nginx_takes_captures() {
    let receiver = Receiver::start();
    let server = receiver.server();
    let public = captures("public");
    let taken: Vec<_> = public
        .iter()
        .take(30)
        .chain(public.iter().filter(|capture| capture.name.ends_with(".json")))
        .collect();
    let events: Vec<(&str, &[u8])> = taken
        .iter()
        .map(|capture| (capture.content_type.as_str(), capture.body.as_slice()))
        .collect();
    passes_events_and_keeps_their_secrets(server.public, &events);
    server.settled();
}
