//! The second source of events: bots in fetch mode are polled over the desk, and what comes goes into the inbox like what
//! comes to the door. Imports `types lifecycle telemetry wire method event store rest identity`; owns when each bot is asked
//! and how far its queue at the portal has been read, and confirms nothing that is not on disk.

mod page;
#[cfg(test)]
mod tests;

use crate::identity::Identities;
use crate::lifecycle::Stop;
use crate::method::{EventGet, Method as _};
use crate::rest::{AskError, Desk, Errand};
use crate::store::{Activity, Enqueued, FetchedPage, LeftOut, Store, StoreError};
use crate::telemetry;
use crate::types::{Clock, PortalId, Priority, Timestamp};
use page::Page;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};

/// After a full page. Source: outbound rules, section 14, as the other pauses.
const MORE: Duration = Duration::from_secs(2);
/// After a page that was not full, growing to `IDLE` while nothing comes.
const NEXT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);
/// After an error: the first pause, doubled to the last.
const LONGEST: Duration = Duration::from_secs(60);
/// A poll that could not leave by then is given back.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events of one page: the answers of all bots of a request must fit into one.
const PAGE: i64 = 100;
/// When nobody fetches, a look now and then.
const NOBODY: Duration = Duration::from_secs(3600);

/// A bot of a portal.
type Key = (PortalId, i64);

/// How often a bot is asked.
#[derive(Debug)]
struct Line {
    /// The portal's configured name.
    portal: String,
    due: Timestamp,
    /// When its last poll ended.
    ended: Timestamp,
    pause: Duration,
    /// Polls in a row that brought nothing but an error.
    errors: u32,
    asking: Option<Id>,
    /// When its last poll began, and the first of those that have found nothing since; how many there were.
    began: Timestamp,
    dry_since: Timestamp,
    dry: u32,
    /// When the portal was last told how its events shall come.
    told: Option<Timestamp>,
}

/// What a poll came to.
#[derive(Debug)]
enum Turn {
    /// Where the next page begins, if it moved; how many events there were; whether the portal has more.
    Kept {
        next: Option<i64>,
        events: usize,
        more: bool,
    },
    Failed(String),
}

/// The fetcher: asks portals, writes the inbox.
pub(crate) struct Fetch {
    poll: Poll,
    desk: Desk,
    identities: Identities,
    activity: watch::Sender<Activity>,
    lines: BTreeMap<Key, Line>,
    /// As the store has them.
    offsets: HashMap<Key, i64>,
    polls: JoinSet<(Key, Turn)>,
}

