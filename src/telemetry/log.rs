//! Log lines on their way to stderr: a bounded queue and a thread, so that a sink nobody reads (a stuck pipe, a full
//! disk) never holds up the server. What does not fit is dropped and counted. Knows no room and no metric.

use super::line::Line;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that wait for the sink at most: about 20,000 lines.
const WAITING: usize = 4 << 20;
/// What the last lines get at the end of the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long lines gather before they are written.
const LINGER: Duration = Duration::from_millis(5);
/// Bytes of room that a buffer keeps between two writes.
const KEPT: usize = 64 << 10;

static LINES: OnceLock<Queue> = OnceLock::new();

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a terminal.
    Pretty,
}

/// Sends log lines to stderr. `filter` as in `RUST_LOG`; a broken one falls back to `info`.
pub(crate) fn log_to_stderr(format: LogFormat, filter: &str, colour: bool) {
    use tracing_subscriber::{EnvFilter, fmt::format::JsonFields};
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let queue = LINES.get_or_init(|| Queue::start(io::stderr(), WAITING)).clone();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue);
    // A second subscriber in one process (tests) is refused; the first one stays.
    let _ = match format {
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(Line).try_init(),
        LogFormat::Pretty => lines.with_ansi(colour).with_target(false).try_init(),
    };
}

/// Waits until the lines so far are written, for a second at most.
pub(crate) fn flush_logs() {
    if let Some(queue) = LINES.get() {
        queue.flush(PATIENCE);
    }
}

/// Lines dropped since the start of the process.
pub(super) fn dropped() -> u64 {
    LINES.get().map_or(0, |queue| queue.0.dropped.load(Ordering::Relaxed))
}

/// The near end of the queue. Cloning shares it.
#[derive(Clone)]
struct Queue(Arc<Shared>);

struct Shared {
    held: Mutex<Held>,
    /// Lines are there, or somebody waits for them to be written.
    stirred: Condvar,
    written: Condvar,
    most: usize,
    dropped: AtomicU64,
}

/// What waits for the sink.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    /// Bytes in the sink's hands.
    leaving: usize,
    /// Bytes ever taken in, and ever brought to an end: who waits for its lines compares them.
    taken: u64,
    ended: u64,
    hurried: bool,
}

impl Queue {
    /// Writes to `sink` on a thread of its own, with at most `most` bytes waiting.
    fn start(sink: impl Write + Send + 'static, most: usize) -> Self {
        let shared = Arc::new(Shared {
            held: Mutex::default(),
            stirred: Condvar::new(),
            written: Condvar::new(),
            most,
            dropped: AtomicU64::new(0),
        });
        let end = Arc::clone(&shared);
        // Without the thread nothing is ever written, and every line counts as dropped once the queue is full.
        let _ = std::thread::Builder::new()
            .name("imbot-log".to_owned())
            .spawn(move || end.write(sink));
        Self(shared)
    }

    fn push(&self, line: &[u8]) {
        let shared = &self.0;
        let mut held = unpoisoned(shared.held.lock());
        if held.text.len() + held.leaving + line.len() > shared.most {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Whoever makes it more than nothing wakes the thread: the lines after it come along.
        let wake = held.text.is_empty();
        held.text.extend_from_slice(line);
        held.taken += line.len() as u64;
        drop(held);
        if wake {
            shared.stirred.notify_one();
        }
    }

    fn flush(&self, patience: Duration) {
        let mut held = unpoisoned(self.0.held.lock());
        let until = held.taken;
        held.hurried = true;
        self.0.stirred.notify_one();
        // Late: the sink is stuck, and the process must end all the same.
        let waited = self
            .0
            .written
            .wait_timeout_while(held, patience, |held| held.ended < until);
        drop(waited);
    }
}

impl Shared {
    fn write(&self, mut sink: impl Write) {
        let mut told = 0;
        let mut batch = Vec::new();
        loop {
            let idle = |held: &mut Held| held.text.is_empty();
            let held = unpoisoned(self.stirred.wait_while(unpoisoned(self.held.lock()), idle));
            // A busy server writes a line every few microseconds: one system call for many.
            let hurried = |held: &mut Held| !held.hurried;
            let waited = self.stirred.wait_timeout_while(held, LINGER, hurried);
            let (mut held, _) = unpoisoned(waited);
            std::mem::swap(&mut held.text, &mut batch);
            held.leaving = batch.len();
            held.hurried = false;
            drop(held);
            // An error (a closed pipe, a full disk) costs these lines; the next ones are tried again.
            if sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
                let lines = batch.iter().filter(|byte| **byte == b'\n').count();
                self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
            }
            let lost = self.dropped.load(Ordering::Relaxed);
            if lost > told && writeln!(sink, "imbot: {} log lines were dropped here", lost - told).is_ok() {
                told = lost;
            }
            let mut held = unpoisoned(self.held.lock());
            held.ended += held.leaving as u64;
            held.leaving = 0;
            drop(held);
            batch.clear();
            // A burst must not keep its memory.
            batch.shrink_to(KEPT);
            self.written.notify_all();
        }
    }
}

/// A thread that panicked while it held the lock left whole lines behind.
fn unpoisoned<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// The subscriber gathers a line and hands it over whole, in one piece.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender};

    /// A sink that takes each line only when the test lets it.
    struct Gated {
        written: Arc<Mutex<String>>,
        gate: Receiver<()>,
    }

    impl Write for Gated {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            // A gone gate stands open.
            let _ = self.gate.recv();
            self.written.lock().unwrap().push_str(&String::from_utf8_lossy(piece));
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated(most: usize) -> (Queue, SyncSender<()>, Arc<Mutex<String>>) {
        let (open, gate) = std::sync::mpsc::sync_channel(0);
        let written = Arc::new(Mutex::new(String::new()));
        let sink = Gated {
            written: Arc::clone(&written),
            gate,
        };
        (Queue::start(sink, most), open, written)
    }

    #[test]
    fn a_sink_that_takes_nothing_holds_up_nobody_and_what_does_not_fit_is_counted() {
        let (queue, open, written) = gated(30);
        for number in 0..100 {
            // Ten bytes each: three fit, and nobody waits for the sink.
            queue
                .make_writer()
                .write_all(format!("line {number:04}\n").as_bytes())
                .unwrap();
        }
        queue.flush(Duration::from_millis(1));
        assert_eq!(queue.0.dropped.load(Ordering::Relaxed), 97);
        drop(open);
        queue.flush(Duration::from_secs(60));
        let written = written.lock().unwrap().clone();
        assert!(written.starts_with("line 0000\n"), "{written}");
        assert!(
            written.contains("line 0002\n") && !written.contains("line 0003"),
            "{written}"
        );
        assert!(written.contains("imbot: 97 log lines were dropped here\n"), "{written}");
    }

    #[test]
    fn a_sink_that_recovers_gets_the_lines_again() {
        let (queue, open, written) = gated(10);
        queue.push(b"aaaaaaaaa\n");
        queue.push(b"b\n");
        drop(open);
        queue.flush(Duration::from_secs(60));
        queue.push(b"c\n");
        queue.flush(Duration::from_secs(60));
        assert!(written.lock().unwrap().ends_with("c\n"));
        assert_eq!(queue.0.dropped.load(Ordering::Relaxed), 1);
    }
}
