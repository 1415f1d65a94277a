//! The deliverer against a portal of a few lines: who leaves when, what is kept, what comes back.

use super::engine::{Deliver, IN_FLIGHT, Rules};
use super::view::DeliverView;
use crate::identity::{Identities, Setup, Site, SiteBot};
use crate::lifecycle::Stop;
use crate::rest::{AskError, Class, Client, Desk, Errand};
use crate::store::{Activity, Identity, KeyedCall, NewCall, Options, Store, Unknown};
use crate::types::{Clock, Lane, PortalId, Priority, Secret, Timestamp};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};

const SEND: &str = "imbot.v2.Chat.Message.send";
const GET: &str = "imbot.v2.Chat.get";
const REVISION: &str = "imbot.v2.Revision.get";
/// Keeps a call out of batches.
const ALONE: &str = "<";

type Taken = Arc<Mutex<Vec<(String, Value)>>>;

type Asked = Pin<Box<dyn Future<Output = Result<Value, AskError>>>>;

type Answers = Box<dyn FnMut(&str, &Value) -> Option<(u16, Value)> + Send>;

/// A portal: notes what it is asked, answers as it is told, else with success.
#[derive(Clone)]
struct Far {
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    answers: Arc<Mutex<Answers>>,
    /// Each answer needs one.
    leave: Arc<Semaphore>,
    address: String,
}

async fn answer(
    State(far): State<Far>,
    Path((_, _, method)): Path<(i64, String, String)>,
    Json(params): Json<Value>,
) -> (StatusCode, Json<Value>) {
    far.asked.lock().unwrap().push((method.clone(), params.clone()));
    far.leave.acquire().await.unwrap().forget();
    let told = (far.answers.lock().unwrap())(&method, &params);
    let (status, body) = told.unwrap_or_else(|| {
        let cmd = params["cmd"].as_object().cloned().unwrap_or_default();
        let each: HashMap<String, Value> = cmd.keys().map(|key| (key.clone(), json!({ "id": 1 }))).collect();
        let result = if method == "batch" {
            json!({ "result": each, "result_error": [] })
        } else {
            json!({ "id": 1 })
        };
        (200, json!({ "result": result }))
    });
    (StatusCode::from_u16(status).unwrap(), Json(body))
}

