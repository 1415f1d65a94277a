//! Dead letters: listed, shown, tried again, dropped. A call whose outcome nobody knows goes again only if that is asked
//! for with `yes`.

use super::{Admin, Problem};
use crate::event;
use crate::store::{DeadLetter, DeadQueue, Format, Store, StoreError};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Letters listed at once, unless asked otherwise.
const LISTED: usize = 100;
/// Letters moved by one request: an answer must come soon. More are asked for again.
const MOVED: usize = 500;

#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    queue: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    let queue = listing.queue.as_deref().map(queue).transpose()?;
    let limit = listing.limit.unwrap_or(LISTED).min(1_000);
    let letters = admin.store.dead_letters(queue, limit).await;
    let letters = letters.map_err(|error| Problem::store(&error))?;
    let letters: Vec<_> = letters.iter().map(|letter| summary(letter, &admin.store)).collect();
    Ok(Json(json!({ "letters": letters })))
}

pub(super) async fn show(State(admin): State<Arc<Admin>>, Path(id): Path<i64>) -> Result<Json<Value>, Problem> {
    let letter = admin.store.dead_letter(id).await;
    match letter.map_err(|error| Problem::store(&error))? {
        Some(letter) => Ok(Json(whole(&letter, &admin.store))),
        None => {
            let detail = format!("there is no dead letter {id}");
            Err(Problem::new(StatusCode::NOT_FOUND, "no_such_letter", detail))
        }
    }
}

/// Which letters: by number, or all of a queue (of every queue without one), a slice at a time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    #[serde(default)]
    ids: Vec<i64>,
    queue: Option<String>,
    #[serde(default)]
    all: bool,
    /// Where the slice before ended; 0 at first.
    #[serde(default)]
    after: i64,
    /// The newest letter when the first slice was asked for: what dies meanwhile is not meant.
    through: Option<i64>,
    /// Calls that may have been carried out may be sent again.
    #[serde(default)]
    yes: bool,
}

/// A slice of what was selected.
struct Slice {
    letters: Vec<(i64, DeadQueue)>,
    missing: Vec<i64>,
    through: i64,
    more: bool,
}

impl Selection {
    async fn slice(&self, store: &Store) -> Result<Slice, Problem> {
        let by_queue = self.queue.is_some() || self.all;
        if by_queue != self.ids.is_empty() || self.ids.len() > MOVED {
            let detail = format!("name up to {MOVED} ids, or a queue, or all");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "wrong_selection", detail));
        }
        let failed = |error: StoreError| Problem::store(&error);
        if !by_queue {
            let letters = store.letters_among(self.ids.clone()).await.map_err(failed)?;
            let found = |id: &i64| letters.iter().any(|(there, _)| there == id);
            let missing = self.ids.iter().copied().filter(|id| !found(id)).collect();
            return Ok(Slice {
                letters,
                missing,
                through: 0,
                more: false,
            });
        }
        let queue = self.queue.as_deref().map(queue).transpose()?;
        let through = match self.through {
            Some(through) => through,
            None => store.newest_letter().await.map_err(failed)?,
        };
        let letters = store
            .letter_numbers(queue, self.after, through, MOVED)
            .await
            .map_err(failed)?;
        let more = letters.len() == MOVED;
        Ok(Slice {
            letters,
            missing: Vec::new(),
            through,
            more,
        })
    }
}

pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    Json(selection): Json<Selection>,
) -> Result<Json<Value>, Problem> {
    let slice = selection.slice(&admin.store).await?;
    let doubtful = slice
        .letters
        .iter()
        .filter(|(_, queue)| *queue == DeadQueue::Unknown)
        .count();
    if doubtful > 0 && !selection.yes {
        let detail = format!(
            "nobody knows whether the portal has carried out {doubtful} of these calls: sent again, they may be seen twice"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "may_double", detail));
    }
    let ids: Vec<i64> = slice.letters.iter().map(|(id, _)| *id).collect();
    let answers = admin.store.retry_letters(&ids, admin.clock.now() + admin.max_age).await;
    moved("retry", &ids, &answers, slice)
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Json(selection): Json<Selection>,
) -> Result<Json<Value>, Problem> {
    let slice = selection.slice(&admin.store).await?;
    let ids: Vec<i64> = slice.letters.iter().map(|(id, _)| *id).collect();
    let answers = admin.store.drop_letters(&ids).await;
    moved("drop", &ids, &answers, slice)
}

