//! `--live`: what only a real message can prove; the limits are `limit`'s. Sends one message, twice, to the dialog that
//! was named, and waits for one that somebody writes; removes nothing.

use super::finding;
use super::limit;
use super::portal::{call, kind_of};
use super::report::Report;
use crate::cli::beside::Beside;
use crate::cli::output::complain;
use crate::types::{Clock, TemplateId};
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks at the status.
const LOOK: Duration = Duration::from_millis(500);

/// Which bot says what where.
#[derive(Debug)]
pub(super) struct Live<'a> {
    pub(super) portal: &'a str,
    pub(super) bot: i64,
    pub(super) dialog: &'a str,
    /// How long somebody has to write to the bot.
    pub(super) wait: Duration,
    /// Its events are posted.
    pub(super) webhook: bool,
    /// `burst` and `rate` of the portal.
    pub(super) plan: (u32, f64),
}

pub(super) async fn check(report: &mut Report, beside: &Beside, live: &Live<'_>) {
    template(report, beside, live).await;
    limit::check(report, beside, live.portal, live.plan).await;
    if live.webhook {
        received(report, beside, live).await;
    }
}

/// The same message twice under one id: a portal that knows ids answers with the same message.
async fn template(report: &mut Report, beside: &Beside, live: &Live<'_>) {
    let of = ("templateId", live.portal);
    let mut random = [0_u8; 16];
    if getrandom::fill(&mut random).is_err() {
        return report.skipped(of, "the machine gives no random numbers");
    }
    let id = TemplateId::derive(&random, b"imbot doctor", 0, 0);
    let params = json!({
        "dialogId": live.dialog,
        "fields": { "message": "imbot doctor: this line must stand here once.", "templateId": id.as_str() },
    });
    let mut shown = Vec::new();
    for _ in 0..2 {
        let send = ("imbot.v2.Chat.Message.send", params.clone());
        match call(beside, live.portal, Some(live.bot), send).await {
            Ok(sent) => shown.push(sent["id"].clone()),
            Err(trouble) => return report.found(of, kind_of(&trouble), &trouble.to_string()),
        }
    }
    if shown[0] == shown[1] {
        report.fine(of, &format!("sent twice, shown once as message {}", shown[0]));
    } else {
        let said = format!("sent twice, shown as messages {} and {}", shown[0], shown[1]);
        report.found(of, &finding::TEMPLATE_IGNORED, &said);
    }
}

/// The portal's part of the status; null if nobody knows it.
pub(super) async fn status(beside: &Beside, portal: &str) -> Value {
    let status = beside.get("/api/v1/status").await.unwrap_or_default();
    let listed = status["portals"].as_array().map_or(&[][..], Vec::as_slice);
    let found = listed.iter().find(|listed| listed["name"] == portal);
    found.cloned().unwrap_or_default()
}

/// An event that comes proves the address that the portal holds, which cannot be read.
async fn received(report: &mut Report, beside: &Beside, live: &Live<'_>) {
    let of = ("the portal's URL", live.portal);
    let Beside::Server(_) = beside else {
        return report.skipped(of, "no server is running");
    };
    let clock = Clock::system();
    let before = status(beside, live.portal).await["lastEvent"].clone();
    let end = clock.now() + live.wait;
    complain(&format!(
        "write a message to bot {} of {} now (waiting {} s)",
        live.bot,
        live.portal,
        live.wait.as_secs()
    ));
    while clock.now() < end {
        if status(beside, live.portal).await["lastEvent"] != before {
            return report.fine(of, "an event came");
        }
        clock.sleep(LOOK).await;
    }
    let said = format!("no event within {} s", live.wait.as_secs());
    report.found(of, &finding::EVENT_NOT_RECEIVED, &said);
}
