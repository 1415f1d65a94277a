//! Applications: installed, answered by OAuth, renewed once, parked, replaced, uninstalled; the install door's limits.

use crate::scene::*;
use imbot::portal::{Action, Deed, Knobs, Portal, Rule};
use imbot::testing::{Answered, Stage};
use std::time::Duration;

const CLIENT: &str = "local.stage";
const DAY: u64 = 24 * 3600;

async fn stage(install: &str, listed: bool) -> Stage {
    Stage::builder()
        .bot(parrot())
        .by_application(install, listed)
        .start()
        .await
}

/// A portal that has installed the application, and is served.
async fn installed() -> Stage {
    let mut stage = stage("open", false).await;
    stage.portal().install(BOT).await.unwrap();
    stage.settle().await;
    assert_eq!(states(&mut stage).await, [("00000000".to_owned(), "live".to_owned())]);
    stage
}

async fn states(stage: &mut Stage) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found = stage.installations().await;
    found
        .iter()
        .map(|row| (text(&row["name"]), text(&row["state"])))
        .collect()
}

fn asked(portal: &Portal, method: &str) -> usize {
    portal.log().iter().filter(|entry| entry.method == method).count()
}

/// As whom the calls of this method were made.
fn callers(portal: &Portal, method: &str) -> Vec<String> {
    let log = portal.log().into_iter();
    log.filter(|entry| entry.method == method)
        .map(|entry| entry.identity)
        .collect()
}

/// `ONAPPINSTALL` or `ONAPPUPDATE` with tokens of this user.
fn body(portal: &Portal, event: &str, user: i64, application_token: &str) -> Vec<u8> {
    let (access, refresh) = portal.tokens(CLIENT, user).unwrap();
    forged(event, access.expose(), refresh.expose(), application_token)
}

fn forged(event: &str, access: &str, refresh: &str, application_token: &str) -> Vec<u8> {
    let member = "0".repeat(32);
    format!(
        "event={event}&data%5BVERSION%5D=1&ts=1&auth%5Baccess_token%5D={access}&auth%5Brefresh_token%5D={refresh}\
         &auth%5Bapplication_token%5D={application_token}&auth%5Bmember_id%5D={member}\
         &auth%5Bdomain%5D=evil.example&auth%5Bclient_endpoint%5D=https%3A%2F%2Fevil.example%2Frest%2F"
    )
    .into_bytes()
}

#[tokio::test]
async fn an_installed_portal_is_answered_with_the_installers_token() {
    let mut stage = installed().await;
    stage.says(27, TO_BOT, "hello").await;
    assert_eq!(stage.heard("27"), ["hello"]);
    assert_eq!(
        callers(stage.portal(), SEND),
        ["local.stage as 1"],
        "not as the bot, and never as the author"
    );
    assert_eq!(asked(stage.portal(), "oauth.app.info"), 1);
    stage.restart().await;
    stage.says(27, TO_BOT, "again").await;
    assert_eq!(
        stage.heard("27"),
        ["hello", "again"],
        "known after a restart, the bot's number too"
    );
    over(stage).await;
}

#[tokio::test]
async fn fifty_calls_with_an_expired_token_make_one_refresh() {
    let mut stage = installed().await;
    stage.says(1, TO_BOT, "known").await;
    stage.portal().apply(&Deed::ExpireTokens);
    for user in 200..250 {
        let body = message(stage.portal(), user, 9000 + user, "hello");
        accepted(&mut stage, body).await;
    }
    stage.pass(seconds(60)).await;
    for user in 200..250 {
        assert_eq!(stage.heard(&user.to_string()), ["hello"]);
    }
    assert_eq!(asked(stage.portal(), "oauth.token"), 1);
    let faults = stage.portal().log().into_iter().flat_map(|entry| entry.faults);
    assert_eq!(faults.filter(|fault| *fault == "refresh_without_need").count(), 0);
    over(stage).await;
}

#[tokio::test]
async fn a_refresh_that_fails_twice_is_tried_again_and_nothing_is_lost() {
    let mut stage = installed().await;
    stage.portal().apply(&Deed::ExpireTokens);
    stage.portal().answer_error(Some("oauth.token"), 500, "ERROR_OAUTH", 2);
    stage.says(27, TO_BOT, "hello").await;
    assert_eq!(stage.heard("27"), [""; 0]);
    stage.pass(seconds(30)).await;
    assert_eq!(stage.heard("27"), ["hello"]);
    assert_eq!(asked(stage.portal(), "oauth.token"), 3);
    over(stage).await;
}

