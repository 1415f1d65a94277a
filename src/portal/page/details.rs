//! What the inspector opens: one call or event with bodies, answers and a curl line that repeats it, and the files of
//! messages. Changes nothing.

use super::super::Portal;
use super::super::config::Owner;
use super::super::curl::quoted;
use super::super::log::LogEntry;
use super::super::params;
use super::super::shared::Locked;
use super::live::place;
use super::views;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// So much of a body is shown; the curl line has all of it.
const SHOWN: usize = 64 * 1024;
/// A curl line for more than this is no line for a terminal any more.
const LONGEST_LINE: usize = 100_000;

fn gone() -> Response {
    let error = json!({ "error": "It is no longer kept." });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

/// A REST call: parameters, answer, and a line that makes it again.
pub(super) async fn call(State(portal): State<Portal>, Path(number): Path<u64>) -> Response {
    let state = portal.shared().state();
    let Some(entry) = place(&state.log, state.logged, number) else {
        return gone();
    };
    let mut told = views::call(number, entry);
    told["params"] = entry.params.clone();
    told["answer"] = entry.answer.clone();
    told["curl"] = again(&portal, &state, entry).into();
    Json(told).into_response()
}

/// The log has no credentials, so they are put back where the page can know them; elsewhere a name stands for one.
fn again(portal: &Portal, state: &Locked, entry: &LogEntry) -> String {
    let mut params = entry.params.clone();
    let by_webhook = entry.identity.starts_with("webhook");
    let base = if by_webhook {
        portal.incoming_webhook()
    } else {
        portal.endpoint()
    };
    let bot = params["botId"].as_i64().and_then(|id| state.portal.bots.get(&id));
    if let Value::Object(params) = &mut params {
        for name in ["botToken", "CLIENT_ID"] {
            if let (Some(token), Some(Owner::Webhook { bot_token })) = (params.get_mut(name), bot.map(|bot| &bot.owner))
            {
                *token = bot_token.expose().into();
            }
        }
        if !by_webhook {
            params.insert("auth".to_owned(), "YOUR_ACCESS_TOKEN".into());
        }
    }
    let address = quoted(&format!("{base}{}", entry.method));
    let body = quoted(&params.to_string());
    format!("curl -sS {address} -H 'Content-Type: application/json' -d {body}")
}

/// An event: as sent, decoded by the rules of PHP, as a library normalizes it, and a line that sends it again.
pub(super) async fn event(State(portal): State<Portal>, Path(number): Path<u64>) -> Response {
    let delivery = {
        let state = portal.shared().state();
        place(&state.deliveries, state.delivered, number).cloned()
    };
    let Some(delivery) = delivery else { return gone() };
    let text = String::from_utf8_lossy(&delivery.body);
    let mut told = views::event(number, &delivery);
    told["url"] = json!(delivery.url);
    told["size"] = delivery.body.len().into();
    told["form"] = text.chars().take(SHOWN).collect::<String>().into();
    if delivery.body.len() <= SHOWN {
        told["decoded"] = Value::Object(params::read("", views::FORM, &delivery.body));
        let normalize = portal.shared().config.normalize;
        told["normalized"] = normalize.map_or(Value::Null, |normalize| normalize(&delivery.body).into());
    }
    told["answer"] = delivery.answer.chars().take(SHOWN).collect::<String>().into();
    let url = delivery.url.as_deref().filter(|_| delivery.body.len() <= LONGEST_LINE);
    told["curl"] = url
        .map(|url| format!("curl -sS {} --data-raw {}", quoted(url), quoted(&text)))
        .into();
    Json(told).into_response()
}

/// A file of a message. Pictures as such, so that they can be shown; all else is only ever saved.
pub(super) async fn file(State(portal): State<Portal>, Path(id): Path<i64>) -> Response {
    let state = portal.shared().state();
    let Some(file) = state.portal.files.get(id) else {
        return gone();
    };
    let media = picture(&file.bytes);
    let name = file
        .name
        .replace(|sign: char| !sign.is_ascii_graphic() || "\"\\".contains(sign), "_");
    let how = if media.is_some() { "inline" } else { "attachment" };
    let mut response = file.bytes.clone().into_response();
    let headers = response.headers_mut();
    let media = HeaderValue::from_static(media.unwrap_or("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media);
    if let Ok(value) = HeaderValue::from_str(&format!("{how}; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The kind of a picture by its first bytes; whoever uploaded it may call it anything.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"RIFF", "image/webp"),
    ];
    kinds
        .into_iter()
        .find(|(start, _)| bytes.starts_with(start))
        .map(|(_, media)| media)
}
