//! The one thread that writes. It commits at once when idle and takes all that waited during a commit as the next
//! group; nobody is answered before the commit that carries their operation. After a failed write it writes no more.

use super::changes::BotChange;
use super::commit::{Burial, Commit, Verdict};
use super::endings::Kept;
use super::fetched::FetchedPage;
use super::inbox::weight;
use super::installs::Deed;
use super::keeper::{Keeper, Sweep};
use super::lock::Lock;
use super::moves::Move;
use super::records::{Budget, Completion, DeadQueue, EXPIRED, Enqueued, KeyedCall, NewCall, NewEvent, Queueing, Retry};
use super::schema::PAGE;
use super::seal::Seal;
use super::tally::Tally;
use super::{Ack, Limits, Shared, StoreError};
use crate::telemetry::{self, Stopwatch};
use crate::types::{CallId, Clock, EventId, PortalId, Timestamp};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Most operations of a group, and the room of the channel to the writer.
pub(super) const GROUP: usize = 4096;

/// Most operations of a group where a commit waits for no disk: larger groups would save nothing and delay replies.
const UNSYNCED_GROUP: usize = 512;

/// Most bytes of a group.
const GROUP_BYTES: u64 = 4 << 20;

/// How long events that nobody waits for (ack mode `memory`) gather, and how soon one with a waiter ends that.
const LINGER_STEPS: u32 = 5;
const LINGER_STEP: Duration = Duration::from_millis(2);

/// Something to be written.
#[derive(Debug)]
pub(super) enum Op {
    Enqueue {
        event: NewEvent,
        /// Not there in ack mode `memory`: the caller has been answered.
        reply: Option<oneshot::Sender<Result<Enqueued, StoreError>>>,
        /// Bounds the bytes on their way to the writer.
        room: OwnedSemaphorePermit,
    },
    Change {
        change: Change,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Calls that no event caused.
    Queue {
        calls: Vec<KeyedCall>,
        reply: oneshot::Sender<Result<Vec<Queueing>, StoreError>>,
    },
    /// A page of events and how far it goes, or nothing of it.
    Fetched {
        page: FetchedPage,
        reply: oneshot::Sender<Result<Vec<Enqueued>, StoreError>>,
        room: OwnedSemaphorePermit,
    },
    /// Portals by name, new ones numbered.
    Portals(Vec<String>, std::sync::mpsc::Sender<Vec<PortalId>>),
    /// Every second: housekeeping, a slice at a time.
    Tick,
    /// Write what was taken, then end.
    Stop(oneshot::Sender<()>),
}

impl Op {
    /// Whether it should not wait: of all operations only an event already answered may.
    fn is_awaited(&self) -> bool {
        !matches!(self, Self::Enqueue { reply: None, .. })
    }
}

/// What happens to things in the store.
#[derive(Debug)]
pub(super) enum Change {
    CompleteEvent(Box<Completion>),
    RetryEvent(EventId, Retry),
    BuryEvent(EventId, String, String),
    CallStarted(CallId),
    CompleteCall(CallId, Kept),
    FallBackCall(CallId),
    RetryCall(CallId, Retry),
    BuryCall(CallId, DeadQueue, String, String),
    RetryLetter(i64, Timestamp),
    DropLetter(i64),
    Pause(PortalId, Option<i64>, bool),
    Budgets(Vec<Budget>),
    PinMember(PortalId, String),
    Gap(PortalId, String),
    Install(Box<Deed>),
    OfBot(Box<BotChange>),
    /// A statement of a test's own, to provoke failures.
    #[cfg(test)]
    Sql(&'static str),
}

/// An answer kept back until the commit.
enum Answer {
    Enqueued(
        oneshot::Sender<Result<Enqueued, StoreError>>,
        Result<Enqueued, StoreError>,
    ),
    Changed(oneshot::Sender<Result<(), StoreError>>, Result<(), StoreError>),
    Queued(
        oneshot::Sender<Result<Vec<Queueing>, StoreError>>,
        Result<Vec<Queueing>, StoreError>,
    ),
    Fetched(
        oneshot::Sender<Result<Vec<Enqueued>, StoreError>>,
        Result<Vec<Enqueued>, StoreError>,
    ),
    Portals(std::sync::mpsc::Sender<Vec<PortalId>>, Vec<PortalId>),
}

/// The writer's own things.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) tally: Tally,
    pub(super) seal: Arc<Seal>,
    pub(super) ack: Ack,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) ops: mpsc::Receiver<Op>,
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: Keeper,
    /// Pages in the write-ahead log, as the last commit left it.
    pub(super) log_pages: Arc<AtomicU32>,
    pub(super) sweep: Sweep,
    /// Held as long as anything can be written.
    pub(super) lock: Arc<Lock>,
}

