//! The operator: one file a subcommand. Reads the arguments, prints for people (or JSON for programs), decides the exit
//! code; the work itself is in the rooms below.

mod backup;
mod beside;
mod call;
mod captures;
mod client;
mod config;
mod dead_letters;
mod decode;
mod desk;
mod dev;
mod doctor;
mod letters;
mod output;
mod pause;
mod portal;
mod portals;
mod register;
mod replay;
mod resend;
mod rotate;
mod serve;
mod status;
mod text;

#[cfg(feature = "testing")]
pub(crate) use doctor::findings;

use crate::app::App;
use crate::settings::{self, Environment, Loaded};
use crate::telemetry::{self, LogFormat};
use clap::{CommandFactory as _, Parser, Subcommand};
use output::{complain, print};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit codes beside 0. In `--help`, so that scripts and service managers can tell them apart.
mod exit {
    /// Refused, or nothing found.
    pub(super) const REFUSED: u8 = 1;
    /// Wrong arguments, or an answer that is missing.
    pub(super) const USAGE: u8 = 2;
    /// `call`: the portal refused it.
    pub(super) const BY_PORTAL: u8 = 3;
    /// `call`: no identity, or it is refused, parked or paused.
    pub(super) const IDENTITY: u8 = 4;
    /// `call`: nobody knows whether it was carried out.
    pub(super) const UNKNOWN: u8 = 5;
    /// `call`: no budget in time.
    pub(super) const NO_BUDGET: u8 = 6;
    /// `register`: something differs.
    pub(super) const DRIFT: u8 = 3;
    /// `decode`: authentic shape, but unusable.
    pub(super) const UNUSABLE: u8 = 3;
    /// The disk failed; nothing is acknowledged any more. Restart to read the store again.
    pub(super) const STORE_FAILED: u8 = 74;
    /// Another process owns the store, or it does not answer.
    pub(super) const BUSY: u8 = 75;
    /// The configuration is wrong.
    pub(super) const CONFIG: u8 = 78;
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 refused or failed · 2 wrong arguments · 3 decode: would be quarantined \
· 3 to 6 call, register: see their `--help` · 74 the disk failed · 75 the store belongs to another process, or its server does not answer within 5 s · 78 the configuration is wrong.\n\
Environment: IMBOT_CONFIG, IMBOT_LOG (as RUST_LOG), IMBOT_LOG_FORMAT (json or pretty), NO_COLOR, and \
IMBOT_SECTION__KEY for every key of the configuration outside lists.";

/// The server that a Bitrix24 chat bot lives in.
#[derive(Debug, Parser)]
#[command(name = "imbot", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server from `imbot.toml`.
    Serve(serve::Arguments),
    /// Server and emulated portal in one process: no account, no configuration.
    Dev(dev::Arguments),
    /// An emulated portal alone, for bots in any language.
    Portal(portal::Arguments),
    /// Prints a captured event as normalized JSON. Checks no token.
    Decode(DecodeArguments),
    /// Posts captured events again, byte for byte, in order.
    Replay(resend::Arguments),
    /// Makes one REST call, in the portal's budget and as its identity; beside a running server, through it.
    Call(call::Arguments),
    /// Compares bots and slash commands with what the portals have; with --apply makes the portals so.
    Register(register::Arguments),
    /// Checks the set-up from outside in: DNS, TLS, proxy, token, rights, bots, clock, store; what to do about each finding.
    Doctor(doctor::Arguments),
    /// Per portal and bot: identity, budget, circuit, backlog, gaps, last event.
    Status(status::Arguments),
    /// Events of a portal or bot are stored, but no handler runs and nothing is sent.
    Pause(pause::Arguments),
    /// Ends a pause; refused identities are tried again.
    Resume(pause::Arguments),
    /// What could not be handled, sent or read: why, and another try.
    #[command(subcommand)]
    DeadLetters(letters::Arguments),
    /// Bodies kept as files by `[capture]`: list, drop, or make one from a dead letter.
    #[command(subcommand)]
    Captures(captures::Arguments),
    /// Installations of OAuth applications: who is served, who waits to be accepted.
    #[command(subcommand)]
    Portals(portals::Arguments),
    /// Copies the store into a new folder, while the server works; the key is not in it.
    Backup(backup::Arguments),
    /// Puts a backup into the store folder of the configuration, which must hold no store.
    Restore(backup::Arguments),
    /// Checks the configuration, or prints an example or its schema.
    #[command(subcommand)]
    Config(ConfigArguments),
    /// Asks a running server whether it is ready; for container health checks.
    Health {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Prints what completes these commands in a shell: `imbot completions bash > /etc/bash_completion.d/imbot`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct DecodeArguments {
    /// The captured body; `-` reads standard input.
    file: PathBuf,
    /// The content type it came with; without it the first byte tells JSON from a form.
    #[arg(long)]
    content_type: Option<String>,
    /// Prints tokens in clear instead of `***`.
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigArguments {
    /// Reports every mistake of the configuration at once.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Prints a commented configuration to start from.
    Example,
    /// Prints a JSON Schema of the configuration, for editors that complete and check TOML.
    Schema,
}

impl App {
    /// Reads the arguments of the process and does what they say; returns the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let environment = Environment::of_process();
        let arguments = Arguments::parse();
        log(&environment, !matches!(arguments.command, Command::Serve(_)));
        quiet_panics();
        for mistake in self.mistakes() {
            complain(&mistake);
        }
        if !self.mistakes().is_empty() {
            return ExitCode::from(exit::CONFIG);
        }
        let code = match arguments.command {
            Command::Serve(arguments) => serve::run(&self, &arguments, &environment),
            Command::Dev(arguments) => dev::run(&self, &arguments),
            Command::Portal(arguments) => portal::run(&arguments),
            Command::Decode(arguments) => decode_file(&arguments),
            Command::Replay(arguments) => resend::run(&self, arguments, &environment),
            Command::Call(arguments) => call::run(&self, &arguments, &environment),
            Command::Register(arguments) => register::run(&self, &arguments, &environment),
            Command::Doctor(arguments) => doctor::run(&self, &arguments, &environment),
            Command::Status(arguments) => status::run(&self, &arguments, &environment),
            Command::Pause(arguments) => pause::run(&self, &arguments, true, &environment),
            Command::Resume(arguments) => pause::run(&self, &arguments, false, &environment),
            Command::DeadLetters(arguments) => letters::run(&self, &arguments, &environment),
            Command::Captures(arguments) => captures::run(&self, &arguments, &environment),
            Command::Portals(arguments) => portals::run(&self, &arguments, &environment),
            Command::Backup(arguments) => backup::backup(&self, &arguments, &environment),
            Command::Restore(arguments) => backup::restore(&self, &arguments, &environment),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Arguments::command(), "imbot", &mut script);
                print(&String::from_utf8_lossy(&script))
            }
            Command::Config(ConfigArguments::Example) => print(&config::example()),
            Command::Config(ConfigArguments::Schema) => print(&format!("{:#}\n", settings::schema())),
            Command::Config(ConfigArguments::Check { config }) => {
                let (report, good) = config::check(config.as_deref(), &self.handlers(), &environment);
                print(&report).max(if good { 0 } else { exit::CONFIG })
            }
            Command::Health { config } => letters::health(&self, config.as_deref(), &environment),
        };
        telemetry::flush_logs();
        ExitCode::from(code)
    }

