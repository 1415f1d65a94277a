//! What the settings say, in the terms of the rooms that follow them. Decides nothing.

use crate::capture::Terms;
use crate::deliver::Rules;
use crate::dispatch::{AnswerVia, Workers};
use crate::settings::{self, Keep, OnUnknown, Settings};
use crate::store;

pub(super) fn ack(settings: &Settings) -> store::Ack {
    match settings.server.ack {
        settings::Ack::Durable => store::Ack::Durable,
        settings::Ack::Written => store::Ack::Written,
        settings::Ack::Memory => store::Ack::Memory,
    }
}

pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        hold: settings.deliver.hold,
        repeat_unknown: settings.deliver.on_unknown == OnUnknown::Repeat,
    }
}

/// `None`: nothing is captured.
pub(super) fn capture(settings: &Settings) -> Option<Terms> {
    let capture = &settings.capture;
    capture.enabled.then(|| Terms {
        path: capture.path.clone(),
        all: capture.keep == Keep::All,
        max_bytes: capture.max_bytes,
        max_files: capture.max_files,
        max_age: capture.max_age,
        stop_after: capture.stop_after,
        redact_text: capture.redact_text,
    })
}

pub(super) fn workers(settings: &Settings) -> Workers {
    let workers = &settings.workers;
    Workers {
        concurrency: workers.concurrency,
        timeout: workers.handler_timeout,
        max_attempts: workers.max_attempts,
        retry: workers.retry.clone(),
        hold: workers.hold,
        answer_via: match settings.deliver.answer_via {
            settings::AnswerVia::Auto => AnswerVia::Auto,
            settings::AnswerVia::Answer => AnswerVia::Answer,
            settings::AnswerVia::Send => AnswerVia::Send,
        },
    }
}
