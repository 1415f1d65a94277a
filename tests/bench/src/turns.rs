//! Servers that take turns of two seconds on one core: whatever slows the machine down for a while slows all of them. Owns the turns and their table. Acceptance only; latencies and memory are the whole run's matter.

use crate::Failed;
use crate::body::Request;
use crate::load::{answer, spinning};
use crate::machine::{self, Pins};
use crate::sample::ratio;
use crate::servers::{self, Server, Setup};
use crate::table;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

/// Far from the numbers of other turns, ten digits.
const FIRST_EVENT: u64 = 1_000_000_000;

/// Between two turns: what a server has put off is done in its own time, not in the next one's.
const PAUSE: Duration = Duration::from_millis(100);

/// What takes turns.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// Rounds; in each every server has one turn.
    #[arg(long, default_value_t = 8)]
    rounds: usize,
    /// Seconds of a turn. Much shorter ones measure how a server wakes up.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Connections to each server, kept alive.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Dialogs that the events are spread over.
    #[arg(long, default_value_t = 1_000)]
    dialogs: u64,
    /// The ack modes of imbot.
    #[arg(long, default_values = ["memory", "written", "durable"])]
    ack: Vec<String>,
    /// Where the stores lie; default: `bench-data` in the target folder. Must be a disk, not memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measures this binary instead of building one; more of them are compared.
    #[arg(long)]
    imbot: Vec<PathBuf>,
}

/// A child of the benchmark: sends to each server in its turn.
#[derive(Debug, clap::Args)]
pub(crate) struct Child {
    /// Address and process of each server.
    #[arg(long)]
    server: Vec<String>,
    #[arg(long)]
    rounds: usize,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    dialogs: u64,
}

/// One server's turns.
#[derive(Debug, Serialize, Deserialize)]
struct Turns {
    /// Events a second, turn by turn.
    rates: Vec<f64>,
    events: u64,
    /// CPU seconds of its process, pauses and the turns of others included.
    cpu: f64,
}

/// Starts the servers, lets them take turns, prints.
pub(crate) fn run(plan: &Plan) -> Result<(), Failed> {
    let programs = if plan.imbot.is_empty() {
        vec![servers::build()?]
    } else {
        plan.imbot.clone()
    };
    let data = plan
        .data
        .clone()
        .map_or_else(|| servers::target_folder().map(|target| target.join("bench-data")), Ok)?;
    let pins = Pins::find();
    let mut running = vec![("bare axum".to_owned(), Server::bare(pins, false)?)];
    for (number, program) in programs.iter().enumerate() {
        for ack in &plan.ack {
            let setup = Setup {
                program,
                ack,
                portal: None,
                log: None,
            };
            let name = match programs.len() {
                1 => format!("imbot, ack {ack}"),
                _ => format!("{}, ack {ack}", program.display()),
            };
            let server = Server::imbot(pins, setup, &data.join(format!("{number}-{ack}")))?;
            running.push((name, server));
        }
    }
    let mut command = pins.command(Pins::LOAD, &std::env::current_exe()?);
    command.args(["turns-child", &format!("--rounds={}", plan.rounds)]);
    command.args([
        format!("--seconds={}", plan.seconds),
        format!("--dialogs={}", plan.dialogs),
    ]);
    command.arg(format!("--connections={}", plan.connections));
    for (_, server) in &running {
        command.arg(format!("--server={}/{}", server.address, server.pid()));
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("the load ended early; what it said stands above".into());
    }
    let turns: Vec<Turns> = serde_json::from_slice(&output.stdout)?;
    println!(
        "{}. {} connections, {} turns of {} s each.\n",
        machine::describe(data.parent().unwrap_or(&data)),
        plan.connections,
        plan.rounds,
        plan.seconds
    );
    println!("{}", shown(&running, &turns));
    Ok(())
}

