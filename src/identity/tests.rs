//! Which credentials a call gets.

use super::*;
use crate::lifecycle::Stop;
use crate::rest::{Client, Credentials, Moved, watched};
use crate::store::{Format, Identity, Options, Store};
use crate::types::{Clock, PortalId, Secret, Timestamp};
use std::sync::atomic::Ordering;
use tempfile::TempDir;

pub(super) struct Desk {
    pub(super) _dir: TempDir,
    pub(super) identities: Identities,
    pub(super) portal: PortalId,
}

fn site(id: PortalId, webhook: bool) -> Site {
    let bot = |token: Option<&str>| SiteBot {
        handler: "echo".to_owned(),
        bot_token: token.map(Secret::new),
        ..SiteBot::default()
    };
    Site {
        incoming_webhook: webhook.then(|| Secret::new("https://acme.bitrix24.com/rest/1/code/")),
        bots: [(456, bot(Some("tok"))), (457, bot(None))].into(),
        unnumbered: [("support".to_owned(), bot(None))].into(),
        ..Site::acme(id)
    }
}

fn desk(webhook: bool) -> Desk {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(0));
    let store = Store::open(dir.path(), Options::new(clock.clone())).unwrap();
    let portal = store.register_portals(&["acme"]).unwrap()[0];
    let setup = Setup {
        store,
        clock,
        client: Client::new().unwrap(),
        sites: vec![site(portal, webhook)],
        applications: Vec::new(),
    };
    Desk {
        _dir: dir,
        identities: Identities::new(setup).unwrap(),
        portal,
    }
}

#[tokio::test]
async fn a_number_told_by_an_event_is_served_and_the_older_one_of_the_same_code_goes() {
    let desk = desk(false);
    for number in [900, 901] {
        desk.identities.learn(desk.portal, "support", number).await.unwrap();
        let site = desk.identities.site(desk.portal).unwrap();
        let numbers: Vec<i64> = site.bots.keys().copied().filter(|bot| *bot >= 900).collect();
        assert_eq!(numbers, [number]);
    }
    desk.identities.learn(desk.portal, "stranger", 950).await.unwrap();
    assert!(!desk.identities.site(desk.portal).unwrap().bots.contains_key(&950));
}

#[tokio::test]
async fn a_portal_is_bound_to_the_first_member_that_proves_itself() {
    let Desk { identities, portal, .. } = &desk(false);
    let found = |member: Option<&str>, domain| identities.whose(member, domain).map(|site| site.id);
    assert_eq!(found(Some("m1"), Some("ACME.bitrix24.com")), Some(*portal));
    assert_eq!(identities.pin(*portal, "m1"), Some(true));
    assert_eq!(
        (identities.pin(*portal, "m1"), identities.pin(*portal, "m2")),
        (Some(false), None)
    );
    assert_eq!(found(Some("m2"), Some("acme.bitrix24.com")), None);
    assert_eq!(
        (found(Some("m1"), None), found(None, Some("acme.bitrix24.com"))),
        (Some(*portal), Some(*portal))
    );
}

#[tokio::test]
async fn a_renamed_portal_is_called_at_its_new_host_with_the_same_webhook() {
    let desk = desk(true);
    let mut changes = desk.identities.changes();
    changes.mark_unchanged();
    let moved = Moved {
        from: "acme.bitrix24.com".to_owned(),
        to: "acme-2.bitrix24.com".to_owned(),
    };
    desk.identities.moved(&moved).await;
    let site = desk.identities.site(desk.portal).unwrap();
    assert_eq!(site.endpoint, "https://acme-2.bitrix24.com/rest/");
    let webhook = site.incoming_webhook.as_ref().map(Secret::expose);
    assert_eq!(webhook, Some("https://acme-2.bitrix24.com/rest/1/code/"));
    assert!(changes.has_changed().unwrap(), "who is parked may try again");
    desk.identities.moved(&moved).await;
    assert_eq!(
        desk.identities.site(desk.portal).unwrap().endpoint,
        site.endpoint,
        "nobody is there any more"
    );
}