/// Without tokens in the event: a robot acted.
fn without_tokens(body: &[u8]) -> Vec<u8> {
    let body = without(body, "data[bot][auth][access_token]");
    without(&body, "data[bot][auth][refresh_token]")
}

#[tokio::test]
async fn a_dead_refresh_token_parks_the_portal_once_and_a_reinstallation_mends_it() {
    let mut stage = installed().await;
    stage.says(1, TO_BOT, "known").await;
    stage.portal().apply(&Deed::ExpireTokens);
    stage
        .portal()
        .answer_error(Some("oauth.token"), 400, "invalid_grant", 1_000);
    let body = without_tokens(&message(stage.portal(), 27, 9001, "hello"));
    accepted(&mut stage, body).await;
    stage.pass(seconds(1800)).await;
    assert_eq!(asked(stage.portal(), "oauth.token"), 1, "no loop");
    let row = stage.installations().await.remove(0);
    let reason = row["reason"].as_str().unwrap();
    assert_eq!(row["state"], "parked");
    assert!(
        reason.contains("invalid_grant") && reason.contains("/devops/list/"),
        "{reason}"
    );
    assert_eq!(stage.totals().await.calls, 1, "its queue is kept");

    stage.restart().await;
    assert_eq!(
        stage.installations().await[0]["state"],
        "parked",
        "known after a restart"
    );
    stage.portal().clear_faults();
    stage.portal().install(BOT).await.unwrap();
    stage.pass(seconds(700)).await;
    assert_eq!(stage.heard("27"), ["hello"]);
    assert_eq!(stage.installations().await[0]["state"], "live");
    over(stage).await;
}

#[tokio::test]
async fn the_token_of_the_event_is_the_last_resort_and_never_the_authors() {
    let mut stage = installed().await;
    stage.says(1, TO_BOT, "known").await;
    stage.portal().apply(&Deed::ExpireTokens);
    stage
        .portal()
        .answer_error(Some("oauth.token"), 400, "invalid_grant", 1_000);
    stage.says(27, TO_BOT, "hello").await;
    stage.pass(seconds(5)).await;
    assert_eq!(stage.heard("27"), ["hello"]);
    assert_eq!(callers(stage.portal(), SEND).last().unwrap(), "local.stage as 101");
    stage.stop().await;
}

/// The authorisation server has given a new pair, and we died before it was stored.
async fn crashed_while_renewing(reuse: bool) -> Stage {
    let mut stage = installed().await;
    stage.says(1, TO_BOT, "known").await;
    let mut knobs = Knobs::default();
    knobs.refresh_reuse = reuse;
    stage.portal().set_knobs(knobs);
    stage.portal().apply(&Deed::ExpireTokens);
    stage.portal().execute_then_reset(Some("oauth.token"), 1);
    let body = without_tokens(&message(stage.portal(), 27, 9001, "hello"));
    accepted(&mut stage, body).await;
    stage.settle().await;
    assert_eq!(asked(stage.portal(), "oauth.token"), 1);
    stage.restart().await;
    stage.pass(seconds(30)).await;
    stage
}

#[tokio::test]
async fn a_crash_between_refresh_and_store_loses_nothing_while_the_old_token_is_taken() {
    let stage = crashed_while_renewing(true).await;
    assert_eq!(stage.heard("27"), ["hello"]);
    assert_eq!(asked(stage.portal(), "oauth.token"), 2);
    over(stage).await;
}

#[tokio::test]
async fn a_crash_between_refresh_and_store_parks_where_the_old_token_is_dead() {
    let mut stage = crashed_while_renewing(false).await;
    let row = stage.installations().await.remove(0);
    assert_eq!(row["state"], "parked");
    assert!(
        row["reason"]
            .as_str()
            .unwrap()
            .contains("reinstall the application at https://"),
        "{row}"
    );
    assert_eq!(
        (stage.totals().await.calls, asked(stage.portal(), "oauth.token")),
        (1, 2)
    );
    stage.stop().await;
}