/// A panic of the writer is a failure of the store like any other.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.send_replace(true);
        }
    }
}

impl Writer {
    /// Until the store is closed or dropped.
    pub(super) fn run(mut self) {
        let _alarm = Alarm(Arc::clone(&self.shared));
        let mut waiting = Vec::new();
        let mut stopping = Vec::new();
        let most = if self.ack == Ack::Durable {
            GROUP
        } else {
            UNSYNCED_GROUP
        };
        while self.ops.blocking_recv_many(&mut waiting, most) > 0 {
            self.gather(&mut waiting, most);
            let mut group = waiting.drain(..).peekable();
            while group.peek().is_some() {
                if *self.shared.failed.borrow() {
                    // Dropping an operation drops its reply, which reads as "failed".
                    stopping.extend(group.by_ref().filter_map(stop_reply));
                } else {
                    self.commit(&mut group, &mut stopping);
                }
            }
            drop(group);
            if !stopping.is_empty() {
                // What is in the channel still gets written; nothing more gets in.
                self.ops.close();
            }
        }
        let Self { conn, keeper, lock, .. } = self;
        keeper.stop();
        if !*self.shared.failed.borrow() {
            // A log that stays behind is not lost: the next opening reads it.
            let _ = super::keeper::checkpoint(&conn, "TRUNCATE");
        }
        drop(conn);
        drop(lock);
        for reply in stopping {
            let _ = reply.send(());
        }
    }

    /// Where nobody waits for the commit, takes a few milliseconds more of events into the group: a commit costs nearly
    /// the same for many as for one.
    fn gather(&mut self, waiting: &mut Vec<Op>, most: usize) {
        for _ in 0..LINGER_STEPS {
            if waiting.len() >= most || waiting.iter().any(Op::is_awaited) {
                return;
            }
            std::thread::sleep(LINGER_STEP);
            while waiting.len() < most
                && let Ok(op) = self.ops.try_recv()
            {
                waiting.push(op);
            }
        }
    }

    /// Writes as many operations of `waiting` as make a group.
    fn commit(&mut self, waiting: &mut impl Iterator<Item = Op>, stopping: &mut Vec<oneshot::Sender<()>>) {
        let mut answers = Vec::new();
        match self.group(waiting, &mut answers, stopping) {
            Ok((now, moves)) => {
                self.shared.publish(self.tally, &moves, now);
                for answer in answers {
                    // Who asked may have gone; the write stands.
                    match answer {
                        Answer::Enqueued(reply, answer) => drop(reply.send(answer)),
                        Answer::Changed(reply, answer) => drop(reply.send(answer)),
                        Answer::Queued(reply, answer) => drop(reply.send(answer)),
                        Answer::Fetched(reply, answer) => drop(reply.send(answer)),
                        Answer::Portals(reply, ids) => drop(reply.send(ids)),
                    }
                }
                let log_pages = self.log_pages.load(Ordering::Relaxed);
                if let Err(e) = self.keeper.after_commit(&self.conn, log_pages) {
                    self.shared.fail(&e);
                }
            }
            Err(e) => {
                // It can fail as well; nothing is committed after this either way.
                let _ = self.conn.execute_batch("ROLLBACK");
                self.shared.fail(&e);
                drop(answers);
            }
        }
    }

    /// `answers` gets every reply of the group, also of one that fails: they must not be dropped before the failure is
    /// known to those who wait.
    fn group(
        &mut self,
        waiting: &mut impl Iterator<Item = Op>,
        answers: &mut Vec<Answer>,
        stopping: &mut Vec<oneshot::Sender<()>>,
    ) -> rusqlite::Result<(Timestamp, [Vec<Move>; 2])> {
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let mut commit = Commit {
            conn: &self.conn,
            tally: &mut self.tally,
            seal: &self.seal,
            limits: self.limits,
            now: self.clock.now(),
            used: self.shared.used.load(Ordering::Relaxed),
            moves: [Vec::new(), Vec::new()],
        };
        let mut bytes = 0;
        while bytes < GROUP_BYTES {
            let Some(op) = waiting.next() else { break };
            match op {
                Op::Enqueue { event, reply, room } => {
                    bytes += weight(&event);
                    let answer = commit.enqueue(&event);
                    drop(room);
                    answers.extend(reply.map(|reply| Answer::Enqueued(reply, settled(&answer))));
                    answer?.ok();
                }
                Op::Change { change, reply } => {
                    bytes += change.weight();
                    let answer = commit.change(&change);
                    answers.push(Answer::Changed(reply, settled(&answer)));
                    answer?.ok();
                }
                Op::Queue { calls, reply } => {
                    bytes += calls.iter().map(|keyed| call_weight(&keyed.call)).sum::<u64>();
                    let answer = commit.queue_keyed(&calls);
                    answers.push(Answer::Queued(reply, settled(&answer)));
                    answer?.ok();
                }
                Op::Fetched { page, reply, room } => {
                    bytes += page.weight();
                    commit.fetched(&page, reply, answers)?;
                    drop(room);
                }
                Op::Portals(names, reply) => {
                    let ids = commit.portals(&names);
                    answers.push(Answer::Portals(reply, ids.as_ref().cloned().unwrap_or_default()));
                    ids?;
                }
                Op::Tick => {
                    self.sweep.slice(commit.conn, commit.now)?;
                    commit.sweep_twins()?;
                    commit.note_last_events(&self.shared)?;
                }
                Op::Stop(reply) => {
                    commit.note_last_events(&self.shared)?;
                    stopping.push(reply);
                }
            }
        }
        let (now, moves) = (commit.now, commit.moves);
        self.tally.save(&self.conn)?;
        let used = used(&self.conn)?;
        commit_now(&self.conn)?;
        self.shared.used.store(used, Ordering::Relaxed);
        Ok((now, moves))
    }
}

