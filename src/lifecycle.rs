//! Stopping: the signal, the two stages, the deadline. Imports nothing of ours, never decides what to finish.
//!
//! Soft stop: no new work is begun, what runs is finished. Hard stop: what still runs is cut; the store has it.

pub(crate) mod manager;

use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The time between a soft stop and the hard one.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);

/// Handed to every long-running part. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// Nothing is stopping yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Begins the soft stop.
    pub(crate) fn soft(&self) {
        self.soft.cancel();
    }

    /// Begins the hard stop (and the soft one).
    pub(crate) fn hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Whether the soft stop has begun.
    pub(crate) fn is_soft(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Returns when the soft stop begins.
    pub(crate) async fn softened(&self) {
        self.soft.cancelled().await;
    }

    /// Runs `work` unless the hard stop comes first.
    pub(crate) async fn unless_hard<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.hard.cancelled() => None,
            done = work => Some(done),
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGTERM or SIGINT. The second one means: at once.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals of this process, heard from its making on: one that comes before anybody asks is not lost.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen; until then SIGHUP would end the process.
    ///
    /// # Errors
    /// The operating system refused to let us listen for signals.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// Returns at the first SIGTERM or SIGINT.
///
/// # Errors
/// The operating system refused to let us listen for signals.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hard_implies_soft_and_cuts_work() {
        let stop = Stop::new();
        assert_eq!(stop.unless_hard(async { 7 }).await, Some(7));
        stop.soft();
        assert!(stop.is_soft());
        assert_eq!(stop.unless_hard(async { 7 }).await, Some(7), "soft lets work finish");
        stop.hard();
        assert_eq!(stop.unless_hard(std::future::pending::<()>()).await, None);
        stop.softened().await;
    }
}