#[tokio::test]
async fn an_idle_portal_is_renewed_once_in_a_hundred_and_fifty_days() {
    let mut stage = installed().await;
    stage.clock().advance(Duration::from_secs(149 * DAY));
    stage.settle().await;
    assert_eq!(asked(stage.portal(), "oauth.token"), 0);
    assert_eq!(stage.installations().await[0]["token_age_seconds"], 149 * DAY);
    stage.clock().advance(Duration::from_secs(DAY));
    stage.settle().await;
    assert_eq!(asked(stage.portal(), "oauth.token"), 1);
    assert_eq!(stage.installations().await[0]["token_age_seconds"], 0);
    stage.clock().advance(Duration::from_secs(149 * DAY));
    stage.settle().await;
    assert_eq!(asked(stage.portal(), "oauth.token"), 1);
    stage.stop().await;
}

#[tokio::test]
async fn an_unproven_installation_is_dropped() {
    let mut stage = stage("open", false).await;
    let (access, refresh) = stage.portal().tokens(CLIENT, 1).unwrap();
    let genuine = forged("ONAPPINSTALL", access.expose(), refresh.expose(), "t");
    let other_member = with(&genuine, "auth[member_id]", &"f".repeat(32));
    for body in [
        forged("ONAPPINSTALL", "made-up", "made-up", "made-up"),
        other_member,
        with(&genuine, "auth[access_token]", ""),
        b"event=ONAPPINSTALL".to_vec(),
    ] {
        assert_eq!(stage.post_form(body).await.status, 200);
        stage.pass(seconds(1)).await;
        assert_eq!(states(&mut stage).await, []);
    }
    assert_eq!(stage.post_form(genuine).await.status, 200);
    stage.settle().await;
    let row = stage.installations().await.remove(0);
    assert_eq!(
        row["endpoint"],
        stage.portal().endpoint(),
        "the authorisation server's word, not the event's"
    );
    stage.stop().await;
}

#[tokio::test]
async fn an_expired_access_token_proves_nothing() {
    let mut stage = stage("open", false).await;
    let body = body(stage.portal(), "ONAPPINSTALL", 1, "t");
    stage.portal().apply(&Deed::ExpireTokens);
    assert_eq!(stage.post_form(body).await.status, 200);
    stage.settle().await;
    assert_eq!(states(&mut stage).await, []);
    stage.stop().await;
}

#[tokio::test]
async fn a_new_portal_waits_for_an_operator_unless_it_is_listed() {
    let mut stage = stage("ask", false).await;
    stage.portal().install(BOT).await.unwrap();
    stage.settle().await;
    assert_eq!(
        states(&mut stage).await,
        [("00000000".to_owned(), "waiting".to_owned())]
    );
    let body = message(stage.portal(), 27, 9001, "too early");
    assert_eq!(stage.post_form(body).await.status, 403);
    assert!(stage.accept_portal("ffff", None).await.is_err());
    assert!(stage.accept_portal("0000", Some("a b")).await.is_err());
    assert_eq!(stage.accept_portal("0000", Some("acme")).await.unwrap(), "acme");
    stage.says(27, TO_BOT, "hello").await;
    assert_eq!(stage.heard("27"), ["hello"]);
    stage.restart().await;
    assert_eq!(states(&mut stage).await, [("acme".to_owned(), "live".to_owned())]);
    assert_eq!(stage.forget_portal("acme").await.unwrap(), "acme");
    assert_eq!(states(&mut stage).await, []);
    let body = message(stage.portal(), 27, 9002, "too late");
    assert_eq!(stage.post_form(body).await.status, 403);
    stage.stop().await;

    for (install, listed, state) in [
        ("listed", true, Some("live")),
        ("ask", true, Some("live")),
        ("listed", false, None),
    ] {
        let mut stage = self::stage(install, listed).await;
        stage.portal().install(BOT).await.unwrap();
        stage.settle().await;
        let found = states(&mut stage).await;
        assert_eq!(
            found.first().map(|(_, state)| state.as_str()),
            state,
            "{install} {listed}"
        );
        if listed {
            stage.says(27, TO_BOT, "hello").await;
            assert_eq!(
                (stage.heard("27"), found[0].0.as_str()),
                (vec!["hello".to_owned()], "p0")
            );
        }
        stage.stop().await;
    }
}