impl Far {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = Self {
            asked: Arc::default(),
            answers: Arc::new(Mutex::new(Box::new(|_, _| None))),
            leave: Arc::new(Semaphore::new(100_000)),
            address: format!("http://{}", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/rest/{user}/{code}/{method}", post(answer))
            .with_state(far.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        far
    }

    fn tell(&self, answers: impl FnMut(&str, &Value) -> Option<(u16, Value)> + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(answers);
    }

    /// Every request to this method (`None`: to any) gets this error.
    fn refuse(&self, only: Option<&'static str>, code: &'static str) {
        self.tell(move |method, _| {
            let struck = only.is_none_or(|only| only == method);
            struck.then(|| (400, json!({ "error": code, "error_description": "" })))
        });
    }

    /// Counts as a portal does: refuses above `burst`, two less each second. Returns what it has let through.
    fn counts(&self, clock: Clock, burst: f64) -> Taken {
        let taken = Taken::default();
        let (kept, mut level, mut last) = (Arc::clone(&taken), 0.0, clock.now());
        self.tell(move |method, params| {
            let now = clock.now();
            level = f64::max(level - 2.0 * now.since(last).as_secs_f64(), 0.0);
            last = now;
            if level >= burst {
                return Some((503, json!({ "error": "QUERY_LIMIT_EXCEEDED" })));
            }
            level += 1.0;
            kept.lock().unwrap().push((method.to_owned(), params.clone()));
            None
        });
        taken
    }

    fn methods(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(method, _)| method.clone())
            .collect()
    }
}

/// A deliverer with one portal, bots 1 and 2 behind its webhook, bot 3 by event tokens.
struct Shop {
    _dir: TempDir,
    clock: Clock,
    store: Store,
    portal: PortalId,
    far: Far,
    desk: Desk,
    view: DeliverView,
    stop: Stop,
    deliver: Option<Deliver>,
    activity: watch::Receiver<Activity>,
}

fn site(id: PortalId, far: &Far, plan: (u32, f64)) -> Site {
    let bot = |token: Option<&str>| SiteBot {
        handler: "echo".to_owned(),
        bot_token: token.map(Secret::new),
        ..SiteBot::default()
    };
    Site {
        endpoint: format!("{}/rest/1/token/", far.address),
        allow_insecure: true,
        incoming_webhook: Some(Secret::new(format!("{}/rest/1/code/", far.address))),
        burst: plan.0,
        rate: plan.1,
        bots: [(1, bot(Some("one"))), (2, bot(Some("two"))), (3, bot(None))].into(),
        ..Site::acme(id)
    }
}

async fn shop(plan: (u32, f64)) -> Shop {
    let (dir, far) = (tempfile::tempdir().unwrap(), Far::start().await);
    let clock = Clock::manual(Timestamp(1_700_000_000_000));
    let store = Store::open(dir.path(), Options::new(clock.clone())).unwrap();
    let portal = store.register_portals(&["acme"]).unwrap()[0];
    let client = Client::new().unwrap();
    let identities = Identities::new(Setup {
        store: store.clone(),
        clock: clock.clone(),
        client: client.clone(),
        sites: vec![site(portal, &far, plan)],
        applications: Vec::new(),
    });
    let identities = identities.unwrap();
    let rules = Rules {
        hold: Duration::from_secs(60),
        repeat_unknown: false,
    };
    let ((desk, errands), (view, orders)) = (Desk::open(), DeliverView::open());
    let deliver = Deliver::new(
        store.clone(),
        clock.clone(),
        client,
        rules,
        identities,
        (errands, orders),
    );
    let activity = deliver.activity();
    Shop {
        _dir: dir,
        clock,
        store,
        portal,
        far,
        desk,
        view,
        stop: Stop::new(),
        deliver: Some(deliver),
        activity,
    }
}

impl Shop {
    fn begin(&mut self) {
        let deliver = self.deliver.take().unwrap();
        tokio::spawn(deliver.work(self.stop.clone()));
    }

    fn call(&self, bot: i64, dialog: &str, text: &str) -> NewCall {
        NewCall {
            portal: self.portal,
            bot,
            lane: Lane::of(self.portal, bot, dialog),
            dialog: dialog.to_owned(),
            method: SEND.to_owned(),
            params: json!({ "botId": bot, "dialogId": dialog, "fields": { "message": text } }).to_string(),
            template: None,
            identity: Identity::Webhook,
            token: None,
            unknown: Unknown::Repeat,
            priority: Priority::Interactive,
            event: None,
            received: self.clock.now(),
            expires: self.clock.now() + Duration::from_secs(86_400),
            ties: Default::default(),
        }
    }

    async fn queue(&self, calls: Vec<NewCall>) {
        let keyed = calls.into_iter().map(|call| KeyedCall { key: None, call }).collect();
        self.store.queue_calls(keyed).await.unwrap();
    }

    fn errand(&self, change: impl FnOnce(&mut Errand)) -> Asked {
        let (desk, deadline) = (self.desk.clone(), self.clock.now() + Duration::from_secs(30));
        let mut errand = Errand {
            portal: self.portal,
            bot: 1,
            with_bot: true,
            method: GET.to_owned(),
            params: json!({ "dialogId": "chat5" }).to_string(),
            priority: Priority::Interactive,
            lane: None,
            now_or_never: false,
            repeatable: true,
            in_company: false,
            over_budget: false,
            deadline,
            change: None,
            // The desk puts its own end here.
            answer: tokio::sync::oneshot::channel().0,
        };
        change(&mut errand);
        let asking = tokio::spawn(async move { desk.ask(|answer| Errand { answer, ..errand }).await });
        Box::pin(async move { asking.await.unwrap() })
    }

