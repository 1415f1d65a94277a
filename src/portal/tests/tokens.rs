//! The authorisation server: renewing tokens, codes, and what `app.info` tells on either side.

use super::*;

async fn start_both() -> Portal {
    start(PortalConfig {
        authorisation: Some(([127, 0, 0, 1], 0).into()),
        ..config()
    })
    .await
}

async fn token(portal: &Portal, form: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("http://{}/oauth/token/", portal.authorisation_address().unwrap());
    let request = client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(pairs.join("&")).send().await.unwrap()).await
}

async fn refresh(portal: &Portal, refresh: &str) -> Answer {
    let secret = portal.client_secret("local.desk").unwrap();
    token(
        portal,
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "local.desk"),
            ("client_secret", secret.expose()),
            ("refresh_token", refresh),
        ],
    )
    .await
}

#[tokio::test]
async fn a_refresh_token_gives_a_new_pair_that_works() {
    let portal = start_both().await;
    let (access, old) = portal.tokens("local.desk", 27).unwrap();
    pass(&portal, Duration::from_secs(3600));
    assert_eq!(
        oauth(&portal, access.expose(), REVISION, json!({})).await.refused().1,
        "expired_token"
    );
    let answer = refresh(&portal, old.expose()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let pair = answer.json();
    assert_ne!(pair["refresh_token"], old.expose());
    assert_eq!((&pair["expires_in"], &pair["user_id"]), (&json!(3600), &json!(27)));
    assert_eq!(
        pair["domain"], "oauth.bitrix24.tech",
        "the authorisation server, not the portal"
    );
    assert_eq!(pair["client_endpoint"], "https://demo.bitrix24.test/rest/");
    oauth(&portal, pair["access_token"].as_str().unwrap(), REVISION, json!({}))
        .await
        .result();
    let entry = portal
        .log()
        .into_iter()
        .rfind(|entry| entry.method == "oauth.token")
        .unwrap();
    assert!(entry.faults.is_empty());
    refresh(&portal, old.expose()).await;
    let entry = portal.log().pop().unwrap();
    assert_eq!(entry.faults, ["refresh_without_need"], "nothing had expired");
    assert!(!format!("{:?}", portal.log()).contains(old.expose()));
}

#[tokio::test]
async fn wrong_and_dead_credentials_are_refused() {
    let portal = start_both().await;
    let (_, good) = portal.tokens("local.desk", 27).unwrap();
    let wrong = [
        ("grant_type", "refresh_token"),
        ("client_id", "local.desk"),
        ("client_secret", "x"),
    ];
    assert_eq!(
        token(&portal, &wrong).await.refused(),
        (400, "invalid_client".to_owned())
    );
    assert_eq!(
        refresh(&portal, "nothing").await.refused(),
        (400, "invalid_grant".to_owned())
    );
    pass(&portal, Duration::from_secs(180 * 24 * 3600));
    assert_eq!(refresh(&portal, good.expose()).await.refused().1, "invalid_grant");
    portal.apply(&crate::portal::Deed::EndPayment("local.desk".to_owned()));
    assert_eq!(refresh(&portal, good.expose()).await.refused().1, "PAYMENT_REQUIRED");
    portal.answer_error(Some("oauth.token"), 500, "ERROR_OAUTH", 1);
    assert_eq!(refresh(&portal, good.expose()).await.refused().0, 500);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_half_a_minute() {
    let portal = start_both().await;
    let secret = portal.client_secret("local.desk").unwrap();
    for (waited, again, expected) in [(29, false, 200), (0, true, 400), (30, false, 400)] {
        let code = portal.authorisation_code("local.desk", 27);
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "local.desk"),
            ("client_secret", secret.expose()),
            ("code", code.as_str()),
        ];
        if again {
            token(&portal, &form).await;
        }
        pass(&portal, Duration::from_secs(waited));
        assert_eq!(token(&portal, &form).await.status, expected, "{waited} {again}");
    }
}

#[tokio::test]
async fn the_authorisation_server_tells_more_than_the_portal() {
    let portal = start_both().await;
    let own = oauth(&portal, APP_TOKEN, "app.info", json!({})).await.result();
    assert_eq!((&own["CODE"], own.get("member_id")), (&json!("local.desk"), None));
    let address = portal.authorisation_address().unwrap();
    for base in [
        format!("http://{address}/rest/"),
        format!("http://{}/oauth/rest/", portal.address()),
    ] {
        let answer = client()
            .get(format!("{base}app.info?auth={APP_TOKEN}"))
            .send()
            .await
            .unwrap();
        let truth = Answer::of(answer).await.result();
        assert_eq!(truth["install"]["member_id"], "de300de300de300de300de300de300de");
    }
    let by_webhook = webhook(&portal, "app.info", &json!({})).await;
    assert_eq!(by_webhook.refused().1, "WRONG_AUTH_TYPE");
}

#[tokio::test]
async fn an_application_registers_its_own_bots() {
    let portal = start_both().await;
    let (access, _) = portal.tokens("local.desk", 27).unwrap();
    let fields = json!({ "fields": { "code": "own", "properties": { "name": "Own" } } });
    let made = oauth(&portal, access.expose(), "imbot.v2.Bot.register", fields.clone())
        .await
        .result();
    let bot = &made["bot"]["id"];
    let foreign = with(fields, "/fields/botToken", "t".into());
    let taken = webhook(&portal, "imbot.v2.Bot.register", &foreign).await;
    assert_eq!(taken.refused().1, "BOT_CODE_ALREADY_TAKEN");
    let brief = webhook(&portal, "imbot.v2.Bot.get", &json!({ "botToken": "t", "botId": bot }))
        .await
        .result();
    assert_eq!(brief["bot"].get("eventMode"), None, "others see the short form");
    let listed = oauth(&portal, access.expose(), "imbot.v2.Bot.list", json!({}))
        .await
        .result();
    assert_eq!(listed["bots"].as_array().unwrap().len(), 2);
}
