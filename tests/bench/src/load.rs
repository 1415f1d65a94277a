//! The load generator: connections on one thread, each sending its next event when it may. Owns what counts as an answer
//! and what is in the measured window. The request is stamped, not built, and of an answer only status and length are read.

use crate::Failed;
use crate::body::Request;
use crate::machine::{self, Pins};
use crate::replies::Replies;
use crate::sample::{Fill, Latency, Sample, micros};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

/// Whatever happens, a run ends after this long beyond its planned time.
const GRACE: Duration = Duration::from_secs(120);

/// A look around that takes less has found nothing to do: handling an answer takes longer.
const NOTHING_DONE: Duration = Duration::from_micros(4);

/// Ten digits, and no leading zero: a portal writes none.
const FIRST_EVENT: u64 = 1_000_000_000;

/// How to load whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// Its process, to ask the kernel about.
    #[arg(long)]
    server: u32,
    /// Connections, kept alive.
    #[arg(long)]
    connections: usize,
    /// Dialogs that the events are spread over.
    #[arg(long, default_value_t = 1_000)]
    dialogs: u64,
    /// Seconds before the window, and of the window.
    #[arg(long)]
    warmup: f64,
    #[arg(long)]
    seconds: f64,
    /// Goes on after the window until so many events have been accepted.
    #[arg(long)]
    fill: Option<u64>,
    /// Runs an emulated portal there and waits for the bot's messages.
    #[arg(long)]
    pub(crate) portal: Option<SocketAddr>,
    /// With a portal: events under way at one time.
    #[arg(long, default_value_t = 64)]
    pub(crate) window: usize,
    /// With a portal: events sent at once after the window.
    #[arg(long, default_value_t = 0)]
    burst: u64,
}

/// Runs the load and prints the sample.
pub(crate) fn run(load: &Load) -> Result<(), Failed> {
    let (runtime, idle) = spinning()?;
    let planned = Duration::from_secs_f64(load.warmup + load.seconds);
    let measured = async {
        let here = LocalSet::new();
        let work = here.run_until(measure(load, &idle));
        timeout(planned + GRACE, work)
            .await
            .map_err(|_| "the load did not end in time")?
    };
    let sample = runtime.block_on(measured)?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// A runtime on this thread that never sleeps, and the nanoseconds in which it had nothing to do.
pub(crate) fn spinning() -> Result<(Runtime, Arc<AtomicU64>), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let idle = Arc::new(AtomicU64::new(0));
    runtime.spawn(stay_awake(Arc::clone(&idle)));
    Ok((runtime, idle))
}

