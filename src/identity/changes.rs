//! Changes of a bot that take more than one step and go on after a crash: what the store holds of them, and who carries
//! them on. One bot has one step under way at a time. What a step does is in `rotation` and `switching`.

use super::identities::Identities;
use super::site::{Site, SiteBot};
use crate::lifecycle::Stop;
use crate::rest::{AskError, Desk, Errand, TokenChange};
use crate::store::{Activity, Rotation, Store, StoreError, Switching};
use crate::telemetry;
use crate::types::{PortalId, Priority, Timestamp};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// A bot of a portal.
pub(super) type Key = (PortalId, i64);
/// Where new tokens come from.
pub(crate) type Random = fn(&mut [u8]) -> io::Result<()>;

/// How long a step may wait for the portal's budget.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pauses after steps that brought no answer: 1 s, 2 s … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Look even when nothing is due: a lost wake-up must only cost time.
const POLL: Duration = Duration::from_secs(3600);

/// What the store holds of changes, and what is still to be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) rotations: HashMap<Key, Rotation>,
    pub(super) switchings: HashMap<Key, Switching>,
    /// Bots whose events were ever fetched.
    fetched: HashSet<Key>,
    /// Switchings that were assumed just now.
    pub(super) unsaved: HashSet<Key>,
    /// Bots on their way to webhook mode whose queue is read out.
    pub(super) dry: HashSet<Key>,
}

impl Kept {
    pub(super) fn load(store: &Store) -> Result<Self, StoreError> {
        let mut kept = Self::default();
        for (key, rotation) in store.rotations()? {
            match rotation {
                Some(rotation) => drop(kept.rotations.insert(key, rotation)),
                None => tracing::error!(
                    bot = key.1,
                    "the stored token of bot {} cannot be read: store.key is another one; restore it. The configured \
                     token is used until then",
                    key.1
                ),
            }
        }
        kept.switchings = store.switchings()?.into_iter().collect();
        kept.fetched = store.fetched_bots()?.into_iter().collect();
        Ok(kept)
    }

    /// Puts what is known of a bot's changes on it.
    pub(super) fn recall(&self, key: Key, bot: &mut SiteBot) {
        bot.rotation = self.rotations.get(&key).cloned();
        bot.switching = self.switchings.get(&key).copied();
    }

    /// Takes the portal to hold a bot's events in its queue, because it did so far and nobody has said otherwise.
    fn assume(&mut self, key: Key, now: Timestamp) {
        let assumed = Switching {
            fetch: true,
            began: now,
            told: None,
            finished: Some(now),
        };
        self.switchings.insert(key, assumed);
        self.unsaved.insert(key);
    }
}

impl Identities {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what is known of changes on a portal that is about to be served.
    pub(super) fn recall(&self, site: &mut Site) {
        let now = self.0.clock.now();
        let mut kept = self.kept();
        for (number, bot) in &mut site.bots {
            let key = (site.id, *number);
            if !bot.fetches && kept.fetched.contains(&key) && !kept.switchings.contains_key(&key) {
                kept.assume(key, now);
            }
            kept.recall(key, bot);
        }
    }

    /// A bot that was fetched so far and shall not be from now on: only the portal can end that.
    pub(super) fn go_on_fetching(&self, before: Option<&Site>, now: &Site) {
        let was = |number: &i64| before.and_then(|before| before.bots.get(number));
        let mut kept = self.kept();
        for (number, bot) in &now.bots {
            if !bot.fetches && was(number).is_some_and(|was| was.polls() && was.switching.is_none()) {
                kept.assume((now.id, *number), self.0.clock.now());
            }
        }
    }

    /// Publishes how long changes have been under way.
    pub(crate) fn publish_changes(&self) {
        let now = self.0.clock.now();
        let longest =
            |began: &mut dyn Iterator<Item = Timestamp>| began.map(|began| now.since(began)).max().unwrap_or_default();
        for site in self.sites() {
            let rotations = site.bots.values().filter_map(|bot| bot.rotation.as_ref());
            let mut unsettled = rotations.filter(|it| it.done.is_none()).map(|it| it.planned);
            telemetry::change_age(&site.name, "rotation", longest(&mut unsettled));
            let switchings = site.bots.values().filter_map(|bot| bot.switching);
            let mut open = switchings.filter(|it| it.finished.is_none()).map(|it| it.began);
            telemetry::change_age(&site.name, "event_mode", longest(&mut open));
        }
    }