    fn handlers(&self) -> Vec<&str> {
        self.bots.iter().map(|bot| bot.name()).collect()
    }
}

fn log(environment: &Environment, quiet: bool) {
    let terminal = std::io::stderr().is_terminal();
    let format = match environment.get("IMBOT_LOG_FORMAT") {
        Some("json") => LogFormat::Json,
        Some(_) => LogFormat::Pretty,
        None if terminal => LogFormat::Pretty,
        None => LogFormat::Json,
    };
    // Commands print their own lines; their log would say everything twice.
    let filter = environment
        .get("IMBOT_LOG")
        .unwrap_or(if quiet { "warn" } else { "info" });
    telemetry::log_to_stderr(format, filter, terminal && environment.get("NO_COLOR").is_none());
}

/// A panic's text may hold a message or a token, so only its place is logged.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(
            place,
            "panic at {place} (its text is not logged: it may hold a message or a secret)"
        );
    }));
}

/// The settings, or the exit code after saying what is wrong with them.
fn settings_for(app: &App, config: Option<&Path>, environment: &Environment) -> Result<Loaded, u8> {
    let loaded = settings::load(config, &app.handlers(), environment).map_err(|error| {
        complain(&error.to_string());
        exit::CONFIG
    })?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

fn decode_file(arguments: &DecodeArguments) -> u8 {
    let body = match output::read(&arguments.file) {
        Ok(body) => body,
        Err(error) => {
            complain(&format!("{}: {error}", arguments.file.display()));
            return exit::REFUSED;
        }
    };
    match decode::decode(&body, arguments.content_type.as_deref(), arguments.show_secrets) {
        Ok(json) => print(&format!("{json}\n")),
        Err(decode::Undecoded::Refused(reason)) => {
            complain(&format!("refused: {reason}"));
            exit::REFUSED
        }
        Err(decode::Undecoded::Unusable(reason)) => {
            complain(&format!("would be quarantined: {reason}"));
            exit::UNUSABLE
        }
    }
}
