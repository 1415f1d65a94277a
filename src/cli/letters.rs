//! `imbot dead-letters` and `imbot health`: asks whoever has the store. What may double or is gone for good is asked back
//! on a terminal, and wants `--yes` elsewhere.

use super::beside::{Beside, Common, Line, PATIENCE, Place, Trouble, blocking, failed, with};
use super::dead_letters::{show, table};
use super::output::{agreed, complain, print};
use super::{exit, settings_for};
use crate::app::App;
use crate::http::queue_named;
use crate::settings::Environment;
use crate::types::Secret;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use url::Url;

/// Letters moved by one request.
const AT_ONCE: usize = 500;

/// `imbot dead-letters`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Arguments {
    /// Lists them, newest first.
    List {
        /// `events`, `calls`, `unknown` or `quarantine`; without it all four.
        #[arg(long)]
        queue: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Shows one with its body.
    Show {
        /// The number in the list.
        id: i64,
        #[command(flatten)]
        common: Common,
    },
    /// Gives them another try: events to their handlers (what was said already is not shown twice), calls to the portal.
    Retry(Selection),
    /// Removes them for good.
    Drop(Selection),
}

/// Which letters.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Numbers in the list.
    #[arg(required_unless_present_any = ["queue", "all"], conflicts_with_all = ["queue", "all"])]
    ids: Vec<i64>,
    /// All of this queue: `events`, `calls`, `unknown` or `quarantine`.
    #[arg(long)]
    queue: Option<String>,
    /// All of every queue, or of the one named.
    #[arg(long)]
    all: bool,
    /// Does not ask back.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

/// What happens to the letters.
#[derive(Clone, Copy)]
enum Fate {
    Retry,
    Drop,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let (common, queue) = match arguments {
        Arguments::List { queue, common, .. } => (common, queue.as_deref()),
        Arguments::Show { common, .. } => (common, None),
        Arguments::Retry(selection) | Arguments::Drop(selection) => (&selection.common, selection.queue.as_deref()),
    };
    if queue.is_some_and(|queue| queue_named(queue).is_none()) {
        complain("--queue: must be events, calls, unknown or quarantine");
        return exit::USAGE;
    }
    let place = match Place::of(app, common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    with(&place, async |beside| match arguments {
        Arguments::List { queue, limit, common } => {
            let queue = queue
                .as_ref()
                .map_or_else(String::new, |queue| format!("queue={queue}&"));
            let list = beside.get(&format!("/api/v1/dead-letters?{queue}limit={limit}")).await;
            Ok(shown(&list.map_err(|trouble| failed(&trouble))?, common, table))
        }
        Arguments::Show { id, common } => {
            let letter = beside.get(&format!("/api/v1/dead-letters/{id}")).await;
            Ok(shown(&letter.map_err(|trouble| failed(&trouble))?, common, show))
        }
        Arguments::Retry(selection) => move_all(beside, selection, Fate::Retry).await,
        Arguments::Drop(selection) => move_all(beside, selection, Fate::Drop).await,
    })
}

fn shown(answer: &Value, common: &Common, look: fn(&Value) -> String) -> u8 {
    if common.json {
        print(&format!("{answer:#}\n"))
    } else {
        print(&look(answer))
    }
}

async fn move_all(beside: &Beside, selection: &Selection, fate: Fate) -> Result<u8, u8> {
    let mut yes = selection.yes;
    if matches!(fate, Fate::Drop) && !yes {
        yes = agreed(&format!("{} is gone for good.", what(selection))).ok_or_else(|| {
            complain("drop asks back, and there is no terminal: add --yes");
            exit::USAGE
        })?;
        if !yes {
            return Err(exit::REFUSED);
        }
    }
    let (mut done, mut missing) = (Vec::new(), Vec::new());
    for mut slice in slices(selection) {
        loop {
            slice["yes"] = json!(yes);
            let answer = match order(beside, &slice, fate).await {
                Err(Trouble::Refused { reason, detail, .. }) if reason == "may_double" && !yes => {
                    let agreed = agreed(&detail).ok_or_else(|| {
                        complain(&format!("{detail}; add --yes if that is acceptable"));
                        exit::USAGE
                    })?;
                    if !agreed {
                        return Err(exit::REFUSED);
                    }
                    yes = true;
                    continue;
                }
                answer => answer.map_err(|trouble| {
                    tell(fate, &done, &missing, selection.common.json);
                    failed(&trouble)
                })?,
            };
            done.extend(numbers(&answer["done"]));
            missing.extend(numbers(&answer["missing"]));
            if answer["more"] != true {
                break;
            }
            slice["after"] = answer["after"].clone();
            slice["through"] = answer["through"].clone();
        }
    }
    let code = tell(fate, &done, &missing, selection.common.json);
    Ok(if missing.is_empty() { code } else { exit::REFUSED })
}

fn what(selection: &Selection) -> String {
    match (&selection.queue, selection.ids.len()) {
        (Some(queue), _) => format!("What lies in queue {queue}"),
        (None, 0) => "What lies in all queues".to_owned(),
        (None, 1) => format!("Letter {}", selection.ids[0]),
        (None, count) => format!("Each of these {count} letters"),
    }
}

/// The requests that cover a selection.
fn slices(selection: &Selection) -> Vec<Value> {
    if selection.ids.is_empty() {
        return vec![json!({ "queue": selection.queue, "all": selection.all })];
    }
    let slices = selection.ids.chunks(AT_ONCE);
    slices.map(|ids| json!({ "ids": ids })).collect()
}

async fn order(beside: &Beside, slice: &Value, fate: Fate) -> Result<Value, Trouble> {
    let path = match fate {
        Fate::Retry => "/api/v1/dead-letters/retry",
        Fate::Drop => "/api/v1/dead-letters/drop",
    };
    beside.post(path, slice).await
}

fn numbers(list: &Value) -> impl Iterator<Item = i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64)
}

fn tell(fate: Fate, done: &[i64], missing: &[i64], json: bool) -> u8 {
    if json {
        return print(&format!("{:#}\n", json!({ "done": done, "missing": missing })));
    }
    for id in missing {
        complain(&format!("there is no dead letter {id} (any more)"));
    }
    let fate = match fate {
        Fate::Retry => "put back",
        Fate::Drop => "dropped",
    };
    let letters = if done.len() == 1 { "letter" } else { "letters" };
    print(&format!("{} {letters} {fate}\n", done.len()))
}

/// `imbot health`: exit 0 if the server of this configuration answers `/readyz` with 200.
pub(super) fn health(app: &App, config: Option<&Path>, environment: &Environment) -> u8 {
    let settings = match settings_for(app, config, environment) {
        Ok(loaded) => loaded.settings,
        Err(code) => return code,
    };
    let base = format!("http://{}/", settings.admin.listen);
    let asked = blocking(async {
        let base = Url::parse(&base).map_err(|_| exit::CONFIG)?;
        let line = Line::new(base, Secret::new(""));
        line.ask(Method::GET, "/readyz", None, PATIENCE)
            .await
            .map_err(|trouble| {
                complain(&format!("not ready: {trouble}"));
                exit::REFUSED
            })
    });
    match asked {
        Ok(answer) => print(&format!("{answer}\n")),
        Err(code) => code,
    }
}
