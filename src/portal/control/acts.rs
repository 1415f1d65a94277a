//! What people do, and time: the acts of the control API. Each answers with the events that it raised.

use super::super::config::AppConfig;
use super::super::error::PortalError;
use super::super::sender::{Delivery, Sent};
use super::super::{Portal, apps};
use super::{Asked, Told, Wrong, told, views};
use crate::types::Secret;
use axum::extract::State;
use serde_json::{Value, json};

impl From<PortalError> for Wrong {
    fn from(error: PortalError) -> Self {
        Self::because(error)
    }
}

fn sent(sent: &Sent) -> Told {
    told(json!({ "message_id": sent.message_id, "deliveries": events(&sent.deliveries) }))
}

fn raised(deliveries: &[Delivery]) -> Told {
    told(json!({ "deliveries": events(deliveries) }))
}

fn events(deliveries: &[Delivery]) -> Vec<Value> {
    deliveries.iter().map(views::delivery).collect()
}

pub(in crate::portal) async fn advance(State(portal): State<Portal>, asked: Asked) -> Told {
    let by = asked.seconds("advance_s")?;
    if !portal.clock().is_manual() {
        return Err(Wrong("this portal runs on real time".to_owned()));
    }
    portal.clock().advance(by);
    told(json!({ "now": portal.clock().now().rfc3339() }))
}

pub(in crate::portal) async fn reset(State(portal): State<Portal>) -> Told {
    portal.reset_all();
    told(json!({ "reset": true }))
}

pub(in crate::portal) async fn say(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, dialog, text) = (asked.int("user")?, asked.dialog()?, asked.text("text")?);
    sent(&portal.say(user, &dialog, text).await?)
}

/// A typed command: `{user, dialog, command, params?}`.
pub(super) async fn command(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, dialog) = (asked.int("user")?, asked.dialog()?);
    let name = asked.text("command")?.trim_start_matches('/');
    let params = asked.0["params"].as_str().unwrap_or_default();
    let text = format!("/{name} {params}");
    sent(&portal.say(user, &dialog, text.trim()).await?)
}

pub(super) async fn press(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, message, button) = (asked.int("user")?, asked.int("message")?, asked.text("button")?);
    sent(&portal.press(user, message, button).await?)
}

/// `{user, message, reaction, action?: add|delete}`.
pub(in crate::portal) async fn react(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, message, reaction) = (asked.int("user")?, asked.int("message")?, asked.text("reaction")?);
    let added = asked.0["action"].as_str() != Some("delete");
    raised(&portal.react(user, message, reaction, added).await?)
}

pub(super) async fn edit(State(portal): State<Portal>, asked: Asked) -> Told {
    raised(&portal.edit(asked.int("message")?, asked.text("text")?).await?)
}

pub(super) async fn delete(State(portal): State<Portal>, asked: Asked) -> Told {
    raised(&portal.delete_message(asked.int("message")?).await?)
}

pub(in crate::portal) async fn join(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, bot, dialog) = (asked.int("user")?, asked.int("bot")?, asked.dialog()?);
    raised(&portal.join(user, bot, &dialog).await?)
}

pub(in crate::portal) async fn context(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, bot) = (asked.int("user")?, asked.int("bot")?);
    raised(&portal.context(user, bot, &asked.0["context"]).await?)
}

/// Many users write at once: `{dialog, count, text?, first_user?}`.
pub(super) async fn burst(State(portal): State<Portal>, asked: Asked) -> Told {
    let (dialog, count) = (asked.dialog()?, asked.int("count")?.clamp(1, 10_000));
    let first = asked.int("first_user").unwrap_or(1001);
    let text = asked.0["text"].as_str().unwrap_or("Hello").to_owned();
    let writing: Vec<_> = (0..count)
        .map(|number| {
            let (portal, dialog, text) = (portal.clone(), dialog.clone(), text.clone());
            tokio::spawn(async move { portal.say(first + number, &dialog, &format!("{text} {number}")).await })
        })
        .collect();
    let mut deliveries = 0;
    for one in writing {
        deliveries += one.await.map_err(Wrong::because)??.deliveries.len();
    }
    told(json!({ "said": count, "deliveries": deliveries }))
}

pub(super) async fn user(State(portal): State<Portal>, asked: Asked) -> Told {
    portal.add_user(asked.int("id")?, asked.text("name")?);
    told(json!({ "id": asked.int("id")? }))
}

/// `{id, members}`; the first member owns the chat.
pub(super) async fn chat(State(portal): State<Portal>, asked: Asked) -> Told {
    let listed = asked.0["members"].as_array().into_iter().flatten();
    let members: Vec<i64> = listed.filter_map(Value::as_i64).collect();
    let id = asked.int("id")?;
    portal.add_chat(id, &members);
    told(json!({ "id": id, "dialog": format!("chat{id}") }))
}

/// An open line: `{chat, guest, bot}`.
pub(super) async fn line(State(portal): State<Portal>, asked: Asked) -> Told {
    let (chat, guest, bot) = (asked.int("chat")?, asked.int("guest")?, asked.int("bot")?);
    raised(&portal.open_line(guest, bot, chat).await?)
}

/// `{bot}`, or a new application `{app, secret?, application_token?, scope?, handler?}`.
pub(super) async fn install(State(portal): State<Portal>, asked: Asked) -> Told {
    if let Ok(bot) = asked.int("bot") {
        return raised(&portal.install(bot).await?);
    }
    let id = asked.text("app")?;
    let made_up = |kind: &str| apps::token(kind, id, 0);
    let known = portal.application(id);
    let given = |name: &str| asked.0[name].as_str().map(str::to_owned);
    let of_known = |field: fn(&apps::App) -> &Secret| known.as_ref().map(|app| field(app).expose().to_owned());
    let secret = given("secret").or_else(|| of_known(|app| &app.client_secret));
    let proof = given("application_token").or_else(|| of_known(|app| &app.application_token));
    let scope = given("scope").or_else(|| known.as_ref().map(|app| app.scope.clone()));
    let secret = secret.unwrap_or_else(|| made_up("secret"));
    let app = AppConfig {
        client_id: id.to_owned(),
        client_secret: Secret::new(secret.as_str()),
        application_token: Secret::new(proof.unwrap_or_else(|| made_up("application")[..32].to_owned())),
        scope: scope.unwrap_or_else(|| "imbot,im".to_owned()),
        handler_url: given("handler").or_else(|| known.and_then(|app| app.url)),
    };
    let deliveries = portal.install_app(app).await;
    told(json!({ "client_id": id, "client_secret": secret, "deliveries": events(&deliveries) }))
}

pub(super) async fn uninstall(State(portal): State<Portal>, asked: Asked) -> Told {
    raised(&portal.uninstall(asked.int("bot")?).await?)
}

/// A new version of the bot's application: `{bot, application_token}`.
pub(super) async fn update(State(portal): State<Portal>, asked: Asked) -> Told {
    raised(
        &portal
            .update_app(asked.int("bot")?, asked.text("application_token")?)
            .await?,
    )
}

/// Tokens of an application for a user: `{app, user}`.
pub(super) async fn token(State(portal): State<Portal>, asked: Asked) -> Told {
    let (access, refresh) = portal.tokens(asked.text("app")?, asked.int("user")?)?;
    told(json!({ "access_token": access.expose(), "refresh_token": refresh.expose() }))
}

/// An authorisation code: `{app, user}`.
pub(super) async fn code(State(portal): State<Portal>, asked: Asked) -> Told {
    let code = portal.authorisation_code(asked.text("app")?, asked.int("user")?);
    told(json!({ "code": code }))
}
