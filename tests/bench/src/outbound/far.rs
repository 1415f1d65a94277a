//! Emulated portals in the benchmark's process, the events they send, and what arrives there. Owns the configuration
//! that imbot gets for them.

use super::Bench;
use crate::Failed;
use crate::body::{BOT_ID, BOT_TOKEN, Request, domain, member_id, number_in};
use crate::load::answer;
use crate::replies::incoming_webhook;
use crate::sample::micros;
use crate::servers::{Config, Server, ask, free_address};
use imbot::portal::{BotSeed, Decision, LogEntry, Portal, PortalConfig};
use imbot::types::Clock;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Ten digits, and no leading zero: a portal writes none.
pub(super) const FIRST: u64 = 1_000_000_000;
/// Connections on which events come in.
const DOORS: u64 = 16;

/// How fast imbot may call a portal: its own limiter, and where `counted` the portal's too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) burst: u32,
    pub(super) rate: f64,
    pub(super) counted: bool,
}

/// A portal and what was seen there.
pub(super) struct Far {
    pub(super) portal: Portal,
    number: usize,
    seen: Arc<Mutex<Seen>>,
}

/// What was seen at a portal.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    sent: HashMap<u64, Instant>,
    events: u64,
    /// Microseconds from an event to the bot's message.
    pub(super) latencies: Vec<u32>,
    /// Messages stored.
    pub(super) messages: u64,
    /// HTTP requests, a batch being one.
    pub(super) requests: u64,
    /// Requests refused.
    pub(super) refused: u64,
    /// When the last message was stored.
    pub(super) last: Option<Instant>,
}

impl Far {
    /// Starts portal `number`.
    pub(super) async fn start(number: usize, pace: Pace) -> Result<Self, Failed> {
        let unlimited = crate::replies::NO_LIMIT;
        let portal = Portal::start(PortalConfig {
            listen: free_address()?,
            host: domain(number),
            member_id: member_id(number),
            burst: if pace.counted { pace.burst } else { unlimited },
            rate: if pace.counted { 2 } else { unlimited },
            on_demand: true,
            log_limit: 100,
            // What is measured is imbot: no operating time slows the sending down.
            costs: Vec::new(),
            bots: vec![BotSeed::webhook(BOT_ID, "bench", BOT_TOKEN)],
            ..PortalConfig::new(Clock::system())
        })
        .await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        tokio::spawn(watch(portal.live_log(), Arc::clone(&seen)));
        Ok(Self { portal, number, seen })
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sent(&self, number: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sent.insert(number, Instant::now());
        seen.events += 1;
    }

    /// Events that were sent to this portal's bot.
    pub(super) fn sent_so_far(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).events
    }

