//! `imbot portals list|accept|forget`: installations of OAuth applications, through whoever has the store.

use super::beside::{Common, Place, failed, with};
use super::output::print;
use super::text::one_line;
use crate::app::App;
use crate::settings::Environment;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `imbot portals`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Arguments {
    /// Shows installed portals and those that wait to be accepted.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Lets a waiting installation in, also one that replaces working tokens.
    Accept {
        /// Its host, or the beginning of its member_id.
        portal: String,
        /// The name it gets; default: the first 8 characters of its member_id.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Forgets an installation, waiting or served, and its tokens.
    Forget {
        /// Its name, its host, or the beginning of its member_id.
        portal: String,
        #[command(flatten)]
        common: Common,
    },
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let (Arguments::List { common } | Arguments::Accept { common, .. } | Arguments::Forget { common, .. }) = arguments;
    let place = match Place::of(app, common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    with(&place, async |beside| {
        let answer = match arguments {
            Arguments::List { .. } => beside.get("/api/v1/portals").await,
            Arguments::Accept { portal, name, .. } => {
                let body = json!({ "portal": portal, "name": name });
                beside.post("/api/v1/portals/accept", &body).await
            }
            Arguments::Forget { portal, .. } => {
                beside
                    .post("/api/v1/portals/forget", &json!({ "portal": portal }))
                    .await
            }
        };
        let answer = answer.map_err(|trouble| failed(&trouble))?;
        Ok(if common.json {
            print(&format!("{answer:#}\n"))
        } else {
            print(&shown(arguments, &answer))
        })
    })
}

fn shown(arguments: &Arguments, value: &Value) -> String {
    let name = value["portal"].as_str().map(one_line).unwrap_or_default();
    match arguments {
        Arguments::List { .. } => table(value),
        Arguments::Accept { .. } => format!("{name} is served\n"),
        Arguments::Forget { .. } => format!("{name} is forgotten\n"),
    }
}

fn table(list: &Value) -> String {
    let portals = list["portals"].as_array().map_or(&[][..], Vec::as_slice);
    if portals.is_empty() {
        return "no portal has installed an application\n".to_owned();
    }
    let cell = |value: &Value| value.as_str().map(one_line).unwrap_or_default();
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NAME", "STATE", "APP", "DOMAIN", "MEMBER_ID", "SINCE", "REASON"]);
    for portal in portals {
        let cells = ["name", "state", "app", "domain", "member_id", "since", "reason"];
        table.add_row(cells.map(|key| cell(&portal[key])));
    }
    let mut text = String::new();
    for line in table.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_portal_and_no_strangers_escapes() {
        let list = json!({ "portals": [
            { "name": "acme", "state": "live", "app": "desk", "domain": "acme.bitrix24.com", "member_id": "11aa", "since": "2026-01-01T00:00:00Z", "reason": null },
            { "name": "22bb", "state": "waiting", "app": "desk", "domain": "evil\u{1b}[2J", "member_id": "22bb", "since": "x" },
        ] });
        let text = table(&list);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("acme.bitrix24.com") && !text.contains('\u{1b}'), "{text}");
        assert!(table(&json!({ "portals": [] })).starts_with("no portal"));
    }
}