    /// Returns when nothing runs and nothing is due but what `hanging` requests wait for.
    async fn settled(&mut self, hanging: usize) {
        // An errand that was just made is handed in first.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let idle = |activity: &Activity| {
            let generation = self.store.calls_generation() + self.desk.handed();
            activity.is_idle(hanging, generation, self.clock.now())
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), self.activity.wait_for(idle)).await;
        assert!(waited.is_ok(), "something still runs");
    }

    async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.settled(0).await;
            self.clock.advance(Duration::from_secs(1));
        }
        self.settled(0).await;
    }

    async fn letters(&self) -> Vec<String> {
        let letters = self.store.dead_letters(None, 100).await.unwrap();
        letters.into_iter().map(|letter| letter.reason).collect()
    }
}

#[tokio::test]
async fn of_ten_requests_seven_are_interactive_one_typing_and_two_bulk_when_all_wait() {
    let mut shop = shop((12, 2.0)).await;
    for (priority, name) in [
        (Priority::Bulk, "bulk"),
        (Priority::Typing, "typing"),
        (Priority::Interactive, "reply"),
    ] {
        let calls = (0..30).map(|number| NewCall {
            priority,
            ..shop.call(1, &format!("{name} {number}"), ALONE)
        });
        shop.queue(calls.collect()).await;
    }
    shop.begin();
    let mut counted = HashMap::new();
    for round in 1..=3 {
        shop.settled(0).await;
        for (_, params) in std::mem::take(&mut *shop.far.asked.lock().unwrap()) {
            let dialog = params["dialogId"]
                .as_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned();
            *counted.entry(dialog).or_insert(0) += 1;
        }
        let expected = [("reply", 7 * round), ("typing", round), ("bulk", 2 * round)];
        assert_eq!(
            counted,
            expected.map(|(name, count)| (name.to_owned(), count)).into(),
            "round {round}"
        );
        shop.clock.advance(Duration::from_secs(5));
    }
}

#[tokio::test]
async fn inside_a_dialog_order_beats_priority() {
    let mut shop = shop((50, 2.0)).await;
    let first = NewCall {
        priority: Priority::Bulk,
        ..shop.call(1, "27", "first")
    };
    let second = shop.call(1, "27", "second");
    shop.queue(vec![first, second]).await;
    shop.begin();
    shop.settled(0).await;
    let asked = shop.far.asked.lock().unwrap();
    let texts: Vec<_> = asked
        .iter()
        .map(|(_, params)| params["fields"]["message"].clone())
        .collect();
    assert_eq!(texts, ["first", "second"]);
}

#[tokio::test]
async fn a_typing_notice_leaves_at_once_or_never() {
    let mut shop = shop((10, 2.0)).await;
    let notice = |dialog: &'static str, portal: PortalId| {
        move |errand: &mut Errand| {
            errand.method = "imbot.v2.Chat.InputAction.notify".to_owned();
            errand.lane = Some(Lane::of(portal, 1, dialog));
            errand.priority = Priority::Typing;
            errand.now_or_never = true;
        }
    };
    let portal = shop.portal;
    shop.begin();
    assert!(shop.errand(notice("27", portal)).await.is_ok());
    // A message of the dialog is under way, another behind it.
    shop.far.leave.forget_permits(100_000);
    shop.queue(vec![shop.call(1, "27", "x"), shop.call(1, "27", "y")]).await;
    shop.settled(1).await;
    let late = shop.errand(notice("27", portal)).await;
    assert!(matches!(late, Err(AskError::NoBudget(_))), "{late:?}");
    shop.far.leave.add_permits(100_000);
    assert!(shop.errand(notice("28", portal)).await.is_ok(), "another dialog");
    shop.settled(0).await;
    // The budget is used up: four have left.
    let calls = (0..6).map(|number| shop.call(1, &format!("other {number}"), ALONE));
    shop.queue(calls.collect()).await;
    shop.settled(0).await;
    let before = shop.far.methods().len();
    let short = shop.errand(notice("29", portal)).await;
    assert_eq!(short, Err(AskError::NoBudget("the portal's budget is used up")));
    shop.pass(5).await;
    assert_eq!(
        shop.far.methods().iter().filter(|method| *method != SEND).count(),
        2,
        "nor later"
    );
    assert!(before <= 10, "{before}");
}