    /// Returns when so many messages have been stored.
    pub(super) async fn stored(&self, messages: u64, patience: Duration) -> Result<(), Failed> {
        let begin = Instant::now();
        loop {
            let stored = self.seen.lock().unwrap_or_else(PoisonError::into_inner).messages;
            if stored >= messages {
                return Ok(());
            }
            if begin.elapsed() > patience {
                let seconds = patience.as_secs();
                return Err(format!("{stored} of {messages} messages after {seconds} s").into());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn table(&self, pace: Pace) -> String {
        let (number, address) = (self.number, self.portal.address());
        format!(
            r#"[[portal]]
name = "p{number}"
domain = "{domain}"
member_id = "{member}"
plan = {{ burst = {burst}, rate = {rate:?} }}
endpoint = "http://{address}/rest/"
incoming_webhook = "{webhook}"
allow_insecure = true
[[portal.bot]]
id = {BOT_ID}
handler = "echo"
bot_token = "{BOT_TOKEN}"
"#,
            domain = domain(number),
            member = member_id(number),
            burst = pace.burst,
            rate = pace.rate,
            webhook = incoming_webhook(address),
        )
    }
}

async fn watch(mut log: Receiver<LogEntry>, seen: Arc<Mutex<Seen>>) {
    loop {
        match log.recv().await {
            Ok(entry) => seen.lock().unwrap_or_else(PoisonError::into_inner).entry(&entry),
            Err(RecvError::Lagged(lost)) => eprintln!("bench: {lost} requests were not seen; the figures are wrong"),
            Err(RecvError::Closed) => return,
        }
    }
}

impl Seen {
    fn entry(&mut self, entry: &LogEntry) {
        self.requests += u64::from(!entry.batched);
        match entry.decision {
            Decision::Executed { message_id: Some(_) } => {
                self.messages += 1;
                self.last = Some(Instant::now());
                let sent = entry
                    .text()
                    .and_then(number_in)
                    .and_then(|number| self.sent.remove(&number));
                self.latencies.extend(sent.map(|sent| micros(sent.elapsed())));
            }
            Decision::Refused { .. } => self.refused += 1,
            _ => {}
        }
    }
}

/// imbot in front of these portals; a fresh store, or what an earlier one left.
pub(super) struct Front {
    pub(super) server: Server,
    admin: SocketAddr,
}

impl Front {
    pub(super) fn start(bench: &Bench<'_>, portals: &[Far], pace: Pace, fresh: bool) -> Result<Self, Failed> {
        let data = bench.data.join("outbound");
        if fresh {
            // Only what an earlier run left: the folder is this program's own.
            let _ = std::fs::remove_dir_all(&data);
        }
        let (listen, admin) = (free_address()?, free_address()?);
        let store = data.join("store");
        let mut text = format!(
            "server.listen = \"{listen}\"\nadmin.listen = \"{admin}\"\nstore.path = \"{}\"\nstore.max_bytes = \"16GiB\"\n",
            store.display()
        );
        for far in portals {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", far.table(pace));
        }
        let config = Config {
            text: &text,
            listen,
            admin,
        };
        let server = Server::configured(bench.pins, bench.program, &data, &config)?;
        Ok(Self { server, admin })
    }

    /// Sends events `FIRST..FIRST + count` to the first portal's bot as fast as they are taken, each in a dialog of its
    /// own; `single` keeps the bot's messages out of batches.
    pub(super) async fn events(&self, far: &Arc<Far>, count: u64, single: bool) -> Result<(), Failed> {
        let mut doors = JoinSet::new();
        for door in 0..DOORS {
            let request = Request::of_portal(self.server.address, 90_000, far.number, single);
            let numbers = (FIRST + door..FIRST + count).step_by(usize::try_from(DOORS)?);
            doors.spawn(post(self.server.address, request, Arc::clone(far), numbers));
        }
        while let Some(done) = doors.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Sends `rate` events a second to a portal's bot, in time and whatever becomes of them.
    pub(super) async fn steadily(&self, far: &Arc<Far>, rate: u64, time: Duration) -> Result<(), Failed> {
        let request = Request::of_portal(self.server.address, 1_000, far.number, false);
        let (mut sending, begin, mut number) = (JoinSet::new(), Instant::now(), 0_u64);
        while begin.elapsed() < time {
            let due = Duration::from_secs_f64(f64::from(u32::try_from(number)?) / f64::from(u32::try_from(rate)?));
            sleep(due.saturating_sub(begin.elapsed())).await;
            let one = std::iter::once(FIRST + number);
            sending.spawn(post(self.server.address, request.clone(), Arc::clone(far), one));
            number += 1;
            while let Some(done) = sending.try_join_next() {
                done??;
            }
        }
        while let Some(done) = sending.join_next().await {
            done??;
        }
        Ok(())
    }

    /// A figure of `/metrics`, by its name without labels.
    pub(super) fn metric(&self, name: &str) -> Result<f64, Failed> {
        let text = ask(self.admin, "/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.ok_or_else(|| format!("no {name} in /metrics"))?.trim().parse()?)
    }
}

async fn post(
    address: SocketAddr,
    mut request: Request,
    far: Arc<Far>,
    numbers: impl Iterator<Item = u64>,
) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    for number in numbers {
        far.sent(number);
        stream.write_all(request.stamp(number)).await?;
        if !answer(&mut stream, &mut buffer).await? {
            return Err("an event was refused".into());
        }
    }
    Ok(())
}
