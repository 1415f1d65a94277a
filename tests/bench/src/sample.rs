//! What one load run measured, and the middle of several. Plain data: the generator prints it as JSON, the run reads it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One load run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Length of the measured window.
    pub(crate) seconds: f64,
    /// Requests answered 200 in it.
    pub(crate) events: u64,
    /// Requests answered otherwise; should be none.
    pub(crate) refused: u64,
    /// From the request to its answer.
    pub(crate) answer: Latency,
    /// From the request to the bot's message at the portal.
    pub(crate) reply: Option<Replies>,
    /// CPU seconds in the window: of the server, of the generator, and of everything on the server's core.
    pub(crate) server_cpu: f64,
    pub(crate) load_cpu: f64,
    pub(crate) server_core: f64,
    /// Resident KiB of the server: before the load, and at the end of the window.
    pub(crate) idle_kib: u64,
    pub(crate) end_kib: u64,
    /// What happened when the load went on until so many events were pending.
    pub(crate) fill: Option<Fill>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What was seen at the portal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replies {
    pub(crate) events: u64,
    pub(crate) latency: Latency,
    /// So many events sent at once, after the window …
    pub(crate) burst: u64,
    /// … were all acknowledged, and all answered at the portal, after so many seconds.
    pub(crate) burst_accepted: f64,
    pub(crate) burst_answered: f64,
}

/// A backlog.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) pending: u64,
    pub(crate) kib: u64,
}

impl Latency {
    /// Of microseconds in any order.
    pub(crate) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        // Nearest rank: the smallest value that at least this share does not exceed.
        let at = |per_mille: usize| {
            let rank = (micros.len() * per_mille).div_ceil(1000);
            micros
                .get(rank.saturating_sub(1))
                .map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        Self {
            p50: at(500),
            p99: at(990),
            p999: at(999),
            max: at(1000),
        }
    }
}

impl Sample {
    /// What this run is judged by: answers a second, or replies a second where the whole path was measured.
    pub(crate) fn rate(&self) -> f64 {
        ratio(self.counted(), self.seconds)
    }

    /// The latency that belongs to [`rate`](Self::rate).
    pub(crate) fn latency(&self) -> Latency {
        self.reply.as_ref().map_or(self.answer, |reply| reply.latency)
    }

    /// Microseconds of the server's CPU for each event.
    pub(crate) fn cpu_per_event(&self) -> f64 {
        ratio(self.server_cpu * 1e6, self.counted())
    }

    /// Shares of a core, 0 to 1: the server's own, the generator's, and what others took from the server's core.
    pub(crate) fn shares(&self) -> [f64; 3] {
        let others = (self.server_core - self.server_cpu).max(0.0);
        [self.server_cpu, self.load_cpu, others].map(|cpu| ratio(cpu, self.seconds))
    }

    /// What others took from the server's core.
    pub(crate) fn others(&self) -> f64 {
        self.shares()[2]
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn counted(&self) -> f64 {
        self.reply.as_ref().map_or(self.events, |reply| reply.events) as f64
    }
}

/// More than this of the server's core in other hands makes a run doubtful.
pub(crate) const DISTURBED: f64 = 0.05;

/// The middle, the least and the most of some runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Of one figure of each run.
pub(crate) fn spread(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Spread {
    let mut values: Vec<f64> = samples.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    let middle = (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0;
    Spread {
        median: middle,
        min: at(0),
        max: at(values.len().saturating_sub(1)),
    }
}

/// `part / whole`, and 0 where there is no whole.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// For a list of latencies; more than an hour reads as an hour.
pub(crate) fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(3_600_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let latency = Latency::of((1..=1000).rev().map(|n| n * 1000).collect());
        assert_eq!(
            (latency.p50, latency.p99, latency.p999, latency.max),
            (500.0, 990.0, 999.0, 1000.0)
        );
        assert_eq!(Latency::of(vec![7000]).p50, 7.0);
        assert_eq!(Latency::of(Vec::new()).max, 0.0);
    }

    #[test]
    fn the_middle_of_several_runs() {
        let run = |events| Sample {
            events,
            seconds: 2.0,
            ..Sample::default()
        };
        let three = spread(&[run(30), run(10), run(20)], Sample::rate);
        assert_eq!((three.median, three.min, three.max), (10.0, 5.0, 15.0));
        assert_eq!(spread(&[run(10), run(20)], Sample::rate).median, 7.5);
        assert_eq!(spread(&[], Sample::rate).median, 0.0);
    }
}