impl Commit<'_> {
    fn fetched(
        &mut self,
        page: &FetchedPage,
        reply: oneshot::Sender<Result<Vec<Enqueued>, StoreError>>,
        answers: &mut Vec<Answer>,
    ) -> rusqlite::Result<()> {
        let answer = self.keep_page(page);
        answers.push(Answer::Fetched(reply, settled(&answer)));
        answer.map(drop)
    }

    fn change(&mut self, change: &Change) -> Verdict<()> {
        match change {
            Change::CompleteEvent(end) => self.complete_event(end),
            Change::RetryEvent(id, retry) => self.retry_event(*id, retry),
            Change::BuryEvent(id, reason, detail) => self.bury_event(*id, reason, detail),
            Change::CallStarted(id) => self.call_started(*id),
            Change::CompleteCall(id, result) => self.complete_call(*id, result),
            Change::FallBackCall(id) => self.fall_back_call(*id),
            Change::RetryCall(id, retry) => self.retry_call(*id, retry),
            Change::BuryCall(id, queue, reason, detail) => {
                let burial = Burial {
                    queue: *queue,
                    reason,
                    detail,
                    attempted: reason != EXPIRED,
                };
                self.bury_call(*id, &burial)
            }
            Change::RetryLetter(id, expires) => self.retry_letter(*id, *expires),
            Change::DropLetter(id) => self.drop_letter(*id),
            Change::Pause(portal, bot, on) => self.pause(*portal, *bot, *on).map(Ok),
            Change::Budgets(budgets) => self.budgets(budgets).map(Ok),
            Change::PinMember(portal, member) => self.pin_member(*portal, member).map(Ok),
            Change::Gap(portal, reason) => self.gap(*portal, reason).map(Ok),
            Change::Install(deed) => self.install(deed),
            Change::OfBot(change) => self.of_bot(change).map(Ok),
            #[cfg(test)]
            Change::Sql(sql) => run_all(self.conn, sql).map(Ok),
        }
    }
}

impl Change {
    /// Roughly the bytes it writes.
    fn weight(&self) -> u64 {
        let calls = match self {
            Self::CompleteEvent(end) => &end.calls,
            Self::CompleteCall(_, Kept::Whole(result)) => return result.get().len() as u64 + 256,
            _ => return 256,
        };
        calls.iter().map(call_weight).sum::<u64>() + 256
    }
}

/// Roughly the bytes that queueing it writes.
fn call_weight(call: &NewCall) -> u64 {
    let fallback = call.ties.fallback.as_ref().map_or(0, |fallback| fallback.params.len());
    (call.params.len() + fallback + 512) as u64
}

/// The answer to an operation; of a failed one it is never sent.
fn settled<T: Clone>(verdict: &Verdict<T>) -> Result<T, StoreError> {
    verdict.as_ref().map_or(Err(StoreError::Failed), Clone::clone)
}

fn stop_reply(op: Op) -> Option<oneshot::Sender<()>> {
    match op {
        Op::Stop(reply) => Some(reply),
        _ => None,
    }
}

/// Returns when the disk has it, if the ack mode says so.
fn commit_now(conn: &Connection) -> rusqlite::Result<()> {
    let watch = Stopwatch::start();
    run(conn, "COMMIT")?;
    telemetry::store_sync(watch.elapsed());
    Ok(())
}

fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
fn run_all(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.execute_batch(sql)
}

/// Bytes in use inside the database file: freed pages do not count, they are used again first.
pub(super) fn used(conn: &Connection) -> rusqlite::Result<u64> {
    let pages = |sql| conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, u32>(0));
    let pages = pages("PRAGMA page_count")?.saturating_sub(pages("PRAGMA freelist_count")?);
    Ok(u64::from(pages) * u64::from(PAGE))
}