impl Fetch {
    /// A fetcher that has not begun.
    pub(crate) fn new(store: Store, clock: Clock, desk: Desk, identities: Identities) -> Self {
        Self {
            poll: Poll {
                store,
                clock,
                identities: identities.clone(),
            },
            desk,
            identities,
            activity: watch::Sender::new(Activity::default()),
            lines: BTreeMap::new(),
            offsets: HashMap::new(),
            polls: JoinSet::new(),
        }
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Works until the stop. Soft: nobody is asked any more, pages under way are stored. Hard: they are cut; the portal
    /// still has what was not confirmed.
    pub(crate) async fn work(mut self, stop: Stop) {
        match self.poll.store.fetch_offsets().await {
            Ok(offsets) => self.offsets = offsets,
            Err(error) => {
                tracing::error!(%error, "it cannot be read how far events were fetched; none are until a restart");
                return;
            }
        }
        let (mut changes, mut paused) = (self.identities.changes(), self.poll.store.paused());
        while !stop.is_soft() {
            let seen = *changes.borrow_and_update();
            let left_out = Arc::clone(&paused.borrow_and_update());
            self.serve();
            let next = self.ask_due(&left_out);
            self.activity.send_replace(Activity {
                looked: Some((seen, next)),
                running: self.polls.len(),
                ..Activity::default()
            });
            tokio::select! {
                biased;
                () = stop.softened() => break,
                Some(ended) = self.polls.join_next_with_id(), if !self.polls.is_empty() => self.ended(ended),
                Ok(()) = changes.changed() => {}
                Ok(()) = paused.changed() => {}
                () = self.poll.clock.sleep_until(next) => {}
            }
            while let Some(ended) = self.polls.try_join_next_with_id() {
                self.ended(ended);
            }
        }
        let polls = &mut self.polls;
        let drained = stop
            .unless_hard(async { while polls.join_next().await.is_some() {} })
            .await;
        if drained.is_none() {
            polls.shutdown().await;
        }
    }

    /// A line for each bot that fetches now.
    fn serve(&mut self) {
        let now = self.poll.clock.now();
        let mut served = BTreeMap::new();
        for site in self.identities.sites() {
            for (number, bot) in site.bots.iter().filter(|(_, bot)| bot.polls()) {
                let key = (site.id, *number);
                let known = self.lines.remove(&key);
                let mut line = known.unwrap_or_else(|| Line::new(&site.name, now));
                line.switched(bot.switching.and_then(|switching| switching.told), now);
                served.insert(key, line);
            }
        }
        self.lines = served;
    }

    /// Asks for those that are due; returns when to look again.
    fn ask_due(&mut self, paused: &LeftOut) -> Timestamp {
        let now = self.poll.clock.now();
        let may = |key: &Key, line: &Line| {
            line.asking.is_none() && !paused.contains(&(key.0, None)) && !paused.contains(&(key.0, Some(key.1)))
        };
        let waiting: Vec<(Key, Timestamp, bool)> = self
            .lines
            .iter()
            .filter(|(key, line)| may(key, line))
            .map(|(key, line)| (*key, line.due, line.may_join(now)))
            .collect();
        let due = |portal: PortalId| waiting.iter().any(|((of, _), due, _)| *of == portal && *due <= now);
        let (mut asked, mut next) = (Vec::new(), now + NOBODY);
        for (key, at, joins) in &waiting {
            if *at <= now || (*joins && due(key.0)) {
                asked.push(*key);
            } else {
                next = next.min(*at);
            }
        }
        // Without a pause in between, so that the deliverer finds them together.
        for key in asked {
            self.ask(key);
        }
        next
    }

    fn ask(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let offset = self.offsets.get(&key).copied();
        // A page that was too long for an answer is asked for in smaller ones.
        let limit = (PAGE >> line.errors.min(6)).max(1);
        let poll = EventGet::new().limit(limit);
        let poll = match offset {
            Some(offset) => poll.from(offset),
            None => poll,
        };
        let params = Value::Object(poll.params()).to_string();
        let deadline = self.poll.clock.now() + PATIENCE;
        let waiting = self.desk.hand_in(|answer| errand(key, params, deadline, answer));
        let (poll, portal) = (self.poll.clone(), line.portal.clone());
        let task = self.polls.spawn(async move {
            let answer = match waiting {
                Ok(waiting) => waiting.await.unwrap_or(Err(AskError::Stopping)),
                Err(error) => Err(error),
            };
            (key, poll.keep(key, &portal, offset, answer).await)
        });
        line.asking = Some(task.id());
        line.began = self.poll.clock.now();
    }

    fn ended(&mut self, ended: Result<(Id, (Key, Turn)), JoinError>) {
        let now = self.poll.clock.now();
        match ended {
            Ok((_, (key, turn))) => {
                if let Turn::Kept { next: Some(next), .. } = turn {
                    self.offsets.insert(key, next);
                }
                if let Some(line) = self.lines.get_mut(&key) {
                    line.ended(key.1, &turn, now);
                    if line.dry > 1 {
                        self.identities.polled_dry(key.0, key.1, line.dry_since);
                    }
                }
            }
            Err(error) => {
                let of = |line: &&mut Line| line.asking == Some(error.id());
                if let Some(line) = self.lines.values_mut().find(of) {
                    line.ended(0, &Turn::Failed("a poll broke".to_owned()), now);
                }
            }
        }
    }
}

fn errand(
    (portal, bot): Key,
    params: String,
    deadline: Timestamp,
    answer: oneshot::Sender<Result<Value, AskError>>,
) -> Errand {
    Errand {
        portal,
        bot,
        with_bot: true,
        method: EventGet::NAME.to_owned(),
        params,
        priority: Priority::Interactive,
        lane: None,
        now_or_never: false,
        // It confirms only what is stored already.
        repeatable: true,
        in_company: true,
        over_budget: false,
        deadline,
        change: None,
        answer,
    }
}

impl Line {
    fn new(portal: &str, now: Timestamp) -> Self {
        Self {
            portal: portal.to_owned(),
            due: now,
            ended: now,
            pause: NEXT,
            errors: 0,
            asking: None,
            began: now,
            dry_since: now,
            dry: 0,
            told: None,
        }
    }

