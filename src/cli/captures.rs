//! `imbot captures`: what `[capture]` has kept, and captures made from dead letters. Works on the folder alone; a dead letter
//! comes from whoever has the store.

use super::beside::{Common, Place, Trouble, failed, with};
use super::exit;
use super::output::{agreed, complain, print};
use super::text::one_line;
use crate::app::App;
use crate::capture::{self, Line};
use crate::settings::Environment;
use crate::types::REDACTED;
use crate::wire;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// `imbot captures`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Arguments {
    /// Lists them, oldest first.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Removes them for good.
    Drop {
        /// File names in the list.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        files: Vec<String>,
        /// All of the folder.
        #[arg(long)]
        all: bool,
        /// Does not ask back.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Makes a capture of a dead letter, to be decoded and posted again: its body, with words in place of the credentials
    /// that the store does not keep.
    FromDeadLetter {
        /// The number in `imbot dead-letters list`.
        id: i64,
        /// The new file; default: `dead-letter-ID.form` or `.json` here. `-` is standard output.
        #[arg(long)]
        output: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
}

/// Where the captures are.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Their folder, if it is not the one of the configuration.
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let done = match arguments {
        Arguments::List { which } => list(app, which, environment),
        Arguments::Drop { files, all, yes, which } => {
            let files = (!all).then_some(files.as_slice());
            remove(app, files, *yes, which, environment)
        }
        Arguments::FromDeadLetter { id, output, common } => {
            let place = Place::of(app, common, environment);
            place.map(|place| from_letter(&place, *id, output.as_deref(), common.json))
        }
    };
    done.unwrap_or_else(|code| code)
}

impl Which {
    /// The folder and its captures.
    fn lines(&self, app: &App, environment: &Environment) -> Result<(PathBuf, Vec<Line>), u8> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let place = Place::of(app, &self.common, environment)?;
                let of_settings = place.settings.as_ref().map(|settings| settings.capture.path.clone());
                of_settings.unwrap_or_else(|| place.folder().join("captures"))
            }
        };
        let lines = capture::lines(&folder).map_err(|error| {
            complain(&format!("{}: {error}", folder.display()));
            exit::REFUSED
        })?;
        Ok((folder, lines))
    }
}

fn list(app: &App, which: &Which, environment: &Environment) -> Result<u8, u8> {
    let (folder, lines) = which.lines(app, environment)?;
    if which.common.json {
        let list = json!({ "folder": folder.display().to_string(), "captures": lines });
        return Ok(print(&format!("{list:#}\n")));
    }
    if lines.is_empty() {
        return Ok(print(&format!("no captures in {}\n", folder.display())));
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["FILE", "RECEIVED", "PORTAL", "EVENT", "OUTCOME", "BYTES"]);
    for line in &lines {
        let told = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), one_line);
        let outcome = match &line.reason {
            Some(reason) => format!("{} {reason}", line.outcome),
            None => line.outcome.clone(),
        };
        table.add_row([
            folder.join(&line.file).display().to_string(),
            one_line(&line.received),
            told(&line.portal),
            told(&line.event),
            one_line(&outcome),
            line.bytes.to_string(),
        ]);
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim());
    }
    Ok(print(&text))
}

/// `files`: `None` for all.
fn remove(app: &App, files: Option<&[String]>, yes: bool, which: &Which, environment: &Environment) -> Result<u8, u8> {
    let (folder, lines) = which.lines(app, environment)?;
    let names: Vec<String> = match files {
        // As they are listed: with their folder, or by name.
        Some(files) => files.iter().map(|file| name_of(file)).collect(),
        None => lines.into_iter().map(|line| line.file).collect(),
    };
    if !yes {
        let question = format!("{} captures in {} are gone for good.", names.len(), folder.display());
        match agreed(&question) {
            Some(true) => {}
            Some(false) => return Err(exit::REFUSED),
            None => {
                complain("drop asks back, and there is no terminal: add --yes");
                return Err(exit::USAGE);
            }
        }
    }
    let (mut done, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match capture::drop_file(&folder, &name) {
            Ok(true) => done.push(name),
            Ok(false) => missing.push(name),
            Err(error) => {
                complain(&format!("{}: {error}", folder.join(&name).display()));
                missing.push(name);
            }
        }
    }
    if which.common.json {
        print(&format!("{:#}\n", json!({ "done": done, "missing": missing })));
    } else {
        for name in &missing {
            complain(&format!("there is no capture {} (any more)", one_line(name)));
        }
        print(&format!("{} captures dropped\n", done.len()));
    }
    Ok(if missing.is_empty() { 0 } else { exit::REFUSED })
}

