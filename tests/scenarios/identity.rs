//! The scenarios about who we are at a portal: applications, their tokens, renames, and where a redirect may lead.

use super::{named, refused_with};
use crate::scene::*;
use imbot::portal::{Action, Deed, LogEntry, Portal, Rule, Shape};
use imbot::testing::Stage;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};

/// A token request, as the portal's log names it.
const TOKEN: &str = "oauth.token";

/// The bot of an application that has just been installed.
async fn installed() -> Stage {
    let mut stage = Stage::builder()
        .bot(parrot())
        .by_application("open", true)
        .start()
        .await;
    let deliveries = stage.portal().install(BOT).await.unwrap();
    assert_eq!(deliveries[0].status, Some(200));
    stage.settle().await;
    stage
}

fn error(status: u16, code: &str, times: Option<u32>) -> Rule {
    Rule {
        method: Some(TOKEN.to_owned()),
        times,
        until: None,
        action: Action::Answer {
            status,
            code: code.to_owned(),
            shape: Shape::Json,
        },
    }
}

#[tokio::test]
async fn s02_happy_path_with_an_oauth_application() {
    let mut stage = installed().await;
    let sent = stage.says(27, TO_BOT, "hi").await;
    assert_eq!(sent.status(), Some(200));
    assert_eq!(stage.heard("27"), ["hi"]);
    let sends = named(stage.portal(), SEND);
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].identity, "local.stage as 1", "as who installed it");
    over(stage).await;
}

#[tokio::test]
async fn s03_a_token_that_expires_under_fifty_parallel_calls_is_refreshed_once_and_all_calls_succeed() {
    let mut stage = installed().await;
    super::at_once(&mut stage, 1000..1050, &["hi"]).await;
    stage.portal().apply(&Deed::ExpireTokens);
    stage.pass(seconds(60)).await;
    super::all_heard_once(stage.portal(), 1000..1050, &["hi"]);
    stage.portal().apply(&Deed::ExpireTokens);
    let before = named(stage.portal(), TOKEN).len();
    super::at_once(&mut stage, 2000..2050, &["again"]).await;
    stage.pass(seconds(60)).await;
    super::all_heard_once(stage.portal(), 2000..2050, &["again"]);
    assert_eq!(named(stage.portal(), TOKEN).len(), before + 1);
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}

#[tokio::test]
async fn s04_a_refresh_that_answers_500_twice_then_works_loses_nothing() {
    let mut stage = installed().await;
    stage.portal().fault(error(500, "INTERNAL_SERVER_ERROR", Some(2)));
    stage.portal().apply(&Deed::ExpireTokens);
    let body = message(stage.portal(), 27, 9001, "hi");
    accepted(&mut stage, without(&body, "data[bot][auth]")).await;
    stage.pass(seconds(300)).await;
    assert_eq!(stage.heard("27"), ["hi"]);
    let refreshes = named(stage.portal(), TOKEN);
    let statuses: Vec<_> = refreshes.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(200)]);
    over(stage).await;
}

#[tokio::test]
async fn s05_invalid_grant_parks_the_identity_and_does_not_loop() {
    let mut stage = installed().await;
    stage.portal().fault(error(400, "invalid_grant", None));
    stage.portal().apply(&Deed::ExpireTokens);
    for id in 9001..9004 {
        let body = message(stage.portal(), 27, id, "kept");
        accepted(&mut stage, without(&body, "data[bot][auth]")).await;
    }
    stage.pass(seconds(1800)).await;
    assert_eq!(named(stage.portal(), TOKEN).len(), 1, "asked once, never again");
    assert!(stage.dead_letters().await.is_empty());
    assert_eq!(balanced(&mut stage).await.calls, 3, "the queue is kept");
    stage.stop().await;
}

/// Posts a message whose event brings no token of its own, and gives the requests of the half hour after it.
async fn asked_for(stage: &mut Stage, id: i64) -> Vec<LogEntry> {
    let before = stage.portal().log().len();
    let body = message(stage.portal(), 27, id, "too late");
    stage.post_form(without(&body, "data[bot][auth]")).await;
    stage.pass(seconds(1800)).await;
    stage.portal().log().split_off(before)
}

#[tokio::test]
async fn s25_after_the_uninstall_event_nothing_is_said_and_the_tokens_are_forgotten() {
    let mut stage = installed().await;
    stage.says(27, TO_BOT, "hi").await;
    let deliveries = stage.portal().uninstall(BOT).await.unwrap();
    assert_eq!(deliveries[0].status, Some(200));
    stage.settle().await;
    let asked = asked_for(&mut stage, 9001).await;
    assert!(
        asked.len() <= 4,
        "one question in ten minutes, should it be installed again: {asked:#?}"
    );
    assert_eq!(stage.heard("27"), ["hi"]);
    // An installation by mistake can be undone for a week.
    for _ in 0..8 {
        stage.clock().advance(seconds(24 * 3600));
        stage.settle().await;
    }
    let asked = asked_for(&mut stage, 9002).await;
    assert!(asked.is_empty(), "a forgotten token is shown to nobody: {asked:#?}");
    stage.stop().await;
}

/// The portal under a second address.
async fn second_address(portal: &Portal) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (own, to) = (listener.local_addr().unwrap(), portal.address());
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    own
}

#[tokio::test]
async fn s17_a_renamed_portal_is_redirected_once_and_then_called_at_its_new_host_only() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.says(27, TO_BOT, "old").await;
    let new = second_address(stage.portal()).await;
    stage.portal().apply(&Deed::RenamePortal(new.to_string()));
    for word in ["one", "two", "three"] {
        stage.says(27, TO_BOT, word).await;
        stage.pass(seconds(5)).await;
    }
    assert_eq!(stage.heard("27"), ["old", "one", "two", "three"]);
    assert_eq!(refused_with(stage.portal(), 302), 1);
    over(stage).await;
}

#[tokio::test]
async fn s28_a_redirect_to_a_private_address_is_refused() {
    let trap = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let host = trap.local_addr().unwrap().to_string();
    let caught = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&caught);
    tokio::spawn(async move {
        while trap.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut stage = Stage::builder().bot(parrot()).start().await;
    for host in [host.as_str(), "169.254.169.254", "10.0.0.1:8080"] {
        stage.portal().apply(&Deed::RenamePortal(host.to_owned()));
        stage.says(27, TO_BOT, host).await;
        stage.pass(seconds(30)).await;
    }
    assert!(stage.heard("27").is_empty(), "carried out nowhere");
    assert!(refused_with(stage.portal(), 302) >= 3);
    assert_eq!(caught.load(Ordering::SeqCst), 0, "nobody was dialled");
    stage.portal().restore();
    stage.pass(seconds(700)).await;
    assert_eq!(stage.heard("27"), [host.as_str(), "169.254.169.254", "10.0.0.1:8080"]);
    over(stage).await;
}
