//! Answers that faults give or spoil: injected bodies, halves, wrong types, slow and packed ones. Carries nothing out.

use super::answer::Answer;
use super::fault::Action;
use crate::types::Clock;
use axum::body::{Body, Bytes};
use axum::http::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a fault says instead of the portal.
pub(super) fn injected(action: &Action) -> Answer {
    match action {
        Action::Answer { status, code, shape } => {
            Answer::error(*status, code, super::errors::described(code, *status), *shape)
        }
        Action::Body {
            status,
            media,
            body,
            headers,
        } => {
            let mut answer = Answer::text(*status, media, body.as_str());
            answer.headers.clone_from(headers);
            answer
        }
        _ => Answer::html(500, "500 Internal Server Error"),
    }
}

/// A true answer, spoiled.
pub(super) fn spoiled(action: &Action, mut answer: Answer, clock: &Clock) -> Response<Body> {
    let half = answer.body.len() / 2;
    match action {
        Action::TruncateJson => answer.body.truncate(half),
        Action::WrongContentType => "text/html; charset=utf-8".clone_into(&mut answer.media),
        Action::Gzip => {
            answer.body = gzip(&answer.body);
            answer = answer.with("Content-Encoding", "gzip");
        }
        Action::SlowBody(pause) => {
            let slow = Slow::new(std::mem::take(&mut answer.body), *pause, clock.clone());
            return answer.respond(Some(Body::new(slow)));
        }
        _ => {}
    }
    answer.respond(None)
}

/// A body that comes in two halves.
pub(super) struct Slow {
    length: u64,
    halves: Vec<Bytes>,
    pause: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    paused: bool,
}

impl Slow {
    pub(super) fn new(body: Vec<u8>, pause: Duration, clock: Clock) -> Self {
        let second = Bytes::from(body);
        let first = second.slice(..second.len() / 2);
        Self {
            length: second.len() as u64,
            halves: vec![second.slice(first.len()..), first],
            pause: Box::pin(async move { clock.sleep(pause).await }),
            paused: false,
        }
    }
}

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.halves.len() == 1 && !self.paused {
            std::task::ready!(self.pause.as_mut().poll(context));
            self.paused = true;
        }
        Poll::Ready(self.halves.pop().map(|half| Ok(Frame::data(half))))
    }

    fn size_hint(&self) -> SizeHint {
        // The far side is told the whole length from the start.
        SizeHint::with_exact(if self.halves.len() == 2 {
            self.length
        } else {
            self.halves.iter().map(|half| half.len() as u64).sum()
        })
    }
}

/// Gzip with stored blocks: packed for whoever reads it, and no smaller.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks = bytes.chunks(65_535);
    let last = blocks.len().saturating_sub(1);
    for (place, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(place == last));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(bytes).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn gunzip_reads_what_was_packed() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let run = Command::new("gzip")
            .arg("-dc")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut run = run.unwrap();
        run.stdin.take().unwrap().write_all(&gzip(b"{\"result\":1}")).unwrap();
        assert_eq!(run.wait_with_output().unwrap().stdout, b"{\"result\":1}");
    }
}
