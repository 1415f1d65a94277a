//! `batch` over HTTP: order, references, errors of their own, limits, and what counts for operating time.

use super::catalogue::World;
use super::*;

async fn batch(world: &World, body: &str) -> Value {
    let url = format!("{}batch", world.portal.incoming_webhook());
    let request = client().post(url).header("content-type", "application/json");
    Answer::of(request.body(body.to_owned()).send().await.unwrap())
        .await
        .result()
}

fn send(world: &World, text: &str) -> String {
    format!(
        "imbot.v2.Chat.Message.send?botId={}&botToken=rest-token&dialogId={}&fields[message]={text}",
        world.bot,
        world.dialog()
    )
}

#[tokio::test]
async fn commands_run_in_the_order_written_and_answer_under_their_keys() {
    let world = World::new().await;
    let body = format!(
        r#"{{"halt":0,"cmd":{{"z":"{}","a":"{}","bad":"no.such","mute":5}}}}"#,
        send(&world, "first"),
        send(&world, "second"),
    );
    let answer = batch(&world, &body).await;
    assert_eq!(texts(&world.portal, &world.dialog()), ["first", "second"]);
    assert!(answer["result"]["z"]["id"].as_i64() < answer["result"]["a"]["id"].as_i64());
    assert_eq!(answer["result_error"]["bad"]["error"], "ERROR_METHOD_NOT_FOUND");
    for map in ["result", "result_error", "result_time"] {
        assert_eq!(
            answer[map].get("mute"),
            None,
            "a command that is no text leaves no trace"
        );
    }
    assert_eq!(answer["result_total"], json!([]), "an empty map is PHP's empty array");
    assert!(answer["result_time"]["z"]["operating"].is_number());
}

#[tokio::test]
async fn a_form_counts_its_commands_and_numbers_print_as_lists() {
    let world = World::new().await;
    let url = format!("{}batch", world.portal.incoming_webhook());
    let body = format!("cmd[]={REVISION}&cmd[]={REVISION}");
    let request = client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = Answer::of(request.body(body).send().await.unwrap()).await.result();
    assert_eq!(answer["result"].as_array().unwrap().len(), 2);
    assert_eq!(answer["result_error"], json!([]));
}