#[tokio::test]
async fn working_tokens_are_replaced_by_the_same_user_or_an_operator_alone() {
    let mut stage = installed().await;
    let user = async |stage: &mut Stage| stage.installations().await[0]["user_id"].as_i64().unwrap();
    stage.pass(seconds(1)).await;
    let stranger = body(stage.portal(), "ONAPPINSTALL", 66, "stage-application-0");
    assert_eq!(stage.post_form(stranger).await.status, 200);
    stage.settle().await;
    assert_eq!(user(&mut stage).await, 1);
    let found = states(&mut stage).await;
    assert_eq!(found[1], ("00000000".to_owned(), "waiting".to_owned()));
    stage.accept_portal(&"0".repeat(32), None).await.unwrap();
    assert_eq!((user(&mut stage).await, states(&mut stage).await.len()), (66, 1));
    stage.says(27, TO_BOT, "hello").await;
    assert_eq!(callers(stage.portal(), SEND), ["local.stage as 66"]);
    stage.pass(seconds(1)).await;
    let same = body(stage.portal(), "ONAPPUPDATE", 66, "stage-application-0");
    stage.post_form(same).await;
    stage.settle().await;
    assert_eq!(states(&mut stage).await.len(), 1, "nobody is asked");
    over(stage).await;
}

#[tokio::test]
async fn after_an_update_both_application_tokens_are_good_for_ten_minutes() {
    let mut stage = installed().await;
    let old = message(stage.portal(), 27, 9001, "old");
    let late = message(stage.portal(), 27, 9002, "late");
    stage.pass(seconds(1)).await;
    stage.portal().update_app(BOT, "a-new-application-token").await.unwrap();
    stage.settle().await;
    let new = message(stage.portal(), 27, 9003, "new");
    accepted(&mut stage, new).await;
    accepted(&mut stage, old).await;
    stage.restart().await;
    stage.pass(seconds(601)).await;
    assert_eq!(stage.post_form(late).await.status, 403);
    assert_eq!(stage.heard("27"), ["new", "old"]);
    over(stage).await;
}

#[tokio::test]
async fn an_uninstalled_portal_is_parked_and_a_forged_word_of_it_is_refused() {
    let mut stage = installed().await;
    let forged =
        b"event=ONAPPUNINSTALL&auth%5Bapplication_token%5D=wrong&auth%5Bmember_id%5D=00000000000000000000000000000000";
    assert_eq!(stage.post_form(forged.to_vec()).await.status, 403);
    assert_eq!(states(&mut stage).await[0].1, "live");
    stage.portal().uninstall(BOT).await.unwrap();
    stage.settle().await;
    let row = stage.installations().await.remove(0);
    assert_eq!(row["state"], "parked");
    assert!(row["reason"].as_str().unwrap().contains("uninstalled"));
    stage.clock().advance(Duration::from_secs(8 * DAY));
    stage.settle().await;
    stage.restart().await;
    assert_eq!(states(&mut stage).await[0].1, "parked");
    let another = body(stage.portal(), "ONAPPINSTALL", 66, "stage-application-0");
    stage.portal().install(BOT).await.unwrap();
    stage.settle().await;
    assert_eq!(states(&mut stage).await, [("00000000".to_owned(), "live".to_owned())]);
    drop(another);
    stage.stop().await;
}

async fn knock(stage: &mut Stage, number: usize) -> Answered {
    stage
        .post_form(forged("ONAPPINSTALL", &format!("made-up-{number}"), "r", "t"))
        .await
}