    /// The portal was told something new: what it has now is asked for at once.
    fn switched(&mut self, told: Option<Timestamp>, now: Timestamp) {
        if self.told != told {
            (self.told, self.due, self.pause) = (told, now, NEXT);
        }
    }

    /// Whether it may be asked a little early, because another bot of its portal is: that costs no request.
    fn may_join(&self, now: Timestamp) -> bool {
        self.errors == 0 && self.due <= now + self.pause / 4 && self.ended + NEXT <= now
    }

    fn ended(&mut self, bot: i64, turn: &Turn, now: Timestamp) {
        self.asking = None;
        self.ended = now;
        if !matches!(turn, Turn::Kept { events: 0, .. }) {
            self.dry = 0;
        } else {
            if self.dry == 0 {
                self.dry_since = self.began;
            }
            self.dry = self.dry.saturating_add(1);
        }
        match turn {
            Turn::Kept { next, events, more } => {
                if self.errors > 0 {
                    tracing::info!(portal = %self.portal, bot, "events of bot {bot} are fetched again");
                }
                self.errors = 0;
                self.pause = match (next, events) {
                    // A full page that does not move would come again at once.
                    (Some(_), _) if *more => MORE,
                    (_, 0) => (self.pause * 2).clamp(NEXT * 2, IDLE),
                    _ => NEXT,
                };
            }
            Turn::Failed(why) => {
                if self.errors == 0 {
                    tracing::warn!(
                        portal = %self.portal, bot, why,
                        "events of bot {bot} of {} could not be fetched; they wait at the portal, for 24 hours", self.portal
                    );
                }
                self.errors += 1;
                self.pause = (NEXT * 2_u32.pow((self.errors - 1).min(4))).min(LONGEST);
            }
        }
        self.due = whole_second(now + self.pause);
    }
}

/// Rounded up, so that bots of one request, answered within a second, share the next one as well.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add(999).div_euclid(1000) * 1000)
}

/// What a poll's answer goes through.
#[derive(Clone, Debug)]
struct Poll {
    store: Store,
    clock: Clock,
    identities: Identities,
}

impl Poll {
    /// Puts a page on disk, and with it where the next one begins.
    async fn keep(&self, (portal, bot): Key, name: &str, offset: Option<i64>, answer: Result<Value, AskError>) -> Turn {
        let now = self.clock.now();
        let page = match answer {
            Ok(answer) => {
                let site = self.identities.site(portal);
                let twins = site.is_some_and(|site| site.has_twins(bot, now));
                Page::of(&answer, (portal, bot), now, twins)
            }
            Err(error) => return Turn::Failed(error.to_string()),
        };
        let Some(Page {
            events,
            sent,
            next,
            more,
        }) = page
        else {
            return Turn::Failed("the answer holds no events and no nextOffset".to_owned());
        };
        // Without events there is nothing to confirm: some portals say 0 then, and 0 would read all from the start.
        let next = next.filter(|next| !events.is_empty() && *next > offset.unwrap_or(0));
        let count = events.len();
        if count > 0 {
            let said: Vec<(String, String)> = events
                .iter()
                .map(|one| (one.name.clone(), one.dialog.clone()))
                .collect();
            let page = FetchedPage {
                portal,
                bot,
                events,
                next,
            };
            let kept = match self.store.keep_page(page).await {
                Ok(kept) => kept,
                Err(StoreError::Full) => return Turn::Failed("the store is full".to_owned()),
                Err(error) => return Turn::Failed(error.to_string()),
            };
            for ((kept, sent), (event, dialog)) in kept.iter().zip(sent).zip(said) {
                let (outcome, inbox_id) = outcome(*kept);
                telemetry::event_arrived(name, now, sent);
                tracing::info!(
                    outcome,
                    portal = name,
                    bot,
                    dialog,
                    event,
                    inbox_id,
                    "fetched event {outcome}"
                );
            }
        }
        Turn::Kept {
            next,
            events: count,
            more,
        }
    }
}

fn outcome(kept: Enqueued) -> (&'static str, i64) {
    match kept {
        Enqueued::Stored(id) => ("accepted", id.0),
        Enqueued::Taken => ("accepted", 0),
        Enqueued::Quarantined(id) => ("quarantined", id.0),
        Enqueued::Duplicate => ("duplicate", 0),
    }
}