#[tokio::test]
async fn a_bot_with_a_token_speaks_through_the_webhook_one_without_by_its_events() {
    let desk = desk(true);
    let site = desk.identities.site(desk.portal).unwrap();
    assert_eq!(
        (site.identity(456), site.identity(457)),
        (Identity::Webhook, Identity::EventToken)
    );
    let found = desk
        .identities
        .credentials(desk.portal, 456, Identity::Webhook, None)
        .await;
    let Some(Credentials::Webhook { bot_token, .. }) = found.unwrap() else {
        panic!("no webhook");
    };
    assert_eq!(bot_token, Some(Secret::new("tok")));
    let event = Secret::new("from the event");
    let found = desk
        .identities
        .credentials(desk.portal, 457, Identity::EventToken, Some(&event))
        .await;
    let Some(Credentials::Token { endpoint, token }) = found.unwrap() else {
        panic!("no token");
    };
    assert_eq!((endpoint.as_str(), token), ("https://acme.bitrix24.com/rest/", event));
}

#[tokio::test]
async fn without_a_webhook_or_a_token_there_are_no_credentials() {
    let desk = desk(false);
    for (portal, identity) in [
        (desk.portal, Identity::Webhook),
        (desk.portal, Identity::EventToken),
        (PortalId(99), Identity::Webhook),
    ] {
        let found = desk.identities.credentials(portal, 456, identity, None).await.unwrap();
        assert!(found.is_none(), "{portal} {identity:?}");
    }
}

#[tokio::test]
async fn an_expired_event_token_without_a_newer_one_is_refused() {
    let desk = desk(false);
    let used = Credentials::Token {
        endpoint: String::new(),
        token: Secret::new("old"),
    };
    let renewal = desk.identities.expired(desk.portal, 457, &used).await.unwrap();
    assert!(matches!(renewal, Renewal::Refused(_)));
}

/// An application whose authorisation server listens here.
fn application(port: u16) -> Application {
    Application {
        name: "desk".to_owned(),
        client_id: "local.desk".to_owned(),
        client_secret: Secret::new("client secret"),
        admission: Admission::Open,
        auth_servers: vec![format!("http://auth.example:{port}")],
        allow_insecure: false,
        burst: 50,
        rate: 2.0,
        bots: Vec::new(),
    }
}

#[tokio::test]
async fn a_hostile_endpoint_that_the_authorisation_server_tells_is_neither_looked_up_nor_dialled() {
    for (endpoint, domain) in watched::hostile() {
        let member = "ab".repeat(16);
        let told = serde_json::json!({ "result": { "client_id": "local.desk", "user_id": 1, "install": {
            "member_id": member, "client_endpoint": endpoint, "domain": domain } } });
        let told = watched::answer("200 OK", "content-type: application/json\r\n", &told.to_string());
        let (port, heard) = watched::server("127.0.0.1:0", told).await;
        let lookup = watched::Script::of(&["127.0.0.1"]);
        let (client, dials) = watched::client(&lookup);
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(0));
        let key = Some(Secret::new("5a".repeat(32)));
        let store = Store::open(
            dir.path(),
            Options {
                key,
                ..Options::new(clock.clone())
            },
        )
        .unwrap();
        let setup = Setup {
            store: store.clone(),
            clock,
            client,
            sites: Vec::new(),
            applications: vec![application(port)],
        };
        let identities = Identities::new(setup).unwrap();
        let body = format!(
            "event=ONAPPINSTALL&auth[access_token]=a&auth[refresh_token]=r&auth[application_token]=t&auth[member_id]={member}"
        );
        identities.knock(Format::Form, body.into_bytes()).await.unwrap();
        let stop = Stop::new();
        let mut activity = identities.activity();
        let working = tokio::spawn(identities.clone().work(stop.clone()));
        activity.changed().await.unwrap();
        stop.hard();
        working.await.unwrap();
        assert!(
            store.knocks().await.unwrap().is_empty(),
            "it was looked into: {endpoint}"
        );
        assert!(
            store.installations().unwrap().is_empty() && identities.sites().is_empty(),
            "{endpoint}"
        );
        let counted = (lookup.asked.load(Ordering::Relaxed), dials.0.load(Ordering::Relaxed));
        assert_eq!(
            (counted, heard.load(Ordering::Relaxed)),
            ((1, 1), 1),
            "the authorisation server alone: {endpoint}"
        );
    }
}