    /// The portal and the number of a bot by its code or number.
    pub(crate) fn bot_called(&self, portal: PortalId, name: &str) -> Option<i64> {
        let site = self.site(portal)?;
        let mut found = site.bots.iter().filter(|(number, bot)| bot.is_called(**number, name));
        found.next().map(|(number, _)| *number)
    }
}

/// Who carries changes on. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Changes(pub(super) Arc<Works>);

#[derive(Debug)]
pub(super) struct Works {
    pub(super) identities: Identities,
    desk: Desk,
    pub(super) random: Random,
    busy: Mutex<HashSet<Key>>,
    /// Steps that brought no answer so far, and when the next one is made.
    patience: Mutex<HashMap<Key, (u32, Timestamp)>>,
    /// Differences that were told.
    said: Mutex<HashSet<String>>,
    freed: Notify,
    activity: watch::Sender<Activity>,
}

/// A bot in the hands of one step.
pub(super) struct Busy {
    works: Arc<Works>,
    key: Key,
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.works.busy).remove(&self.key);
        self.works.freed.notify_one();
    }
}

/// What is to be done about a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Settle,
    Tidy,
    Align,
    Save,
    Tell,
    Verify,
    Finish,
}

impl Changes {
    pub(crate) fn new(identities: Identities, desk: Desk, random: Random) -> Self {
        Self(Arc::new(Works {
            identities,
            desk,
            random,
            busy: Mutex::default(),
            patience: Mutex::default(),
            said: Mutex::default(),
            freed: Notify::new(),
            activity: watch::Sender::new(Activity::default()),
        }))
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.0.activity.subscribe()
    }

    /// Carries on what the store holds until the stop. Cut by it nothing is lost: the next start goes on.
    pub(crate) async fn work(self, stop: Stop) {
        let works = &self.0;
        let mut changes = works.identities.changes();
        let mut steps = JoinSet::new();
        while !stop.is_soft() {
            let seen = *changes.borrow_and_update();
            let next = self.start_due(&mut steps);
            works.activity.send_replace(Activity {
                looked: Some((seen, next)),
                running: steps.len(),
                ..Activity::default()
            });
            tokio::select! {
                biased;
                () = stop.softened() => break,
                Some(_) = steps.join_next(), if !steps.is_empty() => {}
                Ok(()) = changes.changed() => {}
                () = works.freed.notified() => {}
                () = works.identities.0.clock.sleep_until(next) => {}
            }
            while steps.try_join_next().is_some() {}
        }
        steps.shutdown().await;
    }

    /// Starts what is due; returns when to look again.
    fn start_due(&self, steps: &mut JoinSet<()>) -> Timestamp {
        let works = &self.0;
        let now = works.identities.0.clock.now();
        let mut next = now + POLL;
        for site in works.identities.sites() {
            for (number, bot) in &site.bots {
                let key = (site.id, *number);
                let mut waits = false;
                for (step, due) in self.steps_of(key, bot, now) {
                    let due = self.not_before(key).map_or(due, |moment| due.max(moment));
                    if due > now {
                        next = next.min(due);
                    } else if let Some(busy) = self.take(key) {
                        let changes = self.clone();
                        steps.spawn(async move { changes.make(key, step, busy).await });
                        waits = true;
                        break;
                    } else {
                        // Who has it wakes us.
                        waits = true;
                        break;
                    }
                }
                if !waits {
                    self.say_differences(&site, *number, bot);
                }
            }
        }
        next
    }

