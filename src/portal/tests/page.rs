//! The page's side of the portal: what it tells a browser, what it lets people do, and whom it lets in.

use super::{Answer, SEND, client, config, start};
use crate::portal::{Portal, PortalConfig};
use serde_json::{Value, json};

async fn paged() -> Portal {
    start(PortalConfig { page: true, ..config() }).await
}

async fn get(portal: &Portal, path: &str) -> Answer {
    let address = format!("http://{}{path}", portal.address());
    Answer::of(client().get(address).send().await.unwrap()).await
}

async fn act(portal: &Portal, path: &str, body: Value) -> Answer {
    let address = format!("http://{}/_desk/{path}", portal.address());
    Answer::of(client().post(address).json(&body).send().await.unwrap()).await
}

/// A browser's live feed.
struct Feed {
    response: reqwest::Response,
    rest: String,
}

impl Feed {
    async fn open(portal: &Portal) -> Self {
        let address = format!("http://{}/_desk/live", portal.address());
        let response = client().get(address).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let rest = String::new();
        Self { response, rest }
    }

    /// The next event: its name and data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let lines: Vec<_> = event.lines().filter_map(|line| line.split_once(": ")).collect();
                let read = |name: &str| {
                    lines
                        .iter()
                        .find(|(key, _)| *key == name)
                        .map(|(_, text)| (*text).to_owned())
                };
                let told = read("event").zip(read("data"));
                self.rest = rest.to_owned();
                match told {
                    Some((name, data)) => return (name, serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let piece = self.response.chunk().await.unwrap().expect("the feed goes on");
            self.rest.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The first news with this key.
    async fn news(&mut self, key: &str) -> Value {
        loop {
            let (_, told) = self.next().await;
            if !told[key].is_null() {
                return told[key].clone();
            }
        }
    }
}

#[tokio::test]
async fn without_the_switch_there_is_no_page() {
    let portal = start(config()).await;
    for path in ["/", "/_desk/live", "/_desk/app.js"] {
        assert_eq!(get(&portal, path).await.status, 404, "{path}");
    }
    assert_eq!(act(&portal, "say", json!({})).await.status, 404);
}

#[tokio::test]
async fn every_file_that_the_page_names_is_there_and_under_a_strict_policy() {
    let portal = paged().await;
    let index = get(&portal, "/").await;
    assert!(index.media.starts_with("text/html"));
    let mut named: Vec<String> = Vec::new();
    let mut pages = vec![index.text];
    while let Some(page) = pages.pop() {
        for quote in page
            .split('"')
            .filter(|part| part.ends_with(".js") || part.ends_with(".css"))
        {
            let path = quote.replace("./", "/_desk/");
            if path.starts_with("/_desk/") && !named.contains(&path) {
                let file = get(&portal, &path).await;
                assert_eq!(file.status, 200, "{path}");
                assert!(!file.text.contains("innerHTML ="), "{path}");
                assert!(
                    !file.text.contains("http://") || !file.text.contains("import(\"http"),
                    "{path}"
                );
                named.push(path);
                pages.push(file.text);
            }
        }
    }
    assert_eq!(named.len(), 9, "{named:?}");
    let answer = client().get(portal.page()).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn the_feed_begins_with_everything_and_goes_on_with_what_differs() {
    let portal = paged().await;
    portal.say(27, "456", "before").await.unwrap();
    let mut feed = Feed::open(&portal).await;
    let (name, hello) = feed.next().await;
    assert_eq!(name, "hello");
    assert_eq!(hello["messages"][0]["text"], "before");
    assert_eq!(hello["events"][0]["event"], "ONIMBOTV2MESSAGEADD");
    assert_eq!(hello["events"][0]["n"], 1);
    assert_eq!(hello["portal"]["webhook"], portal.incoming_webhook());
    assert_eq!(hello["bots"].as_array().unwrap().len(), 3);
    portal.say(27, "456", "after").await.unwrap();
    let told = feed.news("messages").await;
    assert_eq!(told.as_array().unwrap().len(), 1, "only what is new: {told}");
    assert_eq!(told[0]["text"], "after");
    let id = told[0]["id"].as_i64().unwrap();
    portal.edit(id, "changed").await.unwrap();
    assert_eq!(feed.news("messages").await[0]["text"], "changed");
    portal.delete_message(id).await.unwrap();
    assert_eq!(feed.news("gone").await, json!([id]));
    portal.answer_error(None, 503, "QUERY_LIMIT_EXCEEDED", 1);
    assert_eq!(feed.news("faults").await[0]["does"], "answers 503 QUERY_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_call_can_be_looked_into_and_made_again_with_its_curl_line() {
    let portal = paged().await;
    let params = json!({ "botId": 456, "botToken": "token-456", "dialogId": "27", "fields": { "message": "it's" } });
    let sent = client()
        .post(format!("{}{SEND}", portal.incoming_webhook()))
        .json(&params)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let told = get(&portal, "/_desk/call/1").await.json();
    assert_eq!(told["params"]["botToken"], "***");
    assert_eq!(told["answer"]["id"], 1001);
    assert_eq!(told["level"], 1);
    let curl = told["curl"].as_str().unwrap();
    assert!(curl.contains("token-456") && curl.contains(r"it'\''s"), "{curl}");
    assert_eq!(get(&portal, "/_desk/call/2").await.status, 404);
    assert_eq!(get(&portal, "/_desk/event/1").await.status, 404);
}

#[tokio::test]
async fn an_event_is_shown_as_sent_decoded_and_as_a_library_reads_it() {
    let portal = start(PortalConfig {
        page: true,
        normalize: Some(|body| format!("{} bytes", body.len())),
        ..config()
    })
    .await;
    portal.set_webhook_url(456, "http://127.0.0.1:9/hook").unwrap();
    let sent = portal.say(27, "456", "a & b").await.unwrap();
    let told = get(&portal, "/_desk/event/1").await.json();
    assert_eq!(told["form"], String::from_utf8_lossy(sent.body()).as_ref());
    assert_eq!(told["decoded"]["data"]["message"]["text"], "a & b");
    assert_eq!(told["normalized"], format!("{} bytes", sent.body().len()));
    assert_eq!(told["status"], Value::Null, "nobody listens there");
    assert!(
        told["curl"]
            .as_str()
            .unwrap()
            .starts_with("curl -sS 'http://127.0.0.1:9/hook' --data-raw 'event=")
    );
}

#[tokio::test]
async fn people_change_only_their_own_and_a_private_chat_opens_once() {
    let portal = paged().await;
    let id = portal.say(27, "456", "mine").await.unwrap().message_id;
    let stolen = act(&portal, "edit", json!({ "user": 28, "message": id, "text": "theirs" })).await;
    assert_eq!(stolen.status, 400);
    assert_eq!(
        act(&portal, "delete", json!({ "user": 28, "message": id }))
            .await
            .status,
        400
    );
    assert_eq!(portal.messages("27")[0].text, "mine");
    assert_eq!(
        act(&portal, "edit", json!({ "user": 27, "message": id, "text": "better" }))
            .await
            .status,
        200
    );
    assert_eq!(portal.messages("27")[0].text, "better");
    let mut feed = Feed::open(&portal).await;
    feed.next().await;
    let before = portal.deliveries().len();
    for _ in 0..2 {
        assert_eq!(
            act(&portal, "open", json!({ "user": 27, "bot": 457 })).await.status,
            200
        );
    }
    assert_eq!(feed.news("events").await[0]["event"], "ONIMBOTV2JOINCHAT");
    assert_eq!(
        portal.deliveries().len(),
        before + 1,
        "it was already open the second time"
    );
}

#[tokio::test]
async fn a_file_is_saved_and_never_shown_as_a_page() {
    let portal = paged().await;
    // `<script>` in base64.
    let upload = json!({ "user": 27, "dialog": "456", "name": "a\r\nb.html", "content": "PHNjcmlwdD4=" });
    assert_eq!(act(&portal, "upload", upload).await.status, 200);
    let address = format!("http://{}/_desk/file/138", portal.address());
    let file = client().get(address).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "application/octet-stream");
    assert_eq!(
        file.headers()["content-disposition"],
        "attachment; filename=\"a__b.html\""
    );
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(file.text().await.unwrap(), "<script>");
}

#[tokio::test]
async fn a_crowd_writes_at_once_and_is_counted() {
    let portal = paged().await;
    let told = act(&portal, "burst", json!({ "dialog": "456", "count": 50 }))
        .await
        .json();
    assert_eq!((&told["said"], &told["events"]), (&json!(50), &json!(50)));
    assert_eq!(told["taken"], 0, "the bot has no address");
}

#[tokio::test]
async fn another_site_gets_nothing_and_changes_nothing() {
    let portal = paged().await;
    let say = json!({ "user": 27, "dialog": "456", "text": "forged" });
    let address = format!("http://{}/_desk/say", portal.address());
    let post = || client().post(&address).body(say.to_string());
    for request in [
        post().header("content-type", "text/plain"),
        post()
            .header("content-type", "application/json")
            .header("origin", "http://evil.example"),
        post()
            .header("content-type", "application/json")
            .header("sec-fetch-site", "cross-site"),
        post()
            .header("content-type", "application/json")
            .header("host", "evil.example"),
    ] {
        assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    }
    assert!(portal.messages("27").is_empty());
    assert_eq!(act(&portal, "say", say).await.status, 200);
}
