//! Restarts and kills under load behind the shipped nginx, haproxy and Caddy, the public socket held by another process:
//! how many events are refused, which must be none.

use crate::held::{Held, ready};
use crate::link::Link;
use crate::nginx::{FORM, HOST, Nginx};
use crate::proxies::Front;
use crate::server::{Far, Server};
use crate::support::tool;
use std::collections::HashSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// Restarts behind each proxy.
const RESTARTS: usize = 50;
const KILLS: usize = 10;
const SENDERS: i64 = 4;
/// Events between two restarts.
const BETWEEN: i64 = 40;

/// What came of a run.
struct Run {
    posted: i64,
    /// What the senders saw instead of a 200.
    failures: Vec<String>,
}

/// Senders that post over new connections all the time, while the server behind is restarted by this order.
fn under_load(held: &mut Held, server: &Server, far: &Far, to: SocketAddr, order: &str, times: usize) -> Run {
    let (stop, posted) = (AtomicBool::new(false), AtomicI64::new(0));
    let failures = thread::scope(|scope| {
        let (stop, posted) = (&stop, &posted);
        let send = move |user: i64| {
            let mut failures = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let number = posted.fetch_add(1, Ordering::Relaxed);
                let body = far.body(user, 1_000_000 + number, &number.to_string());
                // As Bitrix24 does it: a new connection for each event, closed after it.
                match Link::new(to, false).asking_for(HOST).post(FORM, &body) {
                    Ok(reply) if matches!(reply.outcome(), Some("accepted" | "duplicate")) => {}
                    Ok(reply) => failures.push(format!("event {number}: status {}", reply.status)),
                    Err(error) => failures.push(format!("event {number}: {error}")),
                }
            }
            failures
        };
        let senders: Vec<_> = (0..SENDERS).map(|user| scope.spawn(move || send(60 + user))).collect();
        for _ in 0..times {
            let before = posted.load(Ordering::Relaxed);
            while posted.load(Ordering::Relaxed) < before + BETWEEN
                && senders.iter().any(|sender| !sender.is_finished())
            {
                thread::sleep(Duration::from_millis(1));
            }
            held.restart(order);
            ready(server);
        }
        stop.store(true, Ordering::Relaxed);
        let ended = senders
            .into_iter()
            .map(|sender| sender.join().expect("it does not fail"));
        ended.flatten().collect()
    });
    Run {
        posted: posted.into_inner(),
        failures,
    }
}

/// Runs it behind the proxy that `start` puts before the server; every event answered 200 is answered by the bot, once.
fn behind<P>(name: &str, start: impl Fn(SocketAddr) -> Option<(P, SocketAddr)>, order: &str, times: usize) {
    let Some(python) = tool("python3") else { return };
    let far = Far::start(100_000);
    // Never started by itself: it has the configuration, the addresses and the questions.
    let server = Server::new(&far.table());
    let mut held = Held::start(&python, server.public.port(), &server.config());
    ready(&server);
    let Some((proxy, entrance)) = start(server.public) else {
        return;
    };
    let run = under_load(&mut held, &server, &far, entrance, order, times);
    drop(proxy);
    tell(&format!(
        "restarts: {times} times `{order}` behind {name}: {} of {} events refused",
        run.failures.len(),
        run.posted
    ));
    assert!(run.failures.is_empty(), "{}", run.failures.join("\n"));
    server.settled();
    let heard: Vec<String> = (60..60 + SENDERS).flat_map(|user| far.heard(user)).collect();
    let distinct: HashSet<&String> = heard.iter().collect();
    assert_eq!(distinct.len(), heard.len(), "answered twice");
    assert_eq!(
        heard.len(),
        usize::try_from(run.posted).expect("positive"),
        "answered 200 and lost"
    );
    assert_eq!(held.order("stop"), "ended 0");
}

fn nginx(upstream: SocketAddr) -> Option<(Nginx, SocketAddr)> {
    let nginx = Nginx::start(upstream)?;
    let entrance = nginx.entrance();
    Some((nginx, entrance))
}

fn front(front: Option<Front>) -> Option<(Front, SocketAddr)> {
    let front = front?;
    let entrance = front.entrance();
    Some((front, entrance))
}

#[test]
fn fifty_restarts_behind_nginx_refuse_no_event() {
    behind("nginx", nginx, "restart", RESTARTS);
}

#[test]
fn fifty_restarts_behind_haproxy_refuse_no_event() {
    behind("haproxy", |to| front(Front::haproxy(to)), "restart", RESTARTS);
}

#[test]
fn fifty_restarts_behind_caddy_refuse_no_event() {
    behind("Caddy", |to| front(Front::caddy(to)), "restart", RESTARTS);
}

#[test]
fn ten_kills_behind_nginx_lose_no_event() {
    behind("nginx", nginx, "kill", KILLS);
}

/// Figures, past the harness, which would swallow them.
fn tell(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .expect("stderr takes a line");
}
