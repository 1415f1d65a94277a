//! The benchmark of imbot: one run, one machine, one core for the server and one for the load. Owns the command line;
//! the run is in `run`. It is no test: it claims nothing and fails nothing, it prints.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark measures real time and talks to a terminal"
)]

mod bare;
mod body;
mod load;
mod machine;
mod outbound;
mod replies;
mod run;
mod sample;
mod servers;
mod stages;
mod table;
mod turns;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why a part of the benchmark could not run, for people.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Compares imbot with a bare axum server that reads the body and answers 200.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    plan: run::Plan,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// CPU time of each step of the door that is plain computation, called in a loop.
    Stages {
        /// One line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Acceptance alone, the servers taking turns of two seconds: for a machine that is not quiet, and to compare two
    /// builds.
    Turns(turns::Plan),
    /// The load of `turns` (a child of the benchmark).
    #[command(hide = true)]
    TurnsChild(turns::Child),
    /// The way out: messages a minute with and without batches, other portals while one hangs, CPU for each call.
    Outbound(outbound::Plan),
    /// The portals of `outbound` and what they measure (a child of the benchmark).
    #[command(hide = true)]
    OutboundChild(outbound::Child),
    /// A loop around reqwest (a child of the benchmark).
    #[command(hide = true)]
    BareCalls(outbound::BareCalls),
    /// The reference server (a child of the benchmark).
    #[command(hide = true)]
    BareAxum {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        multi_thread: bool,
    },
    /// The load generator (a child of the benchmark): prints one line of JSON.
    #[command(hide = true)]
    Load(load::Load),
    /// Only builds what is measured and says where it is.
    Build,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => run::whole_run(&arguments.plan),
        Some(Command::Stages { json: false }) => {
            println!("{:#?} (microseconds)", stages::measure());
            Ok(())
        }
        Some(Command::Stages { json: true }) => serde_json::to_string(&stages::measure()).map_or_else(
            |error| Err(error.into()),
            |line| {
                println!("{line}");
                Ok(())
            },
        ),
        Some(Command::BareAxum { listen, multi_thread }) => bare::serve(listen, multi_thread),
        Some(Command::Turns(plan)) => turns::run(&plan),
        Some(Command::TurnsChild(child)) => turns::child(&child),
        Some(Command::Outbound(plan)) => outbound::run(&plan),
        Some(Command::OutboundChild(child)) => outbound::child(&child),
        Some(Command::BareCalls(calls)) => outbound::bare_calls(&calls),
        Some(Command::Load(load)) => load::run(&load),
        Some(Command::Build) => servers::build().map(|path: PathBuf| println!("{}", path.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
