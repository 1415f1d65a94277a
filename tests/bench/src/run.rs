//! The whole run: every server in turn, round after round, so that a slow minute of the machine falls on all of them.

use crate::Failed;
use crate::machine::{self, Pins};
use crate::sample::{DISTURBED, Fill, Sample};
use crate::servers::{self, Server, Setup};
use crate::stages::Stages;
use crate::table;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// How much of it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Rounds; each runs every server once, and the middle of the rounds is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured of each run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds of load before that.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Connections, kept alive.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Dialogs that the events are spread over.
    #[arg(long, default_value_t = 1_000)]
    dialogs: u64,
    /// Events pending when memory is looked at.
    #[arg(long, default_value_t = 200_000)]
    pending: u64,
    /// Events sent at once on the whole path.
    #[arg(long, default_value_t = 20_000)]
    burst: u64,
    /// Seconds to wait before each run for a quiet machine.
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// How often a run disturbed by other programs is repeated; the least disturbed counts.
    #[arg(long, default_value_t = 1)]
    again: usize,
    /// Where the stores lie; default: `bench-data` in the target folder. Must be a disk, not memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measures this binary instead of building one.
    #[arg(long)]
    imbot: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    BareCurrent,
    BareMulti,
    Memory,
    Written,
    Durable,
    DurableQuiet,
    Whole,
}

impl Mode {
    pub(crate) const ALL: [Self; 7] = [
        Self::BareCurrent,
        Self::BareMulti,
        Self::Memory,
        Self::Written,
        Self::Durable,
        Self::DurableQuiet,
        Self::Whole,
    ];

    /// As it stands in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareCurrent => "bare axum, current thread",
            Self::BareMulti => "bare axum, multi thread",
            Self::Memory => "imbot, ack memory",
            Self::Written => "imbot, ack written",
            Self::Durable => "imbot, ack durable",
            Self::DurableQuiet => "imbot, ack durable, IMBOT_LOG=warn",
            Self::Whole => "whole path: event to reply, durable",
        }
    }
}

/// All samples of all modes, in the order of [`Mode::ALL`].
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<(Mode, Sample)>);

impl Samples {
    /// The undisturbed runs of this mode; all of them if none was undisturbed.
    pub(crate) fn of(&self, mode: Mode) -> Vec<Sample> {
        let all = self.0.iter().filter(|(of, _)| *of == mode).map(|(_, sample)| sample);
        let quiet: Vec<Sample> = all
            .clone()
            .filter(|sample| sample.others() <= DISTURBED)
            .cloned()
            .collect();
        if quiet.is_empty() {
            all.cloned().collect()
        } else {
            quiet
        }
    }

    /// The backlog, whichever run it was in.
    pub(crate) fn fill(&self) -> Option<Fill> {
        self.0.iter().find_map(|(_, sample)| sample.fill)
    }
}

/// Runs everything and prints it.
pub(crate) fn whole_run(plan: &Plan) -> Result<(), Failed> {
    if cfg!(debug_assertions) {
        eprintln!("bench: this is a debug build; use: cargo run --release -p bench");
    }
    let program = plan.imbot.clone().map_or_else(servers::build, Ok)?;
    let data = plan
        .data
        .clone()
        .map_or_else(|| servers::target_folder().map(|target| target.join("bench-data")), Ok)?;
    let run = Run {
        plan,
        pins: Pins::find(),
        program,
        data,
    };
    let mut samples = Samples::default();
    for round in 1..=plan.rounds {
        for mode in Mode::ALL {
            let fill = (mode == Mode::Durable && round == plan.rounds).then_some(plan.pending);
            let sample = run
                .quietest(mode, fill)
                .map_err(|error| format!("{}: {error}", mode.name()))?;
            let (rate, cpu) = (sample.rate(), sample.cpu_per_event());
            eprintln!(
                "round {round} of {}: {}: {rate:.0}/s, {cpu:.1} us CPU",
                plan.rounds,
                mode.name()
            );
            samples.0.push((mode, sample));
        }
    }
    let stages = run.stages()?;
    println!(
        "{}. {} connections, {} rounds of {} s each.\n",
        run.machine(),
        plan.connections,
        plan.rounds,
        plan.seconds
    );
    println!("{}", table::whole(&samples, &stages));
    Ok(())
}

struct Run<'a> {
    plan: &'a Plan,
    pins: Pins,
    program: PathBuf,
    data: PathBuf,
}

impl Run<'_> {
    fn machine(&self) -> String {
        machine::describe(self.data.parent().unwrap_or(Path::new("/")))
    }

    /// Runs a disturbed one again, a few times, and takes the least disturbed.
    fn quietest(&self, mode: Mode, fill: Option<u64>) -> Result<Sample, Failed> {
        let mut best: Option<Sample> = None;
        for _ in 0..=self.plan.again {
            machine::wait_for_quiet(self.plan.patience)?;
            let sample = self.one(mode, fill)?;
            if best.as_ref().is_none_or(|best| sample.others() < best.others()) {
                best = Some(sample);
            }
            if best.as_ref().is_some_and(|best| best.others() <= DISTURBED) {
                break;
            }
        }
        best.ok_or_else(|| "no run".into())
    }

    fn one(&self, mode: Mode, fill: Option<u64>) -> Result<Sample, Failed> {
        let portal = if mode == Mode::Whole {
            Some(servers::free_address()?)
        } else {
            None
        };
        let setup = |ack, log| Setup {
            program: &self.program,
            ack,
            portal,
            log,
        };
        let imbot = |setup| Server::imbot(self.pins, setup, &self.data);
        let server = match mode {
            Mode::BareCurrent => Server::bare(self.pins, false),
            Mode::BareMulti => Server::bare(self.pins, true),
            Mode::Memory => imbot(setup("memory", None)),
            Mode::Written => imbot(setup("written", None)),
            Mode::Durable | Mode::Whole => imbot(setup("durable", None)),
            Mode::DurableQuiet => imbot(setup("durable", Some("warn"))),
        }?;
        self.load(&server, portal, fill)
    }

    fn load(&self, server: &Server, portal: Option<SocketAddr>, fill: Option<u64>) -> Result<Sample, Failed> {
        let plan = self.plan;
        let mut command = self.pins.command(Pins::LOAD, &std::env::current_exe()?);
        command.arg("load");
        let mut option = |name: &str, value: String| {
            command.arg(format!("--{name}={value}"));
        };
        option("address", server.address.to_string());
        option("server", server.pid().to_string());
        option("connections", plan.connections.to_string());
        option("dialogs", plan.dialogs.to_string());
        option("warmup", plan.warmup.to_string());
        option("seconds", plan.seconds.to_string());
        if let Some(fill) = fill {
            option("fill", fill.to_string());
        }
        if let Some(portal) = portal {
            option("portal", portal.to_string());
            option("window", plan.connections.to_string());
            option("burst", plan.burst.to_string());
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("the load ended early; what it said stands above".into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn stages(&self) -> Result<Stages, Failed> {
        let mut command = self.pins.command(Pins::SERVER, &std::env::current_exe()?);
        let output = command.args(["stages", "--json"]).stderr(Stdio::inherit()).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
