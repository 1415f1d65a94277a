//! `kill -9` at random moments under load, many rounds on one store. What was answered 200 is handled or in the dead
//! letters, nothing is answered twice, every repeat carries the same words, every dialog keeps its order.

use crate::link::Link;
use crate::server::{Far, Server};
use imbot::portal::{Decision, LogEntry};
use imbot::types::Clock;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const FORM: &str = "application/x-www-form-urlencoded";
const ROUNDS: usize = 50;
/// Dialogs with one sender each; half of the senders keep their connection, the others open one for each event.
const DIALOGS: usize = 20;
/// Senders of slash commands in group chats, in every fifth round.
const GROUPS: usize = 4;
/// Events answered 200 in each round before the kill.
const WANTED: usize = 200;

/// Small, seeded and the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end * 1000))
    }
}

/// One person who writes, the next message only after the answer to the last.
struct Sender {
    user: i64,
    random: Random,
    link: Link,
    /// The texts in the order in which they were first posted, and whether a 200 was seen.
    posted: Vec<(String, bool)>,
    body: Vec<u8>,
    /// The last post got no answer and will be posted once more.
    again: bool,
    duplicates: usize,
}

impl Sender {
    fn new(number: usize, to: SocketAddr, seed: u64) -> Self {
        Self {
            user: 1000 + i64::try_from(number).expect("a small number"),
            random: Random(seed ^ (number as u64 + 1)),
            link: Link::new(to, number.is_multiple_of(2)),
            posted: Vec::new(),
            body: Vec::new(),
            again: false,
            duplicates: 0,
        }
    }