#[tokio::test]
async fn a_learned_number_survives_a_reload_and_goes_with_its_bot() {
    let desk = desk(true);
    let served = || desk.identities.site(desk.portal).unwrap();
    let before = served().numbered("support").unwrap();
    assert!(before < -1, "it stands in for none");
    assert!(served().bot(before).is_some() && served().bot(before - 1).is_none());
    desk.identities.learn(desk.portal, "support", 900).await.unwrap();
    desk.identities.configure(vec![site(desk.portal, true)]).unwrap();
    assert_eq!(served().numbered("support"), Some(900));
    desk.identities.unlearn(desk.portal, 900).await.unwrap();
    desk.identities.unlearn(desk.portal, 456).await.unwrap();
    assert_eq!(served().numbered("support"), Some(before));
    assert!(served().bots.contains_key(&456), "the configuration has its number");
}

fn fetching(portal: PortalId, fetches: bool) -> Site {
    let mut site = site(portal, true);
    for bot in site.bots.values_mut() {
        bot.fetches = fetches;
    }
    site
}

#[tokio::test]
async fn a_bot_that_was_fetched_is_polled_until_the_portal_was_told_whatever_a_reload_says() {
    let desk = desk(true);
    let polls = |desk: &Desk| desk.identities.site(desk.portal).unwrap().bots[&456].polls();
    assert!(!polls(&desk));
    for (fetches, polled) in [(true, true), (false, true), (true, true)] {
        desk.identities.configure(vec![fetching(desk.portal, fetches)]).unwrap();
        assert_eq!(polls(&desk), polled, "configured: {fetches}");
    }
    desk.identities.configure(vec![fetching(desk.portal, false)]).unwrap();
    let site = desk.identities.site(desk.portal).unwrap();
    let told = site.bots[&456].differences("acme", 456);
    assert!(told.len() == 1 && told[0].contains("event_mode is webhook"), "{told:?}");
}

#[tokio::test]
async fn while_a_token_is_changed_both_prove_events_and_afterwards_the_old_one_for_a_while() {
    let token = |text: &str| Secret::new(text);
    let rotation = |done, former| crate::store::Rotation {
        old: token("old"),
        new: token("new"),
        configured: token("old"),
        former,
        planned: Timestamp(0),
        done,
    };
    let bot = |rotation, event_token: &str| SiteBot {
        bot_token: Some(token("old")),
        event_token: Some(token(event_token)),
        rotation: Some(rotation),
        ..SiteBot::default()
    };
    let proven = |bot: &SiteBot, at| {
        ["customold", "customnew", "given", "other"]
            .map(|presented| bot.proves(presented.as_bytes(), Timestamp(at)) == Some(true))
    };
    let planned = bot(rotation(None, Vec::new()), "customold");
    assert!(planned.is_held());
    assert_eq!(planned.token(), Some(&token("old")));
    assert_eq!(proven(&planned, 5), [true, true, false, false]);
    let done = bot(
        rotation(Some(Timestamp(3)), vec![(token("old"), Timestamp(10))]),
        "customold",
    );
    assert_eq!((done.is_held(), done.token()), (false, Some(&token("new"))));
    assert_eq!(proven(&done, 9), [true, true, false, false]);
    assert_eq!(proven(&done, 10), [false, true, false, false]);
    let by_hand = bot(rotation(Some(Timestamp(3)), Vec::new()), "given");
    assert_eq!(proven(&by_hand, 10), [false, true, true, false]);
}
