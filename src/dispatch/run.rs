//! One event through its handler, to its end or its next try. Owns what each ending means for the store.

use super::ctx::{Asked, Ctx, Queued, Scene};
use super::engine::{AnswerVia, Served, Workers};
use super::outcome::Outcome;
use crate::event::{Data, Event};
use crate::method::Repeat;
use crate::store::{ClaimedEvent, Completion, Format, Memory, NewCall, Retry, Settled, Store, StoreError, Unknown};
use crate::telemetry::{self, Stopwatch};
use crate::types::{Clock, Lane, TemplateId, Timestamp};
use crate::wire;
use serde_json::json;
use std::time::Duration;

/// What one run needs beside its event.
pub(super) struct Run {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) workers: Workers,
    pub(super) salt: [u8; 16],
    /// How long a queued call may wait before it is given up.
    pub(super) call_age: Duration,
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
                return self.ignore(&claimed).await;
            }
            let detail = "the configuration no longer names this bot; put it back and retry";
            return self.bury(&claimed, "unknown_bot", detail).await;
        };
        let event = match decode(&claimed) {
            Ok(event) => event,
            Err(detail) => return self.bury(&claimed, "unreadable", &detail).await,
        };
        let Some((function, label)) = served.handler.handler_for(&event) else {
            return self.ignore(&claimed).await;
        };
        if event.is_own_or_system_or_bot() {
            return self.ignore(&claimed).await;
        }
        let ctx = Ctx::new(self.scene(&event, &claimed, served));
        let watch = Stopwatch::start();
        let ending = self.attempt(function(ctx.clone(), event)).await;
        telemetry::handler_run(served.handler.name(), label, ending.label(), watch.elapsed());
        let (calls, memory) = ctx.seal();
        match ending {
            Ending::Done => self.complete(&claimed, served, calls, memory).await,
            Ending::Failed { again: false, detail } => self.bury(&claimed, "handler_fatal", &detail).await,
            Ending::Failed { again: true, detail } => self.again(&claimed, "handler_failed", &detail).await,
            Ending::Panicked => self.again(&claimed, "handler_panicked", "the handler panicked").await,
            Ending::TimedOut => {
                self.again(&claimed, "handler_timed_out", "the handler outlived its timeout")
                    .await
            }
        }
    }

    fn scene(&self, event: &Event, claimed: &ClaimedEvent, served: &Served) -> Scene {
        let dialog = Some(claimed.dialog.clone()).filter(|dialog| !dialog.is_empty());
        // Bitrix24 writes a private dialog as the other user's number; the bot is always in it.
        let private = !claimed.dialog.starts_with("chat");
        let as_message = match self.workers.answer_via {
            AnswerVia::Auto => private,
            AnswerVia::Answer => false,
            AnswerVia::Send => true,
        };
        let asked = match &event.data {
            Data::CommandAdd(asked) => asked.message.as_ref().map(|message| Asked {
                command: asked.command.id,
                message: message.id,
                as_message,
            }),
            _ => None,
        };
        let (portal, remembered) = (served.portal.clone(), claimed.memory.clone());
        Scene {
            portal,
            bot: claimed.bot,
            dialog,
            asked,
            remembered,
        }
    }

    async fn attempt(&self, handler: impl Future<Output = Outcome> + Send + 'static) -> Ending {
        // Before the handler begins: what it does to the clock of a test must not move its own deadline.
        let deadline = self.clock.now() + self.workers.timeout;
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

    async fn complete(
        &self,
        claimed: &ClaimedEvent,
        served: &Served,
        queued: Vec<Queued>,
        memory: Memory,
    ) -> Result<(), StoreError> {
        let calls = (0_u32..)
            .zip(queued)
            .map(|(step, call)| self.plan(claimed, served, step, call))
            .collect();
        self.store
            .complete_event(Completion {
                id: claimed.id,
                settled: Settled::Done,
                calls,
                memory,
            })
            .await
    }

    /// Makes a queued call durable-ready: all that any attempt will send is decided here.
    fn plan(&self, claimed: &ClaimedEvent, served: &Served, step: u32, queued: Queued) -> NewCall {
        let Queued {
            method,
            address,
            repeat,
            dialog,
            mut params,
        } = queued;
        address.put_bot(&mut params, claimed.bot);
        let template = (repeat == Repeat::ByTemplate).then(|| TemplateId::derive(&self.salt, &claimed.origin, step));
        if let (Some(template), Some(fields)) = (&template, params.get_mut("fields").and_then(|f| f.as_object_mut())) {
            fields.insert("templateId".to_owned(), json!(template.as_str()));
        }
        let dialog = dialog.unwrap_or_default();
        NewCall {
            portal: claimed.portal,
            bot: claimed.bot,
            lane: Lane::of(claimed.portal, claimed.bot, &dialog),
            dialog,
            method: method.to_owned(),
            params: serde_json::Value::Object(params).to_string(),
            template,
            identity: served.identity,
            token: claimed.token.clone(),
            unknown: if repeat == Repeat::Never {
                Unknown::Stop
            } else {
                Unknown::Repeat
            },
            event: Some(claimed.id),
            received: claimed.received,
            expires: self.clock.now() + self.call_age,
        }
    }

    async fn ignore(&self, claimed: &ClaimedEvent) -> Result<(), StoreError> {
        let (settled, calls, memory) = (Settled::Ignored, Vec::new(), Memory::Keep);
        self.store
            .complete_event(Completion {
                id: claimed.id,
                settled,
                calls,
                memory,
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

fn decode(claimed: &ClaimedEvent) -> Result<Event, String> {
    let tree = wire::parse(&claimed.body, claimed.format == Format::Json, &wire::Limits::default())
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