    /// What is to be done about a bot, and when; the most urgent first.
    fn steps_of(&self, key: Key, bot: &SiteBot, now: Timestamp) -> Vec<(Step, Timestamp)> {
        let mut steps = Vec::new();
        let (unsaved, dry) = {
            let kept = self.0.identities.kept();
            (kept.unsaved.contains(&key), kept.dry.contains(&key))
        };
        if unsaved {
            steps.push((Step::Save, now));
        }
        match &bot.rotation {
            Some(rotation) if rotation.done.is_none() => steps.push((Step::Settle, now)),
            Some(rotation) => {
                if self.may_align(bot, rotation) {
                    steps.push((Step::Align, now));
                }
                let last = rotation.former.iter().map(|(_, until)| *until).max();
                if last.is_some() || bot.bot_token.as_ref() == Some(&rotation.new) {
                    steps.push((Step::Tidy, last.unwrap_or(now)));
                }
            }
            None => {}
        }
        match &bot.switching {
            Some(Switching {
                told: None,
                finished: None,
                ..
            }) => steps.push((Step::Tell, now)),
            Some(Switching {
                told: None,
                finished: Some(_),
                ..
            }) if !bot.fetches => steps.push((Step::Verify, now)),
            Some(Switching {
                fetch: true,
                told: Some(told),
                finished: None,
                ..
            }) => steps.push((Step::Finish, *told + super::switching::OVERLAP)),
            Some(_) if dry => steps.push((Step::Finish, now)),
            _ => {}
        }
        steps
    }

    async fn make(&self, key: Key, step: Step, busy: Busy) {
        let made = match step {
            Step::Settle => self.settle_by_itself(key).await,
            Step::Tidy => self.tidy(key).await,
            Step::Align => self.align(key).await.map(drop),
            Step::Save => self.0.identities.save_assumed(key).await,
            Step::Tell => self.tell_by_itself(key).await,
            Step::Verify => self.verify(key).await,
            Step::Finish => self.0.identities.finish_switch(key).await,
        };
        match made {
            Ok(()) => self.succeeded(key),
            Err(why) => {
                let pause = self.failed(key);
                tracing::warn!(
                    portal = self.0.identities.name(key.0),
                    bot = key.1,
                    again_in_s = pause.as_secs(),
                    "a change of bot {} cannot go on yet: {why}",
                    key.1
                );
            }
        }
        drop(busy);
    }

    /// `None`: a step for this bot is under way.
    pub(super) fn take(&self, key: Key) -> Option<Busy> {
        let works = Arc::clone(&self.0);
        let taken = lock(&works.busy).insert(key);
        // Not `then_some`: one that is made and dropped would free who has it.
        taken.then(|| Busy { works, key })
    }

    fn not_before(&self, key: Key) -> Option<Timestamp> {
        lock(&self.0.patience).get(&key).map(|(_, moment)| *moment)
    }

    pub(super) fn succeeded(&self, key: Key) {
        lock(&self.0.patience).remove(&key);
    }

    /// Another step without an answer: how long until the next one.
    pub(super) fn failed(&self, key: Key) -> Duration {
        let now = self.0.identities.0.clock.now();
        let mut patience = lock(&self.0.patience);
        let (tries, moment) = patience.entry(key).or_insert((0, now));
        let pause = (Duration::from_secs(1) * (1 << (*tries).min(6))).min(LONGEST_PAUSE);
        (*tries, *moment) = (*tries + 1, now + pause);
        pause
    }

    fn say_differences(&self, site: &Site, number: i64, bot: &SiteBot) {
        for sentence in bot.differences(&site.name, number) {
            let mut said = lock(&self.0.said);
            if said.insert(sentence.clone()) {
                tracing::warn!(portal = site.name, bot = number, "{sentence}");
            }
        }
    }

    /// Asks the portal as this bot. Never repeated here: who asks knows what an unknown outcome means.
    pub(super) async fn ask(
        &self,
        (portal, bot): Key,
        method: &str,
        params: Value,
        change: Option<TokenChange>,
    ) -> Result<Value, AskError> {
        let deadline = self.0.identities.0.clock.now() + PATIENCE;
        let errand = |answer| Errand {
            portal,
            bot,
            with_bot: true,
            method: method.to_owned(),
            params: params.to_string(),
            priority: Priority::Interactive,
            lane: None,
            now_or_never: false,
            repeatable: false,
            in_company: false,
            over_budget: false,
            deadline,
            change,
            answer,
        };
        self.0.desk.ask(errand).await
    }
}

/// The data behind these locks is whole after each statement, so a panic elsewhere leaves it good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