#[tokio::test]
async fn the_install_door_has_its_limits() {
    let mut stage = stage("open", false).await;
    stage
        .portal()
        .answer_error(Some("oauth.app.info"), 500, "ERROR_OAUTH", 100_000);
    let long = forged("ONAPPINSTALL", &"x".repeat(16 * 1024), "r", "t");
    assert_eq!(stage.post_form(long).await.status, 413);
    assert_eq!(knock(&mut stage, 0).await.status, 200);
    let hasty = knock(&mut stage, 1).await;
    assert_eq!(
        (hasty.status, hasty.body.as_str()),
        (503, "{\"error\":\"busy\"}"),
        "one a second"
    );
    for number in 1..32 {
        stage.clock().advance(seconds(1));
        assert_eq!(knock(&mut stage, number).await.status, 200, "{number}");
    }
    stage.clock().advance(seconds(1));
    assert_eq!(knock(&mut stage, 32).await.status, 503, "32 wait");
    for file in std::fs::read_dir(stage.store_folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|piece| piece == b"made-up-"), "a body in clear");
    }
    stage.clock().advance(seconds(3600));
    stage.settle().await;
    stage.clock().advance(seconds(1));
    stage.portal().clear_faults();
    assert_eq!(knock(&mut stage, 33).await.status, 200, "gone after an hour");
    stage.settle().await;
    assert_eq!(states(&mut stage).await, []);
    stage.stop().await;
}

#[tokio::test]
async fn an_installation_waits_for_an_authorisation_server_in_trouble() {
    let mut stage = stage("open", false).await;
    stage
        .portal()
        .answer_error(Some("oauth.app.info"), 502, "ERROR_OAUTH", 3);
    stage.portal().install(BOT).await.unwrap();
    stage.settle().await;
    assert_eq!(states(&mut stage).await, []);
    stage.restart().await;
    stage.pass(seconds(40)).await;
    assert_eq!(states(&mut stage).await[0].1, "live");
    assert_eq!(asked(stage.portal(), "oauth.app.info"), 4);
    stage.stop().await;
}

#[tokio::test]
async fn no_hostile_endpoint_of_app_info_is_stored() {
    let mut stage = stage("open", false).await;
    for (endpoint, domain) in crate::corpus::endpoints() {
        if endpoint.starts_with("http://acme.") {
            continue; // good here, where http is allowed
        }
        let told = serde_json::json!({ "result": { "client_id": CLIENT, "user_id": 1, "install": {
            "member_id": "0".repeat(32), "client_endpoint": endpoint, "domain": domain } } });
        stage.portal().fault(Rule {
            method: Some("oauth.app.info".to_owned()),
            times: Some(1),
            until: None,
            action: Action::Body {
                status: 200,
                media: "application/json".to_owned(),
                body: told.to_string(),
                headers: Vec::new(),
            },
        });
        stage.clock().advance(seconds(1));
        let body = body(stage.portal(), "ONAPPINSTALL", 1, "t");
        assert_eq!(stage.post_form(body).await.status, 200);
        stage.settle().await;
        assert_eq!(states(&mut stage).await, [], "{endpoint}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn no_token_is_in_any_file_of_the_store_or_on_the_metrics_page() {
    let mut stage = installed().await;
    stage.says(27, TO_BOT, "hello").await;
    stage.portal().apply(&Deed::ExpireTokens);
    stage.says(27, TO_BOT, "renewed").await;
    stage.pass(seconds(2)).await;
    let stranger = body(stage.portal(), "ONAPPINSTALL", 66, "stage-application-0");
    stage.post_form(stranger.clone()).await;
    stage.settle().await;
    let secret = stage.portal().client_secret(CLIENT).unwrap();
    let mut planted = vec![
        secret.expose().to_owned(),
        "stage-application-0".to_owned(),
        "5a".repeat(32),
    ];
    for pair in String::from_utf8(stranger).unwrap().split('&') {
        if pair.contains("access_token") || pair.contains("refresh_token") {
            planted.push(pair.split('=').nth(1).unwrap().to_owned());
        }
    }
    for entry in stage.portal().live_tokens() {
        planted.push(entry);
    }
    assert!(planted.len() > 6, "{}", planted.len());
    for file in std::fs::read_dir(stage.store_folder()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in &planted {
            let found = bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes());
            assert!(!found, "a token in {}", path.display());
        }
    }
    let admin = stage.admin().0.trim_start_matches("http://").parse().unwrap();
    let metrics = crate::link::get(admin, "/metrics").expect("metrics").body;
    assert!(
        metrics.contains("imbot_refresh_token_age_seconds{portal=\"00000000\"} "),
        "{metrics}"
    );
    let shown = format!("{:?} {metrics}", stage.installations().await);
    assert!(planted.iter().all(|secret| !shown.contains(secret)));
    stage.stop().await;
}
