//! Restarts that refuse nobody, with a socket that outlives the process; and the real server behind a real nginx.

use crate::corpus::{Receiver, captures};
use crate::held::{Held, ready};
use crate::link;
use crate::nginx::passes_events_and_keeps_their_secrets;
use crate::server::{Far, Server};
use crate::support::tool;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

const FORM: &str = "application/x-www-form-urlencoded";
const RESTARTS: usize = 10;
const SENDERS: i64 = 4;

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
            assert_eq!(held.restart("restart"), "ended 0");
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
