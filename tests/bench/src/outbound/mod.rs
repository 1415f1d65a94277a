//! The benchmark of the way out: one run of each part, printed as tables. Owns the command line; the parts are `pace`,
//! `hang` and `cost`, the emulated portals are in `far`.

mod cost;
mod far;
mod hang;
mod pace;

pub(crate) use cost::{BareCalls, bare_calls};

use crate::Failed;
use crate::machine::{self, Pins};
use crate::servers;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use std::path::{Path, PathBuf};

/// How much of it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Messages queued for one standard portal. One by one that takes half a second for each beyond the 48th.
    #[arg(long, default_value_t = 1_000)]
    messages: u64,
    /// Milliseconds that the portal works on a message, in the rows that count this in.
    #[arg(long, default_value_t = 120)]
    work: u64,
    /// Seconds of each look at the other portals, with and without the hanging one.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Events a second to each portal in that part.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// How often that part is repeated; the middle counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Calls whose CPU time is measured.
    #[arg(long, default_value_t = 10_000)]
    calls: u64,
    /// Only these parts: `pace`, `hang`, `cost`.
    #[arg(long)]
    only: Vec<String>,
    /// Where the stores lie; default: `bench-data` in the target folder. Must be a disk, not memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measures this binary instead of building one.
    #[arg(long)]
    imbot: Option<PathBuf>,
}

/// The part of it that runs on the load's core.
#[derive(Debug, clap::Args)]
pub(crate) struct Child {
    #[command(flatten)]
    plan: Plan,
    /// Processes are tied to cores.
    #[arg(long)]
    tied: bool,
}

/// What the parts need to know.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) pins: Pins,
    pub(crate) program: &'a Path,
    pub(crate) data: &'a Path,
}

/// Builds imbot, then runs this program again on the load's core.
pub(crate) fn run(plan: &Plan) -> Result<(), Failed> {
    if cfg!(debug_assertions) {
        eprintln!("bench: this is a debug build; use: cargo run --release -p bench -- outbound");
    }
    let program = plan.imbot.clone().map_or_else(servers::build, Ok)?;
    let data = plan
        .data
        .clone()
        .map_or_else(|| servers::target_folder().map(|target| target.join("bench-data")), Ok)?;
    let pins = Pins::find();
    println!("{}.\n", machine::describe(data.parent().unwrap_or(Path::new("/"))));
    let mut command = pins.command(Pins::LOAD, &std::env::current_exe()?);
    command.arg("outbound-child").args(pins.tied().then_some("--tied"));
    let mut option = |name: &str, value: String| {
        command.arg(format!("--{name}={value}"));
    };
    option("messages", plan.messages.to_string());
    option("work", plan.work.to_string());
    option("seconds", plan.seconds.to_string());
    option("rate", plan.rate.to_string());
    option("rounds", plan.rounds.to_string());
    option("calls", plan.calls.to_string());
    plan.only.iter().for_each(|only| option("only", only.clone()));
    option("data", data.display().to_string());
    option("imbot", program.display().to_string());
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err("it ended early; what it said stands above".into())
    }
}

/// Runs the parts and prints them.
pub(crate) fn child(child: &Child) -> Result<(), Failed> {
    let plan = &child.plan;
    let (Some(program), Some(data)) = (&plan.imbot, &plan.data) else {
        return Err("run `bench outbound` instead".into());
    };
    let bench = Bench {
        plan,
        pins: Pins::given(child.tied),
        program,
        data,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wanted = |part: &str| plan.only.is_empty() || plan.only.iter().any(|only| only == part);
    if wanted("pace") {
        println!("{}\n", runtime.block_on(pace::measure(&bench))?);
    }
    if wanted("hang") {
        println!("{}\n", runtime.block_on(hang::measure(&bench))?);
    }
    if wanted("cost") {
        println!("{}\n", runtime.block_on(cost::measure(&bench))?);
    }
    Ok(())
}

/// A table whose columns but the first stand to the right.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// `met` or `MISSED`.
fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