fn shown(running: &[(String, Server)], turns: &[Turns]) -> String {
    let mut table = table::table(&[
        "",
        "events/s",
        "of bare",
        "a quarter below",
        "a quarter above",
        "CPU us/event",
        "of bare, by CPU",
    ]);
    let Some(bare) = turns.first() else {
        return String::new();
    };
    let micros = |turns: &Turns| turns.cpu * 1e6 / turns.events.max(1) as f64;
    for ((name, _), turns) in running.iter().zip(turns) {
        // Each turn is held against the reference's in the same round.
        let ratios = turns.rates.iter().zip(&bare.rates);
        let [low, middle, high] = quarters(ratios.map(|(rate, bare)| ratio(*rate, *bare)).collect());
        let [_, rate, _] = quarters(turns.rates.clone());
        table.add_row([
            name.clone(),
            format!("{rate:.0}"),
            format!("{middle:.2}"),
            format!("{low:.2}"),
            format!("{high:.2}"),
            format!("{:.1}", micros(turns)),
            format!("{:.2}", ratio(micros(bare), micros(turns))),
        ]);
    }
    table::text(table)
}

/// What a quarter, a half and three quarters of them do not exceed.
fn quarters(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values.get(values.len() * quarter / 4).copied().unwrap_or_default())
}

/// Whose turn it is, and who has not finished his.
#[derive(Default)]
struct Board {
    turn: Cell<Option<usize>>,
    changed: Notify,
    under_way: Cell<usize>,
    answered: Cell<u64>,
    next: Cell<u64>,
}

/// Sends the load and prints what was measured.
pub(crate) fn child(child: &Child) -> Result<(), Failed> {
    let (runtime, _) = spinning()?;
    let here = LocalSet::new();
    let turns = runtime.block_on(here.run_until(measure(child)))?;
    println!("{}", serde_json::to_string(&turns)?);
    Ok(())
}

async fn measure(child: &Child) -> Result<Vec<Turns>, Failed> {
    let mut servers = Vec::new();
    for named in &child.server {
        let (address, pid) = named.split_once('/').ok_or("a server is ADDRESS/PID")?;
        servers.push((address.parse::<SocketAddr>()?, pid.parse::<u32>()?));
    }
    let board = Rc::new(Board::default());
    board.next.set(FIRST_EVENT);
    let mut connections = JoinSet::new();
    for (number, (address, _)) in servers.iter().enumerate() {
        for _ in 0..child.connections {
            let request = Request::to(*address, child.dialogs);
            connections.spawn_local(converse(request, *address, number, Rc::clone(&board)));
        }
    }
    let play = play(child, &servers, &board);
    tokio::select! {
        turns = play => turns,
        Some(ended) = connections.join_next() => Err(ended?.err().unwrap_or_else(|| "a connection ended".into())),
    }
}

async fn play(child: &Child, servers: &[(SocketAddr, u32)], board: &Board) -> Result<Vec<Turns>, Failed> {
    let mut turns: Vec<Turns> = Vec::new();
    // The first round warms up.
    for round in 0..=child.rounds {
        if round == 1 {
            turns.clear();
            for (_, pid) in servers {
                turns.push(Turns {
                    rates: Vec::new(),
                    events: 0,
                    cpu: -machine::exact_cpu(*pid)?.as_secs_f64(),
                });
            }
        }
        for number in 0..servers.len() {
            board.answered.set(0);
            let begun = Instant::now();
            board.turn.set(Some(number));
            board.changed.notify_waiters();
            sleep(Duration::from_secs_f64(child.seconds)).await;
            board.turn.set(None);
            while board.under_way.get() > 0 {
                tokio::task::yield_now().await;
            }
            let took = begun.elapsed().as_secs_f64();
            if let Some(turns) = turns.get_mut(number) {
                turns.rates.push(board.answered.get() as f64 / took);
                turns.events += board.answered.get();
            }
            sleep(PAUSE).await;
        }
    }
    for (turns, (_, pid)) in turns.iter_mut().zip(servers) {
        turns.cpu += machine::exact_cpu(*pid)?.as_secs_f64();
    }
    Ok(turns)
}

async fn converse(mut request: Request, address: SocketAddr, number: usize, board: Rc<Board>) -> Result<(), Failed> {
    let mut buffer = vec![0; 4096];
    loop {
        while board.turn.get() != Some(number) {
            board.changed.notified().await;
        }
        // Anew in each turn: a server may close what says nothing for as long as the others' turns take.
        board.under_way.set(board.under_way.get() + 1);
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        while board.turn.get() == Some(number) {
            let event = board.next.get();
            board.next.set(event + 1);
            stream.write_all(request.stamp(event)).await?;
            if !answer(&mut stream, &mut buffer).await? {
                return Err("an event was refused".into());
            }
            board.answered.set(board.answered.get() + 1);
        }
        board.under_way.set(board.under_way.get() - 1);
    }
}