#[tokio::test]
async fn an_errand_waits_for_the_budget_until_its_deadline() {
    let mut shop = shop((10, 2.0)).await;
    shop.begin();
    shop.far
        .tell(|_, _| Some((503, json!({ "error": "QUERY_LIMIT_EXCEEDED" }))));
    let patient = shop.errand(|_| {});
    shop.settled(0).await;
    let hasty = shop.errand(|errand| errand.deadline = errand.deadline - Duration::from_secs(29));
    shop.settled(0).await;
    assert_eq!(shop.far.methods(), [GET], "after a refusal nothing leaves");
    shop.far.tell(|_, _| None);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(hasty.await, Err(AskError::NoBudget("the portal's budget is used up")));
    shop.clock.advance(Duration::from_secs(2));
    assert_eq!(patient.await, Ok(json!({ "id": 1 })));
    let asked = shop.far.asked.lock().unwrap().clone();
    assert_eq!(
        asked[1].1,
        json!({ "dialogId": "chat5", "botId": 1, "botToken": "one" })
    );
}

#[tokio::test]
async fn what_goes_beyond_the_budget_meets_the_limit_once_and_nothing_else_is_lost_or_doubled() {
    let mut shop = shop((10, 2.0)).await;
    let taken = shop.far.counts(shop.clock.clone(), 12.0);
    let calls = (0..30).map(|number| shop.call(1, &number.to_string(), ALONE));
    shop.queue(calls.collect()).await;
    let beyond: Vec<Asked> = (0..20)
        .map(|_| {
            shop.errand(|errand| {
                errand.method = REVISION.to_owned();
                (errand.over_budget, errand.in_company) = (true, true);
            })
        })
        .collect();
    let usual = shop.errand(|_| {});
    shop.begin();
    shop.settled(0).await;
    let (mut answered, mut refused, mut kept) = (0, 0, 0);
    for asked in beyond {
        match asked.await {
            Ok(_) => answered += 1,
            Err(AskError::Fault(fault)) => {
                assert_eq!((fault.class, fault.status), (Class::Limit, 503));
                refused += 1;
            }
            Err(AskError::NoBudget(_)) => kept += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(answered + refused + kept, 20);
    assert!(
        answered <= 12 && (1..=IN_FLIGHT).contains(&refused),
        "{answered} {refused}"
    );
    let before = shop.far.methods().len();
    let again = shop.errand(|errand| errand.over_budget = true).await;
    assert!(matches!(again, Err(AskError::NoBudget(_))), "{again:?}");
    assert_eq!(shop.far.methods().len(), before, "none while a refusal is waited for");
    shop.pass(20).await;
    assert!(usual.await.is_ok());
    let mut dialogs: Vec<Value> = taken
        .lock()
        .unwrap()
        .iter()
        .filter(|(method, _)| method == SEND)
        .map(|(_, params)| params["dialogId"].clone())
        .collect();
    assert_eq!(dialogs.len(), 30);
    dialogs.sort_by_key(Value::to_string);
    dialogs.dedup();
    assert_eq!(dialogs.len(), 30, "each once");
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
    assert_eq!(shop.letters().await, [""; 0]);
    assert!(!shop.far.methods().contains(&"batch".to_owned()), "each by itself");
    let view = shop.view.portals().await.unwrap().remove(0);
    assert_eq!(
        (view.capacity, view.paused_until),
        (8, None),
        "the pace is not to blame"
    );
}

#[tokio::test]
async fn a_portal_without_a_limit_is_left_alone_no_longer_than_one_with_the_plan() {
    let mut shop = shop((10, 2.0)).await;
    shop.begin();
    let beyond: Vec<Asked> = (0..100)
        .map(|_| shop.errand(|errand| errand.over_budget = true))
        .collect();
    shop.settled(0).await;
    for asked in beyond {
        assert!(asked.await.is_ok());
    }
    let view = shop.view.portals().await.unwrap().remove(0);
    assert_eq!((view.counted, view.tokens), (10, 0));
    shop.queue(vec![shop.call(1, "27", ALONE)]).await;
    shop.pass(2).await;
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
}

#[tokio::test]
async fn an_errand_is_repeated_only_where_that_does_no_harm() {
    let mut shop = shop((50, 2.0)).await;
    shop.begin();
    shop.far.refuse(None, "INTERNAL_SERVER_ERROR");
    let once = shop.errand(|errand| errand.repeatable = false).await;
    assert!(matches!(once, Err(AskError::Fault(_))), "{once:?}");
    assert_eq!(shop.far.methods().len(), 1);
    let again = shop.errand(|_| {});
    shop.settled(0).await;
    shop.far.tell(|_, _| None);
    shop.clock.advance(Duration::from_secs(2));
    assert!(again.await.is_ok());
    assert_eq!(shop.far.methods().len(), 3);
    let nobody = shop.errand(|errand| errand.portal = PortalId(99)).await;
    assert_eq!(nobody, Err(AskError::NoIdentity));
    let by_event = shop.errand(|errand| errand.bot = 3).await;
    assert_eq!(by_event, Err(AskError::NoIdentity), "no event was seen");
}

#[tokio::test]
async fn a_refused_call_is_its_own_fault_as_long_as_the_identity_is_good() {
    let mut shop = shop((50, 2.0)).await;
    shop.far.refuse(Some(SEND), "INVALID_CREDENTIALS");
    shop.queue(vec![shop.call(1, "27", ALONE), shop.call(1, "28", ALONE)])
        .await;
    shop.begin();
    shop.settled(0).await;
    assert_eq!(shop.letters().await, ["INVALID_CREDENTIALS", "INVALID_CREDENTIALS"]);
    let questions = shop.far.methods().into_iter().filter(|method| method != SEND);
    assert_eq!(Vec::from_iter(questions), ["imbot.v2.Revision.get"], "one for both");
    assert_eq!(shop.view.portals().await.unwrap()[0].parked, []);
}

#[tokio::test]
async fn an_identity_that_is_refused_itself_is_parked_until_an_operator_or_a_question_frees_it() {
    let mut shop = shop((50, 2.0)).await;
    shop.far.refuse(None, "INVALID_CREDENTIALS");
    shop.queue(
        (0..30)
            .map(|number| shop.call(1 + number % 2, &number.to_string(), ALONE))
            .collect(),
    )
    .await;
    shop.begin();
    shop.settled(0).await;
    let tried = shop.far.methods().len();
    assert!(tried <= IN_FLIGHT + 1 + IN_FLIGHT, "{tried} requests");
    assert_eq!(shop.letters().await, Vec::<String>::new(), "everything is kept");
    let views = shop.view.portals().await.unwrap();
    let park = &views[0].parked[0];
    assert_eq!(
        (park.identity, park.bot, park.reason.as_str()),
        ("webhook", None, "INVALID_CREDENTIALS")
    );
    assert_eq!(park.probe_at, shop.clock.now() + Duration::from_secs(600));
    let errand = shop.errand(|_| {}).await;
    assert_eq!(errand, Err(AskError::Parked("INVALID_CREDENTIALS".to_owned())));
    shop.clock.advance(Duration::from_secs(600));
    shop.settled(0).await;
    assert_eq!(shop.far.methods().len(), tried + 1, "one question, refused again");
    shop.far.tell(|_, _| None);
    assert_eq!(shop.view.unpark(shop.portal, Some(2)).await, 1);
    shop.settled(0).await;
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
}

#[tokio::test]
async fn a_refused_bot_does_not_stop_the_other_one() {
    let mut shop = shop((50, 2.0)).await;
    shop.far
        .tell(|_, params| (params["botId"] == 1).then(|| (400, json!({ "error": "BOT_OWNERSHIP_ERROR" }))));
    shop.queue(
        (0..30)
            .map(|number| shop.call(1 + number % 2, &number.to_string(), ALONE))
            .collect(),
    )
    .await;
    shop.begin();
    shop.settled(0).await;
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 15);
    let views = shop.view.portals().await.unwrap();
    assert_eq!(views[0].parked[0].bot, Some(1));
    assert!(shop.errand(|errand| errand.bot = 2).await.is_ok());
}

#[tokio::test]
async fn bots_of_one_webhook_share_a_request_with_the_token_of_each_and_others_do_not() {
    let mut shop = shop((4, 1.0)).await;
    let mut calls: Vec<NewCall> = (0..12)
        .map(|number| shop.call(1 + number % 2, &number.to_string(), "x"))
        .collect();
    calls.push(NewCall {
        identity: Identity::EventToken,
        token: Some(Secret::new("event")),
        ..shop.call(3, "27", "x")
    });
    calls.push(NewCall {
        unknown: Unknown::Stop,
        ..shop.call(1, "once", "x")
    });
    shop.queue(calls).await;
    shop.begin();
    let asked = shop.errand(|errand| errand.priority = Priority::Bulk);
    shop.settled(0).await;
    assert!(asked.await.is_ok());
    let asked = shop.far.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3, "{asked:?}");
    let batch = asked.iter().find(|(method, _)| method == "batch").unwrap();
    let commands: Vec<_> = batch.1["cmd"]
        .as_object()
        .unwrap()
        .values()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(commands.len(), 13, "{commands:?}");
    for command in &commands {
        let own = if command.contains("botId=1&") {
            "botToken=one"
        } else {
            "botToken=two"
        };
        assert!(command.contains(own), "{command}");
    }
    assert!(
        commands.iter().any(|command| command.starts_with(GET)),
        "a question joins in"
    );
    assert!(asked.iter().any(|(_, params)| params["auth"] == "event"));
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_sent_again_one_by_one() {
    let mut shop = shop((22, 2.0)).await;
    shop.queue((0..30).map(|number| shop.call(1, &number.to_string(), "x")).collect())
        .await;
    shop.far.refuse(Some("batch"), "ERROR_METHOD_NOT_FOUND");
    shop.begin();
    shop.pass(20).await;
    assert_eq!(shop.letters().await, Vec::<String>::new());
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
    let batches = shop
        .far
        .methods()
        .into_iter()
        .filter(|method| method == "batch")
        .count();
    assert_eq!(batches, 1);
}

#[tokio::test]
async fn at_most_eight_requests_are_under_way_and_a_portal_that_does_not_answer_gets_single_probes() {
    let mut shop = shop((50, 2.0)).await;
    shop.far.leave.forget_permits(100_000);
    shop.queue((0..20).map(|number| shop.call(1, &number.to_string(), ALONE)).collect())
        .await;
    let mut deliver = shop.deliver.take().unwrap();
    let meters = deliver.open().await.unwrap();
    let outlet = deliver.outlets.get_mut(&shop.portal).unwrap();
    (0..5).for_each(|_| outlet.circuit.timed_out(shop.clock.now()));
    tokio::spawn(deliver.run(meters, shop.stop.clone()));
    shop.settled(0).await;
    assert_eq!(shop.far.methods().len(), 0, "the circuit is open");
    let view = shop.view.portals().await.unwrap().remove(0);
    assert_eq!(view.circuit_open_until, Some(shop.clock.now() + Duration::from_secs(1)));
    let late = shop.errand(|errand| errand.now_or_never = true).await;
    assert_eq!(late, Err(AskError::NoBudget("the portal does not answer")));
    shop.clock.advance(Duration::from_secs(1));
    shop.settled(1).await;
    shop.far.leave.add_permits(1);
    shop.settled(IN_FLIGHT).await;
    let view = shop.view.portals().await.unwrap().remove(0);
    assert_eq!(
        (view.in_flight, view.circuit_open_until),
        (IN_FLIGHT, None),
        "it answers again"
    );
    shop.far.leave.add_permits(100);
    shop.settled(0).await;
    assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
}

#[tokio::test]
async fn the_level_is_kept_at_the_stop() {
    let mut shop = shop((50, 2.0)).await;
    shop.queue((0..20).map(|number| shop.call(1, &number.to_string(), ALONE)).collect())
        .await;
    shop.begin();
    shop.settled(0).await;
    assert!(
        !shop.store.budgets().await.unwrap()[0].clean,
        "while it runs nobody knows"
    );
    shop.stop.soft();
    while !shop.store.budgets().await.unwrap()[0].clean {
        tokio::task::yield_now().await;
    }
    let kept = shop.store.budgets().await.unwrap().remove(0);
    assert!((kept.level - 20.0).abs() < 1e-6, "{kept:?}");
    assert!(shop.far.address.ends_with(&kept.host), "{kept:?}");
    assert_eq!(shop.errand(|_| {}).await, Err(AskError::Stopping));
}
