//! `imbot replay`: posts captured bodies in order, byte for byte unless asked to change them, and says what became of
//! each. Imports settings and types; a body is never decoded and built anew, only single values in it are replaced.

mod body;
mod credentials;
mod files;
#[cfg(test)]
mod tests;

use super::text::one_line;
use crate::settings::{PortalSettings, Settings};
use crate::types::Clock;
use body::Body;
use files::Piece;
use reqwest::{Client, Response};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;
use url::{Host, Url};

const PATIENCE: Duration = Duration::from_secs(10);

/// What to post, where, and how changed.
#[derive(Debug)]
pub(crate) struct ReplayOptions {
    /// Bodies, folders of them, or manifests of captures.
    pub(crate) files: Vec<PathBuf>,
    /// See [`default_target`].
    pub(crate) to: Url,
    /// Whose credentials to put in.
    pub(crate) as_portal: Option<PortalSettings>,
    /// Fresh message ids and `ts`, so that nothing is a duplicate.
    pub(crate) again: bool,
    /// Bodies a second; `None`: as fast as they are answered.
    pub(crate) rate: Option<f64>,
    /// Post to an address that is not loopback as well.
    pub(crate) send: bool,
    pub(crate) clock: Clock,
}

/// How many bodies ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplaySummary {
    pub(crate) accepted: usize,
    pub(crate) duplicate: usize,
    pub(crate) ignored: usize,
    pub(crate) quarantined: usize,
    /// 200 from a server that does not say which.
    pub(crate) answered: usize,
    /// Any other status.
    pub(crate) refused: usize,
    /// No answer.
    pub(crate) failed: usize,
    /// Dry run.
    pub(crate) unsent: usize,
}

impl ReplaySummary {
    /// Whether every body got a 200, or none was meant to be sent.
    pub(crate) fn is_clean(&self) -> bool {
        self.refused == 0 && self.failed == 0
    }
}

/// Why nothing was posted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// All files are read before the first post, so a slip leaves nothing half done.
    #[error("{}: cannot be read: {source}; nothing was posted", file.display())]
    File { file: PathBuf, source: io::Error },
    /// Without its credentials it would only be refused, which says nothing.
    #[error(
        "{}: its credentials were taken out when it was captured; name the configured portal whose credentials go in: \
         --as PORTAL; nothing was posted", file.display()
    )]
    Redacted { file: PathBuf },
    #[error("{}: portal {portal} has no token for the bot of this body; nothing was posted", file.display())]
    NoToken { file: PathBuf, portal: String },
    #[error("--rate must be a number above 0, for example --rate 10")]
    Rate,
    #[error("--to must be a web address without user and password, for example http://127.0.0.1:8080/webhook")]
    Target,
    #[error("the HTTP client cannot be built: {0}")]
    Client(reqwest::Error),
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Where a server with these settings takes events, from this machine.
pub(crate) fn default_target(settings: &Settings) -> Option<Url> {
    let mut listen = settings.server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Url::parse(&format!("http://{listen}{}", settings.server.path)).ok()
}

/// Posts the files of `options` in order and writes one line for each, then the totals.
///
/// # Errors
/// Before the first post, see [`ReplayError`]; later only if `out` cannot be written. A body that is refused or not
/// answered is a line and a count, and the next one is posted.
pub(crate) async fn replay(options: ReplayOptions, out: &mut dyn Write) -> Result<ReplaySummary, ReplayError> {
    let pause = match options.rate {
        Some(rate) => Duration::try_from_secs_f64(rate.recip())
            .ok()
            .filter(|_| rate > 0.0)
            .ok_or(ReplayError::Rate)?,
        None => Duration::ZERO,
    };
    let to = &options.to;
    if !matches!(to.scheme(), "http" | "https") || !to.username().is_empty() || to.password().is_some() {
        return Err(ReplayError::Target);
    }
    let pieces = files::read(&options)?;
    let client = super::client::client(PATIENCE).map_err(ReplayError::Client)?;
    let posting = options.send || is_loopback(to);
    let mut summary = ReplaySummary::default();
    let start = options.clock.now();
    for (number, Piece { file, body }) in pieces.iter().enumerate() {
        let file = one_line(&file.display().to_string());
        if !posting {
            summary.unsent += 1;
            writeln!(
                out,
                "{file}  not sent  {} bytes, {}",
                body.bytes.len(),
                body.content_type()
            )?;
            continue;
        }
        let before = pause.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        options.clock.sleep_until(start + before).await;
        let outcome = post(&client, to, body).await;
        outcome.count(&mut summary);
        writeln!(out, "{file}  {outcome}")?;
    }
    if posting {
        writeln!(out, "{summary}")?;
    } else {
        writeln!(
            out,
            "dry run: {} is another machine; add --send to post there",
            to.host_str().unwrap_or_default()
        )?;
    }
    Ok(summary)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What became of one body.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Duplicate,
    Ignored,
    Quarantined,
    Answered,
    Refused { status: u16, reason: String },
    Failed(&'static str),
}

async fn post(client: &Client, to: &Url, body: &Body) -> Outcome {
    let request = client
        .post(to.clone())
        .header("content-type", body.content_type())
        // The door tells what became of an event only to who asks.
        .header("x-imbot-ask", "outcome")
        .body(body.bytes.clone());
    match request.send().await {
        Ok(response) => outcome(response).await,
        Err(error) if error.is_timeout() => Outcome::Failed("no answer within 10 s"),
        Err(error) if error.is_connect() => Outcome::Failed("nobody listens there"),
        Err(_) => Outcome::Failed("the connection broke"),
    }
}

async fn outcome(response: Response) -> Outcome {
    let status = response.status().as_u16();
    if status != 200 {
        return Outcome::Refused {
            status,
            reason: reason(response).await,
        };
    }
    let said = response.headers().get("x-imbot-outcome").map(|value| value.as_bytes());
    match said {
        Some(b"accepted") => Outcome::Accepted,
        Some(b"duplicate") => Outcome::Duplicate,
        Some(b"ignored") => Outcome::Ignored,
        Some(b"quarantined") => Outcome::Quarantined,
        _ => Outcome::Answered,
    }
}

/// The word in `{"error":"<reason>"}`; empty if the answer is anything else.
async fn reason(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > 4096 {
            return String::new();
        }
    }
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    one_line(
        &value["error"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(100)
            .collect::<String>(),
    )
}

impl Outcome {
    fn count(&self, summary: &mut ReplaySummary) {
        *match self {
            Self::Accepted => &mut summary.accepted,
            Self::Duplicate => &mut summary.duplicate,
            Self::Ignored => &mut summary.ignored,
            Self::Quarantined => &mut summary.quarantined,
            Self::Answered => &mut summary.answered,
            Self::Refused { .. } => &mut summary.refused,
            Self::Failed(_) => &mut summary.failed,
        } += 1;
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Ignored => f.write_str("ignored"),
            Self::Quarantined => f.write_str("quarantined"),
            Self::Answered => f.write_str("answered 200"),
            Self::Refused { status, reason } if reason.is_empty() => write!(f, "refused {status}"),
            Self::Refused { status, reason } => write!(f, "refused {status} {reason}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

impl std::fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            (self.accepted, "accepted"),
            (self.duplicate, "duplicate"),
            (self.ignored, "ignored"),
            (self.quarantined, "quarantined"),
            (self.answered, "answered"),
            (self.refused, "refused"),
            (self.failed, "failed"),
        ];
        let present: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        f.write_str(&present.join(", "))
    }
}