fn moved(
    action: &'static str,
    ids: &[i64],
    answers: &[Result<(), StoreError>],
    mut slice: Slice,
) -> Result<Json<Value>, Problem> {
    let mut done = Vec::new();
    let mut full = false;
    for (id, answer) in ids.iter().zip(answers) {
        match answer {
            Ok(()) => done.push(*id),
            // Another operator was faster.
            Err(StoreError::Gone) => slice.missing.push(*id),
            Err(StoreError::Full) => full = true,
            Err(error) if done.is_empty() => return Err(Problem::store(error)),
            Err(_) => {}
        }
    }
    if !done.is_empty() {
        tracing::info!(action, letters = ?done, "{} dead letters: {action} by an operator", done.len());
    }
    if full && done.is_empty() {
        let detail = "the inbox takes no more events: let it work down first";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail));
    }
    Ok(Json(json!({
        "done": done,
        "missing": slice.missing,
        "more": slice.more && !full,
        "after": ids.last(),
        "through": slice.through,
    })))
}

fn queue(name: &str) -> Result<DeadQueue, Problem> {
    queue_named(name).ok_or_else(|| {
        let detail = "the queues are events, calls, unknown and quarantine";
        Problem::new(StatusCode::BAD_REQUEST, "unknown_queue", detail)
    })
}

/// The queue of this name in commands and addresses.
pub(crate) fn queue_named(name: &str) -> Option<DeadQueue> {
    let queues = [
        DeadQueue::Events,
        DeadQueue::Calls,
        DeadQueue::Unknown,
        DeadQueue::Quarantine,
    ];
    queues.into_iter().find(|queue| queue.as_str() == name)
}

/// A letter as a line of a list.
fn summary(letter: &DeadLetter, store: &Store) -> Value {
    json!({
        "id": letter.id,
        "queue": letter.queue.as_str(),
        "at": letter.at.rfc3339(),
        "portal": store.portal_name(letter.portal),
        "bot": letter.bot,
        "dialog": letter.dialog,
        "name": letter.name,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "origin": letter.origin,
        "received": letter.received.rfc3339(),
    })
}

/// A letter with its body: the event as it came (credentials cut), or the call's parameters.
fn whole(letter: &DeadLetter, store: &Store) -> Value {
    let mut value = summary(letter, store);
    value["format"] = json!(match letter.format {
        Format::Form | Format::Packed => "form",
        Format::Json | Format::Settled => "json",
    });
    let unpacked = match letter.format {
        Format::Packed => event::vocabulary().unpack(&letter.body),
        _ => None,
    };
    value["body"] = json!(as_text(unpacked.as_ref().unwrap_or(&letter.body)));
    value
}

/// A body as text that means the same. Only a form may hold bytes that are no UTF-8; they are escaped here.
fn as_text(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_raw_bytes_is_told_as_one_that_reads_alike() {
        let body = b"data[message][text]=a\xff\xd0\xbf%D0&event=X\x80";
        let told = as_text(body);
        assert_eq!(told, "data[message][text]=a%FFп%D0&event=X%80");
        let read = |body: &[u8]| {
            let tree = crate::wire::parse(body, false, &crate::wire::Limits::default()).unwrap();
            let text = tree
                .root()
                .path(&["data", "message", "text"])
                .unwrap()
                .text()
                .unwrap()
                .into_owned();
            (text, tree.root().get("event").unwrap().text().unwrap().into_owned())
        };
        assert_eq!(read(told.as_bytes()), read(body));
    }
}