fn name_of(file: &str) -> String {
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    name.unwrap_or(file).to_owned()
}

fn from_letter(place: &Place, id: i64, output: Option<&Path>, json: bool) -> u8 {
    with(place, async |beside| {
        let answer = beside.get(&format!("/api/v1/dead-letters/{id}")).await;
        let letter = answer.map_err(|trouble: Trouble| failed(&trouble))?;
        let (bytes, is_json) = capture_of(&letter).map_err(|why| {
            complain(&format!("dead letter {id}: {why}"));
            exit::REFUSED
        })?;
        let end = if is_json { "json" } else { "form" };
        let file = output.map_or_else(|| PathBuf::from(format!("dead-letter-{id}.{end}")), Path::to_path_buf);
        if file == Path::new("-") {
            let mut out = io::stdout().lock();
            return Ok(match out.write_all(&bytes).and_then(|()| out.flush()) {
                Ok(()) => 0,
                Err(_) => exit::REFUSED,
            });
        }
        write_new(&file, &bytes).map_err(|error| {
            complain(&format!("{}: {error}", file.display()));
            exit::REFUSED
        })?;
        let told = json!({ "file": file.display().to_string(), "bytes": bytes.len() });
        Ok(if json {
            print(&format!("{told:#}\n"))
        } else {
            let portal = letter["portal"].as_str().map_or_else(|| "PORTAL".to_owned(), one_line);
            let file = file.display();
            print(&format!(
                "{file}: {} bytes; post it with: imbot replay {file} --as {portal} --again\n",
                bytes.len()
            ))
        })
    })
}

/// The body of a letter as a capture, and whether it is JSON.
fn capture_of(letter: &Value) -> Result<(Vec<u8>, bool), &'static str> {
    if !matches!(letter["queue"].as_str(), Some("events" | "quarantine")) {
        return Err("it is a call of ours, not an event; only events can be posted again");
    }
    if letter["name"].as_str().is_some_and(|name| name == "IMBOTCALLSETTLED") {
        return Err("it is the end of a call, which no portal has sent");
    }
    let body = letter["body"].as_str().ok_or("it has no body")?;
    let mut bytes = wire::mark_cuts(body.as_bytes());
    let is_json = wire::looks_json(&bytes);
    let proof = format!("{REDACTED}application_token");
    // An event that was fetched came without the token that proves a sender.
    if memchr::memmem::find(&bytes, proof.as_bytes()).is_none() {
        bytes = with_proof(bytes, is_json, &proof);
    }
    Ok((bytes, is_json))
}

fn with_proof(bytes: Vec<u8>, is_json: bool, proof: &str) -> Vec<u8> {
    if !is_json {
        let end = bytes.trim_ascii_end().len();
        let mut all = bytes;
        all.splice(end..end, format!("&auth%5Bapplication_token%5D={proof}").into_bytes());
        return all;
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&bytes) else {
        return bytes;
    };
    let auth = fields.entry("auth").or_insert_with(|| json!({}));
    if let Some(auth) = auth.as_object_mut() {
        auth.insert("application_token".to_owned(), proof.into());
    }
    Value::Object(fields).to_string().into_bytes()
}

/// A new file for this user alone: it holds what people wrote.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    new.write_all(bytes)
}