    /// Posts until a post gets no answer.
    fn round(&mut self, far: &Far, acknowledged: &AtomicUsize) {
        loop {
            let again = std::mem::take(&mut self.again) || (!self.posted.is_empty() && self.random.below(20) == 0);
            if !again {
                // Message ids of this user's own, far from those that the portal gives.
                let message = self.user * 1_000_000 + i64::try_from(self.posted.len()).expect("few");
                self.posted.push((message.to_string(), false));
                self.body = far.body(self.user, message, &message.to_string());
            }
            let reply = self.link.post(FORM, &self.body);
            let last = self.posted.last_mut().expect("one was posted");
            let Ok(reply) = reply else {
                // Half of those whose answer was not seen are posted again in the next round.
                self.again = !last.1 && self.random.below(2) == 0;
                return;
            };
            assert_eq!(reply.status, 200, "{reply:?}");
            let expected: &[_] = match (again, last.1) {
                (false, _) => &[Some("accepted")],
                (true, true) => &[Some("duplicate")],
                (true, false) => &[Some("accepted"), Some("duplicate")],
            };
            assert!(expected.contains(&reply.outcome()), "{reply:?}, expected {expected:?}");
            self.duplicates += usize::from(reply.outcome() == Some("duplicate"));
            if !std::mem::replace(&mut last.1, true) {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Commands typed in groups: (message, whether a 200 was seen).
type Commands = Vec<(i64, bool)>;

fn command_round(far: &Far, group: usize, acknowledged: &AtomicUsize) -> Commands {
    let mut commands = Vec::new();
    loop {
        let said = far
            .wait(far.portal.say(2000, &format!("chat{}", 9000 + group), "/help"))
            .expect("the group is there");
        commands.push((said.message_id, said.status() == Some(200)));
        if said.status().is_none() {
            return commands;
        }
        assert_eq!(said.status(), Some(200), "{said:?}");
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// One round of load, with the kill in its middle. Returns what was typed in groups, and the events answered 200.
fn round(
    far: &Far,
    server: &mut Server,
    senders: &mut [Sender],
    groups: usize,
    random: &mut Random,
) -> (Commands, usize) {
    let acknowledged = AtomicUsize::new(0);
    let wanted = WANTED + usize::try_from(random.below(100)).expect("small");
    let commands = thread::scope(|scope| {
        let acknowledged = &acknowledged;
        let typing: Vec<_> = (0..groups)
            .map(|group| scope.spawn(move || command_round(far, group, acknowledged)))
            .collect();
        let posting: Vec<_> = senders
            .iter_mut()
            .map(|sender| scope.spawn(move || sender.round(far, acknowledged)))
            .collect();
        let alive = || posting.iter().any(|sender| !sender.is_finished());
        while acknowledged.load(Ordering::Relaxed) < wanted && alive() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(random.millis(20));
        server.kill();
        typing
            .into_iter()
            .flat_map(|commands| commands.join().expect("it does not fail"))
            .collect()
    });
    let acknowledged = acknowledged.into_inner();
    assert!(
        acknowledged >= WANTED,
        "only {acknowledged} events were answered:\n{}",
        server.said()
    );
    (commands, acknowledged)
}

/// The texts of the calls and events in the dead letters, and the messages whose command's answer is unknown.
fn given_up(server: &Server) -> (HashSet<String>, HashSet<i64>, usize) {
    let letters: Vec<_> = ["events", "calls", "unknown"]
        .iter()
        .flat_map(|queue| server.letters(queue))
        .collect();
    let (mut texts, mut messages) = (HashSet::new(), HashSet::new());
    for letter in &letters {
        let whole = server.letter(&letter["id"]);
        let body = whole["body"].as_str().expect("a body").to_owned();
        match serde_json::from_str::<serde_json::Value>(&body) {
            Ok(call) => {
                texts.extend(call["fields"]["message"].as_str().map(str::to_owned));
                messages.extend(call["messageId"].as_i64());
            }
            Err(_) => {
                let text = body
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("data%5Bmessage%5D%5Btext%5D="));
                texts.extend(text.map(str::to_owned));
                let id = body
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("data%5Bmessage%5D%5Bid%5D="));
                messages.extend(id.and_then(|id| id.parse::<i64>().ok()));
            }
        }
    }
    (texts, messages, letters.len())
}

/// Every request for one text carries one templateId and the other way round. Returns how many were repeats.
fn repeats_are_alike(log: &[LogEntry]) -> usize {
    let (mut by_text, mut by_template) = (HashMap::new(), HashMap::new());
    let mut repeats = 0;
    for entry in log.iter().filter(|entry| entry.method == "imbot.v2.Chat.Message.send") {
        let text = entry.text().expect("a text");
        let template = entry.template_id().expect("every send carries a templateId");
        let first = by_text.insert(text, template);
        repeats += usize::from(first.is_some());
        assert!(
            first.is_none_or(|first| first == template),
            "{text} was sent with two templateIds"
        );
        let other = by_template.insert(template, text);
        assert!(
            other.is_none_or(|other| other == text),
            "templateId {template} came with two texts"
        );
    }
    repeats
}

/// Nothing twice, in order, and nothing acknowledged is missing.
fn dialog_is_whole(far: &Far, sender: &Sender, given_up: &HashSet<String>) {
    let heard = far.heard(sender.user);
    let distinct: HashSet<&String> = heard.iter().collect();
    assert_eq!(
        distinct.len(),
        heard.len(),
        "user {} was answered twice: {heard:?}",
        sender.user
    );
    let in_order = heard.is_sorted_by_key(|text| text.parse::<i64>().expect("a number"));
    assert!(in_order, "user {} was answered out of order: {heard:?}", sender.user);
    for (text, acknowledged) in &sender.posted {
        assert!(
            !acknowledged || distinct.contains(text) || given_up.contains(text),
            "{text} was answered 200 and is lost"
        );
    }
    let posted: HashSet<&String> = sender.posted.iter().map(|(text, _)| text).collect();
    assert!(distinct.is_subset(&posted), "nobody posted some of {heard:?}");
}

/// A command is answered at most once; one that was acknowledged is answered or its outcome is shown as unknown.
fn commands_are_whole(log: &[LogEntry], commands: &Commands, given_up: &HashSet<i64>) {
    let mut answers: BTreeMap<i64, usize> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.method == "imbot.v2.Command.answer") {
        if matches!(entry.decision, Decision::Executed { .. }) {
            *answers
                .entry(entry.params["messageId"].as_i64().expect("a number"))
                .or_default() += 1;
        }
    }
    for (message, acknowledged) in commands {
        let count = answers.get(message).copied().unwrap_or(0);
        assert!(count <= 1, "command {message} was answered {count} times");
        assert!(
            !acknowledged || count == 1 || given_up.contains(message),
            "command {message} is lost"
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_answered_twice_when_the_process_is_killed() {
    let seed = u64::try_from(Clock::system().now().0).expect("after 1970");
    let mut random = Random(seed);
    let far = Far::start(100_000);
    let mut server = Server::new(&far.table());
    server.set("IMBOT_LOG", "warn");
    far.portal
        .set_webhook_url(crate::server::ECHO, &format!("http://{}/webhook", server.public))
        .unwrap();
    let mut senders: Vec<_> = (0..DIALOGS)
        .map(|number| Sender::new(number, server.public, seed))
        .collect();
    let (mut commands, mut acknowledged, mut early) = (Vec::new(), 0, 0);
    tell(&format!("kill: seed {seed}"));
    for number in 0..ROUNDS {
        if random.below(4) == 0 {
            // Killed while it starts, or while it catches up.
            server.spawn();
            thread::sleep(random.millis(100));
            server.kill();
            early += 1;
        }
        server.start();
        if random.below(4) != 0 {
            // After a kill the portal's budget counts as used up; with room in it, requests are under way at the kill.
            server.may_call();
        }
        let groups = if number % 5 == 0 { GROUPS } else { 0 };
        let (typed, answered) = round(&far, &mut server, &mut senders, groups, &mut random);
        commands.extend(typed);
        acknowledged += answered;
    }
    server.start();
    server.settled();

    let log = far.portal.log();
    let (texts, messages, letters) = given_up(&server);
    let repeats = repeats_are_alike(&log);
    for sender in &senders {
        dialog_is_whole(&far, sender, &texts);
    }
    commands_are_whole(&log, &commands, &messages);
    let duplicates: usize = senders.iter().map(|sender| sender.duplicates).sum();
    let unseen: usize = senders
        .iter()
        .map(|sender| sender.posted.iter().filter(|(_, acknowledged)| !acknowledged).count())
        .sum();
    tell(&format!(
        "kill: {ROUNDS} rounds and {early} kills during start; {acknowledged} events answered 200 (of them {} of {} \
         commands), {unseen} without an answer; {} requests to the portal, {repeats} repeated; {letters} dead letters; \
         {duplicates} duplicates named",
        commands.iter().filter(|(_, acknowledged)| *acknowledged).count(),
        commands.len(),
        log.len()
    ));
    assert!(
        repeats > 0,
        "the kills met no request under way: the test did not test much"
    );
}

/// Figures, past the harness, which would swallow them.
fn tell(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .expect("stderr takes a line");
}
