//! Turns between portals: a backlog of one must not keep another waiting.

use crate::scene::*;
use imbot::testing::Stage;
use imbot::{Bot, Ctx, MessageAdd};
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

const WORKERS: usize = 4;
const BACKLOG: i64 = 10_000;
/// Requests at one time while the backlog is made.
const POSTERS: i64 = 32;

/// Records whose events begin, and lets each go on when the gate gives it leave.
struct Gated {
    begun: Arc<Mutex<Vec<String>>>,
    told: mpsc::UnboundedReceiver<()>,
    gate: Arc<Semaphore>,
}

fn gated() -> (Bot, Gated) {
    let (begun, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
    let (tell, told) = mpsc::unbounded_channel();
    let (list, leave) = (Arc::clone(&begun), Arc::clone(&gate));
    let bot = Bot::new("gated").on(move |ctx: Ctx, _heard: MessageAdd| {
        list.lock().unwrap().push(ctx.portal().to_owned());
        let (leave, tell) = (Arc::clone(&leave), tell.clone());
        async move {
            tell.send(())?;
            leave.acquire().await?.forget();
            Ok(())
        }
    });
    (bot, Gated { begun, told, gate })
}

/// Posts messages of as many dialogs as there are messages, many at once.
async fn backlog(stage: &mut Stage, posters: i64) {
    let template = message(stage.portal_at(0), 27, 1, "x");
    let (url, client) = (stage.webhook(), reqwest::Client::builder().no_proxy().build().unwrap());
    let mut posting = JoinSet::new();
    for poster in 0..posters {
        let (template, url, client) = (template.clone(), url.clone(), client.clone());
        posting.spawn(async move {
            for id in (poster..BACKLOG).step_by(usize::try_from(posters).unwrap()) {
                let body = with(&template, "data[message][id]", &(100_000 + id).to_string());
                let body = with(&body, "data[chat][dialogId]", &(1_000 + id).to_string());
                let request = client
                    .post(&url)
                    .header("content-type", "application/x-www-form-urlencoded");
                assert_eq!(request.body(body).send().await.unwrap().status(), 200);
            }
        });
    }
    while let Some(done) = posting.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn behind_ten_thousand_events_of_one_portal_another_waits_one_turn_a_worker() {
    let (bot, mut gated) = gated();
    let config = format!("workers.concurrency = {WORKERS}\nworkers.handler_timeout = \"1h\"");
    let mut stage = Stage::builder().bot(bot).portals(2).config(&config).start().await;
    backlog(&mut stage, POSTERS).await;
    for _ in 0..WORKERS {
        told(&mut gated.told).await;
    }
    let totals = balanced(&mut stage).await;
    assert_eq!((totals.pending, gated.begun.lock().unwrap().len()), (10_000, WORKERS));

    let late = message(stage.portal_at(1), 27, 9001, "late");
    accepted(&mut stage, late).await;
    for _ in 0..3 * WORKERS {
        gated.gate.add_permits(1);
        told(&mut gated.told).await;
    }
    let begun = gated.begun.lock().unwrap().clone();
    let late = begun.iter().position(|portal| portal == "p1");
    assert!(late.is_some_and(|at| at <= 2 * WORKERS), "{begun:?}");

    let totals = balanced(&mut stage).await;
    assert_eq!((totals.accepted, totals.done), (10_001, 12));
    // After the stop nothing new begins, so only what runs needs leave to end.
    tokio::join!(stage.stop(), async { gated.gate.add_permits(WORKERS) });
}
