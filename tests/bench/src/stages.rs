//! The steps of the door that are plain computation, each called in a loop on one body: what an event costs there without
//! sockets, waiting or the disk. Uses the public functions that the door uses.

use crate::body;
use crate::machine::own_cpu;
use imbot::event::{self, Event, Label};
use imbot::types::Secret;
use imbot::wire::{self, Limits, Tree};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Length of a batch, and batches; the middle batch counts. The kernel counts CPU time in steps of some milliseconds.
const BATCH: Duration = Duration::from_millis(150);
const BATCHES: usize = 5;
/// Calls between two looks at the clock.
const CALLS: u32 = 500;

/// Microseconds of one call of each step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stages {
    /// `wire::parse_for`, as the door reads it.
    pub(crate) parse: f64,
    /// `Label::of`: bot, dialog, key, usable or not.
    pub(crate) label: f64,
    /// What the gate does: three look-ups in the tree, one comparison in constant time.
    pub(crate) verify: f64,
    /// `wire::cut_credentials`: the body without credentials.
    pub(crate) cut: f64,
    /// `Vocabulary::pack`: the same with numbers for its keys.
    pub(crate) pack: f64,
    /// Later, at dispatch: the stored body unpacked, read again and made an `Event`.
    pub(crate) normalize: f64,
}

impl Stages {
    /// What an event costs at the door.
    pub(crate) fn door(&self) -> f64 {
        self.parse + self.label + self.verify + self.cut + self.pack
    }
}

/// Measures all steps on the calling thread.
pub(crate) fn measure() -> Stages {
    let body = body::sample_body();
    let token = Secret::new(format!("custom{}", body::BOT_TOKEN));
    let Some(wanted) = event::enough(&body) else {
        unreachable!("the benchmark's own body is a message");
    };
    let parse = || wire::parse_for(black_box(&body), false, &Limits::default(), wanted);
    let Ok(tree) = parse() else {
        unreachable!("the benchmark's own body is a good one");
    };
    let stored = wire::cut_credentials(&tree);
    let Some(packed) = event::vocabulary().pack(&stored) else {
        unreachable!("the benchmark's own body can be packed");
    };
    Stages {
        parse: micros_of(|| black_box(parse()).is_ok()),
        label: micros_of(|| black_box(Label::of(black_box(&tree))).usable.is_ok()),
        verify: micros_of(|| verify(black_box(&tree), &token)),
        cut: micros_of(|| !black_box(wire::cut_credentials(black_box(&tree))).is_empty()),
        pack: micros_of(|| black_box(event::vocabulary().pack(black_box(&stored))).is_some()),
        normalize: micros_of(|| {
            let Some(body) = event::vocabulary().unpack(black_box(&packed)) else {
                return false;
            };
            let tree = wire::parse(&body, false, &Limits::default());
            tree.is_ok_and(|tree| black_box(Event::from_tree(&tree)).is_ok())
        }),
    }
}

fn verify(tree: &Tree<'_>, token: &Secret) -> bool {
    let value = |name| tree.root().path(&["auth", name]).and_then(|node| node.string());
    let known = value("member_id").is_some_and(|member| member == body::MEMBER_ID) && value("domain").is_some();
    known && value("application_token").is_some_and(|presented| token.matches(presented.as_bytes()))
}

/// CPU time where the kernel tells it, so that a busy machine does not lengthen it; else time.
fn micros_of(step: impl Fn() -> bool) -> f64 {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let (wall, cpu) = (Instant::now(), own_cpu());
            let mut calls = 0;
            while wall.elapsed() < BATCH {
                calls += CALLS;
                let good = (0..CALLS).filter(|_| step()).count();
                assert_eq!(good, CALLS as usize, "a step refused the benchmark's own body");
            }
            let took = match (cpu, own_cpu()) {
                (Ok(before), Ok(after)) => after.saturating_sub(before),
                _ => wall.elapsed(),
            };
            took.as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[BATCHES / 2]
}