/// Keeps the thread from sleeping, and counts the nanoseconds in which there was nothing to do.
///
/// The kernel bills the waking of a sleeper to whoever sends to it. A generator that sleeps is woken the more often the
/// slower the server is, so its sleep would be measured as the server's work.
async fn stay_awake(idle: Arc<AtomicU64>) {
    loop {
        let begun = Instant::now();
        tokio::task::yield_now().await;
        let took = begun.elapsed();
        if took < NOTHING_DONE {
            idle.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// What the connections share.
pub(crate) struct Traffic {
    next: Cell<u64>,
    accepted: Cell<u64>,
    refused: Cell<u64>,
    measuring: Cell<bool>,
    latencies: RefCell<Vec<u32>>,
    /// Decides when the next event may go where a portal answers.
    replies: Option<Replies>,
}

impl Traffic {
    /// The next event's number, as soon as it may be sent.
    async fn next(&self) -> Option<u64> {
        if let Some(replies) = &self.replies {
            replies.may_send().await?;
        }
        let number = self.next.get();
        self.next.set(number + 1);
        Some(number)
    }

    fn answered(&self, ok: bool, took: Duration) {
        let counter = if ok { &self.accepted } else { &self.refused };
        counter.set(counter.get() + 1);
        if ok && self.measuring.get() {
            self.latencies.borrow_mut().push(micros(took));
        }
    }
}

async fn measure(load: &Load, idle: &Arc<AtomicU64>) -> Result<Sample, Failed> {
    let replies = match load.portal {
        Some(address) => Some(Replies::at(address, load.window).await?),
        None => None,
    };
    let traffic = Rc::new(Traffic {
        next: Cell::new(FIRST_EVENT),
        accepted: Cell::new(0),
        refused: Cell::new(0),
        measuring: Cell::new(false),
        latencies: RefCell::default(),
        replies,
    });
    let idle_kib = machine::memory(load.server)?;
    probe(Request::asking(load.address, load.dialogs), load.address, &traffic).await?;
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn_local(converse(
            Request::to(load.address, load.dialogs),
            load.address,
            Rc::clone(&traffic),
        ));
    }
    let script = script(load, Rc::clone(&traffic), idle);
    tokio::select! {
        sample = script => Ok(Sample { idle_kib, ..sample? }),
        // Connections end only by breaking.
        Some(ended) = connections.join_next() => Err(ended?.err().unwrap_or_else(|| "a connection ended".into())),
    }
}

async fn script(load: &Load, traffic: Rc<Traffic>, idle: &AtomicU64) -> Result<Sample, Failed> {
    sleep(Duration::from_secs_f64(load.warmup)).await;
    let before = Meters::read(load.server, idle)?;
    traffic.measuring.set(true);
    traffic.replies.iter().for_each(|replies| replies.measure(true));
    sleep(Duration::from_secs_f64(load.seconds)).await;
    traffic.measuring.set(false);
    traffic.replies.iter().for_each(|replies| replies.measure(false));
    let after = Meters::read(load.server, idle)?;
    let mut sample = after.since(&before);
    let latencies = traffic.latencies.take();
    sample.events = latencies.len() as u64;
    sample.refused = traffic.refused.get();
    sample.answer = Latency::of(latencies);
    sample.end_kib = machine::memory(load.server)?;
    if let Some(replies) = &traffic.replies {
        sample.reply = Some(replies.summary(load.burst, &traffic.accepted).await?);
    }
    if let Some(pending) = load.fill {
        while traffic.accepted.get() < pending {
            sleep(Duration::from_millis(10)).await;
        }
        sample.fill = Some(Fill {
            pending: traffic.accepted.get(),
            kib: machine::memory(load.server)?,
        });
    }
    Ok(sample)
}

/// Readings at one moment.
struct Meters {
    at: Instant,
    server: Duration,
    /// Without what it spent looking for something to do.
    load: Duration,
    core: Duration,
}

impl Meters {
    fn read(server: u32, idle: &AtomicU64) -> Result<Self, Failed> {
        let (server, load) = (machine::cpu(server)?, machine::cpu(std::process::id())?);
        let idle = Duration::from_nanos(idle.load(Ordering::Relaxed));
        Ok(Self {
            at: Instant::now(),
            server,
            load: load.saturating_sub(idle),
            core: machine::busy(Pins::SERVER)?,
        })
    }

    fn since(&self, before: &Self) -> Sample {
        let seconds = |after: Duration, before: Duration| after.saturating_sub(before).as_secs_f64();
        Sample {
            seconds: self.at.duration_since(before.at).as_secs_f64(),
            server_cpu: seconds(self.server, before.server),
            load_cpu: seconds(self.load, before.load),
            server_core: seconds(self.core, before.core),
            ..Sample::default()
        }
    }
}

/// Sends the first event and asks what became of it: a quarantined event is answered 200 too, and would measure nothing.
async fn probe(mut request: Request, address: SocketAddr, traffic: &Traffic) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(address).await?;
    let number = traffic.next().await.ok_or("nothing may be sent")?;
    if let Some(replies) = &traffic.replies {
        replies.sent(number, Instant::now());
    }
    stream.write_all(request.stamp(number)).await?;
    let mut buffer = vec![0; 4096];
    let ok = answer(&mut stream, &mut buffer).await?;
    let text = String::from_utf8_lossy(&buffer);
    // The reference has no such header.
    let outcome = text
        .lines()
        .find_map(|line| line.strip_prefix("x-imbot-outcome: "))
        .unwrap_or("accepted");
    if !ok || outcome != "accepted" {
        return Err(format!(
            "the first event was not accepted: {} ({outcome})",
            text.lines().next().unwrap_or("")
        )
        .into());
    }
    traffic.accepted.set(1);
    Ok(())
}

async fn converse(mut request: Request, address: SocketAddr, traffic: Rc<Traffic>) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    while let Some(number) = traffic.next().await {
        let sent = Instant::now();
        if let Some(replies) = &traffic.replies {
            replies.sent(number, sent);
        }
        stream.write_all(request.stamp(number)).await?;
        let ok = answer(&mut stream, &mut buffer).await?;
        traffic.answered(ok, sent.elapsed());
    }
    Ok(())
}

/// Reads one whole answer; whether it was a 200.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<bool, Failed> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("the server closed a connection in the middle of the run".into());
        }
        filled += read;
        if let Some(ok) = whole(&buffer[..filled])? {
            return Ok(ok);
        }
    }
}

/// `None` while some of it is missing.
fn whole(bytes: &[u8]) -> Result<Option<bool>, Failed> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    let length = length.ok_or("an answer without content-length")??;
    Ok((bytes.len() >= end + 4 + length).then(|| head.starts_with("HTTP/1.1 200 ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(whole(text).unwrap(), Some(true));
        assert_eq!(whole(&text[..text.len() - 1]).unwrap(), None);
        assert_eq!(whole(&text[..20]).unwrap(), None);
        assert_eq!(
            whole(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").unwrap(),
            Some(false)
        );
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