#[tokio::test]
async fn references_reach_earlier_results_and_user_text_with_one_is_replaced_too() {
    let world = World::new().await;
    let send_to_new = format!(
        "imbot.v2.Chat.Message.send?botId={0}&botToken=rest-token&dialogId=$result[c][chat][dialogId]&fields[message]=x",
        world.bot
    );
    let make = format!(
        "imbot.v2.Chat.add?botId={}&botToken=rest-token&fields[title]=Made",
        world.bot
    );
    let text = send(&world, "id%20%24result%5Bc%5D%5Bchat%5D%5Bid%5D");
    let body = format!(r#"{{"cmd":{{"c":"{make}","m":"{send_to_new}","t":"{text}"}}}}"#);
    let answer = batch(&world, &body).await;
    let chat = &answer["result"]["c"]["chat"]["id"];
    assert_eq!(texts(&world.portal, &format!("chat{chat}")), ["x"]);
    assert_eq!(texts(&world.portal, &world.dialog()), [format!("id {chat}")]);
}

#[tokio::test]
async fn text_arrives_the_same_alone_and_in_a_batch() {
    let world = World::new().await;
    let text = "a&b=c#d%41+e\nf🙂[g]\"h'";
    let encoded = crate::portal::http_build_query(&json!({ "fields": { "message": text } }));
    let command = format!(
        "imbot.v2.Chat.Message.send?botId={}&botToken=rest-token&dialogId={}&{encoded}",
        world.bot,
        world.dialog()
    );
    batch(&world, &json!({ "cmd": { "a": command } }).to_string()).await;
    let alone = json!({ "dialogId": world.dialog(), "fields": { "message": text } });
    world.call("Chat.Message.send", alone).await;
    assert_eq!(texts(&world.portal, &world.dialog()), [text, text]);
}

#[tokio::test]
async fn halt_stops_at_the_first_error_and_what_may_not_be_batched_is_told() {
    let world = World::new().await;
    let after = send(&world, "after");
    for (command, code) in [
        ("batch?cmd[a]=x", "ERROR_BATCH_METHOD_NOT_ALLOWED"),
        ("download", "ERROR_BATCH_METHOD_NOT_ALLOWED"),
        ("imbot.v2.Bot.get?botId=1", "BOT_TOKEN_NOT_SPECIFIED"),
    ] {
        let body = json!({ "halt": 1, "cmd": { "a": command, "b": after } });
        let answer = batch(&world, &body.to_string()).await;
        assert_eq!(answer["result_error"]["a"]["error"], code);
        assert_eq!(answer["result"], json!([]));
    }
    assert!(texts(&world.portal, &world.dialog()).is_empty());
}

#[tokio::test]
async fn the_fifty_first_command_gets_an_error_of_its_own() {
    let world = World::new().await;
    let before = world.portal.log().last().unwrap().level;
    let commands: Vec<String> = (0..52).map(|n| format!("\"k{n}\":\"{REVISION}\"")).collect();
    let answer = batch(&world, &format!("{{\"cmd\":{{{}}}}}", commands.join(","))).await;
    assert_eq!(answer["result"].as_object().unwrap().len(), 50);
    for key in ["k50", "k51"] {
        assert_eq!(answer["result_error"][key]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
    }
    assert_eq!(
        world.portal.log().last().unwrap().level,
        before + 1,
        "a batch counts as one request"
    );
}

#[tokio::test]
async fn short_calls_are_free_alone_and_count_in_a_batch() {
    let world = World::new().await;
    webhook(&world.portal, REVISION, &json!({})).await.result();
    let alone = webhook(&world.portal, REVISION, &json!({})).await;
    assert_eq!(alone.json()["time"]["operating"], 0);
    assert_eq!(alone.json()["time"].get("operating_reset_at"), None);
    let body = json!({ "cmd": { "a": REVISION, "b": REVISION } });
    batch(&world, &body.to_string()).await;
    let time = webhook(&world.portal, REVISION, &json!({})).await.json()["time"].clone();
    assert_eq!(time["operating"], 0.16);
    assert_eq!(time["operating_reset_at"], 1_772_094_600);
}

#[tokio::test]
async fn a_fault_can_aim_inside_a_batch() {
    let world = World::new().await;
    let aim = crate::portal::Aim {
        in_batch: Some(true),
        nth: Some(2),
        ..Default::default()
    };
    let rule = crate::portal::Rule {
        method: Some(REVISION.to_owned()),
        times: None,
        until: None,
        action: crate::portal::Action::Answer {
            status: 500,
            code: "INTERNAL_SERVER_ERROR".to_owned(),
            shape: crate::portal::Shape::Json,
        },
    };
    world.portal.fault_at(rule, aim);
    webhook(&world.portal, REVISION, &json!({})).await.result();
    let body = json!({ "cmd": { "a": REVISION, "b": REVISION, "c": REVISION } });
    let answer = batch(&world, &body.to_string()).await;
    assert_eq!(answer["result_error"]["b"]["error"], "INTERNAL_SERVER_ERROR");
    assert_eq!(answer["result"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_command_takes_its_own_time_and_not_that_of_the_way_to_the_portal() {
    let world = World::new().await;
    world.portal.delay(Duration::from_secs(3));
    let url = format!("{}batch", world.portal.incoming_webhook());
    let asked = tokio::spawn(async move {
        let body = format!(r#"{{"cmd":{{"a":"{REVISION}","b":"{REVISION}"}}}}"#);
        let request = client().post(url).header("content-type", "application/json");
        Answer::of(request.body(body).send().await.unwrap()).await.json()
    });
    // It waits from the moment it reads the clock; nothing shows that moment, so the clock goes on until it is over.
    while !asked.is_finished() {
        pass(&world.portal, Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let answer = asked.await.unwrap();
    let whole = answer["time"]["duration"].as_f64().unwrap();
    assert!(whole >= 3.0, "{whole}");
    for key in ["a", "b"] {
        let own = answer["result"]["result_time"][key]["duration"].as_f64().unwrap();
        assert!(own < 1.0, "{key}: {own}");
    }
}
