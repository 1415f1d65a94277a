//! One event through its handler, to its end or its next try. Owns what each ending means for the store.

use super::ctx::{Asked, Ctx, Scene, Way};
use super::engine::{AnswerVia, Served, Workers};
use super::line::{Line, Typing};
use super::outcome::Outcome;
use super::plan::{Planner, Source};
use super::queued::Call;
use crate::event::{self, Data, Event};
use crate::rest::{Client, Desk};
use crate::store::{ClaimedEvent, Completion, Format, Memory, NewCall, Retry, Settled, Store, StoreError};
use crate::telemetry::{self, Stopwatch};
use crate::types::{Clock, Priority, Timestamp};
use crate::wire;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How long before its own end a handler gets the answers it waits for, at most.
const SPARE: Duration = Duration::from_secs(1);

/// What one run needs beside its event.
pub(super) struct Run {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) workers: Workers,
    pub(super) planner: Planner,
    /// Questions of handlers go this way.
    pub(super) desk: Desk,
    /// Files come this way.
    pub(super) client: Client,
    pub(super) typing: Arc<Typing>,
}

/// How a handler's run ended.
enum Ending {
    Done,
    Failed { again: bool, detail: String },
    Panicked,
    TimedOut,
}

impl Ending {
    fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed { .. } => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Run {
    /// Brings one event to its end or its next try.
    pub(super) async fn event(&self, claimed: ClaimedEvent, served: Option<&Served>) -> Result<(), StoreError> {
        let Some(served) = served else {
            if claimed.bot == 0 {
                // An event of the portal itself (application events): kept out of the way, nobody's to answer.
                return self.ignore(&claimed, false).await;
            }
            let detail = "the configuration no longer names this bot; put it back and retry";
            return self.bury(&claimed, "unknown_bot", detail).await;
        };
        let event = match decode(&claimed) {
            Ok(event) => event,
            Err(detail) => return self.bury(&claimed, "unreadable", &detail).await,
        };
        let present = shows_presence(&event, &claimed.dialog);
        let Some((function, label)) = served.handler.handler_for(&event) else {
            return self.ignore(&claimed, present).await;
        };
        if event.is_own_or_system_or_bot() {
            return self.ignore(&claimed, present).await;
        }
        // Before the handler begins: what it does to the clock of a test must not move its own deadline.
        let deadline = self.clock.now() + self.workers.timeout;
        let ctx = Ctx::new(self.scene(&event, &claimed, served, deadline).await?);
        let watch = Stopwatch::start();
        let ending = self.attempt(function(ctx.clone(), event), deadline).await;
        telemetry::handler_run(served.handler.name(), label, ending.label(), watch.elapsed());
        let (calls, memory) = ctx.seal();
        match ending {
            Ending::Done => {
                let calls = self.plan(&claimed, served, calls);
                let end = Completion {
                    id: claimed.id,
                    settled: Settled::Done,
                    calls,
                    memory,
                    present,
                };
                self.store.complete_event(end).await
            }
            Ending::Failed { again: false, detail } => self.bury(&claimed, "handler_fatal", &detail).await,
            Ending::Failed { again: true, detail } => self.again(&claimed, "handler_failed", &detail).await,
            Ending::Panicked => self.again(&claimed, "handler_panicked", "the handler panicked").await,
            Ending::TimedOut => {
                self.again(&claimed, "handler_timed_out", "the handler outlived its timeout")
                    .await
            }
        }
    }

    async fn scene(
        &self,
        event: &Event,
        claimed: &ClaimedEvent,
        served: &Served,
        deadline: Timestamp,
    ) -> Result<Scene, StoreError> {
        let asked = match &event.data {
            Data::CommandAdd(asked) => match &asked.message {
                Some(message) => Some(Asked {
                    command: asked.command.id,
                    message: message.id,
                    way: self.way(claimed).await?,
                }),
                None => None,
            },
            _ => None,
        };
        let spare = SPARE.min(self.workers.timeout / 10);
        Ok(Scene {
            portal: served.portal.clone(),
            bot: claimed.bot,
            dialog: Some(claimed.dialog.clone()).filter(|dialog| !dialog.is_empty()),
            asked,
            remembered: claimed.memory.clone(),
            line: Line {
                desk: self.desk.clone(),
                client: self.client.clone(),
                clock: self.clock.clone(),
                portal: claimed.portal,
                home: served.home.clone(),
                deadline,
                answer_by: deadline - spare,
                typing: Arc::clone(&self.typing),
            },
        })
    }

    /// How the answer to a command goes out.
    async fn way(&self, claimed: &ClaimedEvent) -> Result<Way, StoreError> {
        Ok(match self.workers.answer_via {
            AnswerVia::Answer => Way::Answer,
            AnswerVia::Send => Way::Send,
            // Bitrix24 writes a private dialog as the other user's number; the bot is always in it.
            AnswerVia::Auto if !is_group(&claimed.dialog) => Way::SendElseAnswer,
            AnswerVia::Auto => {
                let (portal, bot) = (claimed.portal, claimed.bot);
                if self.store.is_present(portal, bot, &claimed.dialog).await? {
                    Way::SendElseAnswer
                } else {
                    Way::Answer
                }
            }
        })
    }

    async fn attempt(&self, handler: impl Future<Output = Outcome> + Send + 'static, deadline: Timestamp) -> Ending {
        // A task of its own: a panic or a blocked thread stays with this event.
        let mut task = tokio::spawn(handler);
        tokio::select! {
            biased;
            ended = &mut task => match ended {
                Ok(Ok(())) => Ending::Done,
                Ok(Err(failure)) => {
                    Ending::Failed { again: failure.may_retry(), detail: failure.reason().to_owned() }
                }
                Err(_) => Ending::Panicked,
            },
            () = self.clock.sleep_until(deadline) => {
                task.abort();
                Ending::TimedOut
            }
        }
    }

    /// Makes the queued calls durable-ready: all that any attempt will send is decided here.
    fn plan(&self, claimed: &ClaimedEvent, served: &Served, queued: Vec<Call>) -> Vec<NewCall> {
        let source = Source {
            portal: claimed.portal,
            bot: claimed.bot,
            identity: served.identity,
            token: claimed.token.as_ref(),
            origin: &claimed.origin,
            event: Some(claimed.id),
            received: claimed.received,
            priority: Priority::Interactive,
            home: Some(&claimed.dialog),
        };
        queued
            .into_iter()
            .map(|call| self.planner.plan(&source, call))
            .collect()
    }

    async fn ignore(&self, claimed: &ClaimedEvent, present: bool) -> Result<(), StoreError> {
        let (settled, calls, memory) = (Settled::Ignored, Vec::new(), Memory::Keep);
        self.store
            .complete_event(Completion {
                id: claimed.id,
                settled,
                calls,
                memory,
                present,
            })
            .await
    }

    async fn again(&self, claimed: &ClaimedEvent, reason: &'static str, detail: &str) -> Result<(), StoreError> {
        let attempts = claimed.attempts + 1;
        if attempts >= self.workers.max_attempts {
            return self.bury(claimed, reason, detail).await;
        }
        let now = self.clock.now();
        let retry = self.workers.retry(claimed.attempts, claimed.first_failed, now);
        tracing::warn!(
            inbox_id = claimed.id.0, portal = claimed.portal.0, bot = claimed.bot, dialog = %claimed.dialog,
            attempts, reason, again_in_s = retry.due.since(now).as_secs(), "event {} failed and is tried again", claimed.id
        );
        tracing::debug!(inbox_id = claimed.id.0, detail, "why event {} failed", claimed.id);
        self.store.retry_event(claimed.id, retry).await
    }

    async fn bury(&self, claimed: &ClaimedEvent, reason: &'static str, detail: &str) -> Result<(), StoreError> {
        tracing::error!(
            inbox_id = claimed.id.0, portal = claimed.portal.0, bot = claimed.bot, dialog = %claimed.dialog, reason,
            "event {} went to the dead letters: see `imbot dead-letters list`", claimed.id
        );
        tracing::debug!(inbox_id = claimed.id.0, detail, "why event {} was given up", claimed.id);
        self.store.bury_event(claimed.id, reason, detail).await
    }
}

/// Whether the event shows that the bot is in its dialog. In a private one it always is. A command proves nothing: it can
/// be used where the bot is no member.
fn shows_presence(event: &Event, dialog: &str) -> bool {
    is_group(dialog)
        && matches!(
            event.data,
            Data::MessageAdd(_) | Data::MessageUpdate(_) | Data::MessageDelete(_) | Data::JoinChat(_)
        )
}

fn is_group(dialog: &str) -> bool {
    dialog.starts_with("chat")
}

/// What a packed body is that this program did not write.
const UNREADABLE: &str = "the stored body was packed by a later version of imbot";

fn decode(claimed: &ClaimedEvent) -> Result<Event, String> {
    if claimed.format == Format::Settled {
        return Event::from_settled(&claimed.body).map_err(|unusable| unusable.to_string());
    }
    let body = match claimed.format {
        Format::Packed => Cow::Owned(event::vocabulary().unpack(&claimed.body).ok_or(UNREADABLE)?),
        _ => Cow::Borrowed(&claimed.body),
    };
    let tree = wire::parse(&body, claimed.format == Format::Json, &wire::Limits::default())
        .map_err(|refused| refused.to_string())?;
    Event::from_tree(&tree).map_err(|unusable| unusable.to_string())
}

impl Workers {
    /// When the next try of an event comes that has failed `attempts` times before this one.
    pub(super) fn retry(&self, attempts: u32, first_failed: Option<Timestamp>, now: Timestamp) -> Retry {
        let first_failed = first_failed.unwrap_or(now);
        let step = usize::try_from(attempts)
            .unwrap_or(usize::MAX)
            .min(self.retry.len().saturating_sub(1));
        let pause = self.retry.get(step).copied().unwrap_or(Duration::from_secs(1));
        Retry {
            due: now + pause,
            hold_until: first_failed + self.hold,
            first_failed,
        }
    }
}
