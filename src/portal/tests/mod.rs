//! Tests of the room as a whole: a running portal spoken to over HTTP, and its events against captures.

mod batch;
mod catalogue;
mod control;
mod corpus;
mod counter;
mod effects;
mod faults;
mod fetch;
mod page;
mod refusals;
mod rest;
mod send;
mod sending;
mod subscriptions;
mod tokens;

use super::{BotSeed, Portal, PortalConfig};
use crate::types::{Clock, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// 2026-02-26T08:20:00Z, the hour of the captures.
const START: Timestamp = Timestamp(1_772_094_000_000);
const APP_TOKEN: &str = "app-access-token";
const SEND: &str = "imbot.v2.Chat.Message.send";
const ANSWER: &str = "imbot.v2.Command.answer";
const REVISION: &str = "imbot.v2.Revision.get";
/// A key that counts.
const TEMPLATE: &str = "6d0eef7c-12b4-41e7-b709-887ba410ded3";

/// A portal with a webhook bot 456 (commands /help 71, /feedback 72), another 457 (/help 73), and an app's bot 470.
/// User 27 is known, 99 is not.
fn config() -> PortalConfig {
    PortalConfig {
        bots: vec![
            BotSeed::webhook(456, "echo", "token-456")
                .command("help")
                .command("/feedback"),
            BotSeed::webhook(457, "other", "token-457").command("help"),
            BotSeed::app(470, "desk", "local.desk", APP_TOKEN, "application-token"),
        ],
        ..PortalConfig::new(Clock::manual(START))
    }
}

async fn start(config: PortalConfig) -> Portal {
    let portal = Portal::start(config).await.unwrap();
    portal.add_user(27, "Svetlana Ivanova");
    portal
}

fn client() -> reqwest::Client {
    super::sender::client().unwrap()
}

/// An answer as a caller sees it.
struct Answer {
    status: u16,
    media: String,
    text: String,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        Self {
            status: response.status().as_u16(),
            media,
            text: response.text().await.unwrap(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn result(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["result"].clone()
    }

    fn refused(&self) -> (u16, String) {
        let error = self.json()["error"].as_str().unwrap().to_owned();
        (self.status, error)
    }
}

/// Calls with the incoming webhook, JSON body.
async fn webhook(portal: &Portal, method: &str, params: &Value) -> Answer {
    let url = format!("{}{method}", portal.incoming_webhook());
    Answer::of(client().post(url).json(params).send().await.unwrap()).await
}

/// Calls with an OAuth token in the body.
async fn oauth(portal: &Portal, token: &str, method: &str, mut params: Value) -> Answer {
    params["auth"] = token.into();
    let url = format!("{}{method}", portal.endpoint());
    Answer::of(client().post(url).json(&params).send().await.unwrap()).await
}

/// A send of bot 456 to user 27.
fn text(message: &str) -> Value {
    json!({ "botId": 456, "botToken": "token-456", "dialogId": "27", "fields": { "message": message } })
}

/// The same with one more field.
fn with(mut params: Value, pointer: &str, value: Value) -> Value {
    match params.pointer_mut(pointer) {
        Some(slot) => *slot = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            params.pointer_mut(parent).unwrap()[name] = value;
        }
    }
    params
}

/// The clock of the portal, moved.
fn pass(portal: &Portal, time: Duration) {
    portal.shared().config.clock.advance(time);
}

fn texts(portal: &Portal, dialog: &str) -> Vec<String> {
    portal
        .messages(dialog)
        .into_iter()
        .map(|message| message.text)
        .collect()
}
