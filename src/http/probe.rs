//! The door probe: an operator asks for a nonce over the admin address, and whoever brings it to the public path hears
//! a proof that only this server can give. Bounded, short-lived, good once; stores no event and opens nothing.

use super::admin::{Admin, Problem};
use crate::event::Label;
use crate::types::{Clock, Secret, Timestamp};
use crate::wire::{Format, Tree};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::hmac;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The event's name; no portal sends it.
pub(crate) const EVENT: &str = "IMBOTPROBE";
/// How long a nonce is good for.
const LIFE: Duration = Duration::from_secs(60);
/// Nonces alive at once; beyond it the oldest is forgotten.
const ALIVE: usize = 64;
/// Letters of a nonce: 32 random bytes.
const LETTERS: usize = 64;

/// The nonces that are good now, and what proves them.
#[derive(Debug)]
pub(crate) struct Probes {
    key: Secret,
    clock: Clock,
    alive: Mutex<VecDeque<(Timestamp, Secret)>>,
}

impl Probes {
    /// None so far. `key` is the admin token, which door and operator share.
    pub(crate) fn new(key: Secret, clock: Clock) -> Self {
        let alive = Mutex::default();
        Self { key, clock, alive }
    }

    /// A new nonce; `None`: the machine gives no randomness.
    fn issue(&self) -> Option<Secret> {
        let mut random = [0_u8; LETTERS / 2];
        getrandom::fill(&mut random).ok()?;
        let nonce = Secret::new(hex(&random));
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if alive.len() >= ALIVE {
            alive.pop_front();
        }
        alive.push_back((self.clock.now() + LIFE, nonce.clone()));
        Some(nonce)
    }

    /// The proof for a nonce that is good, which it then is no more. Looks at every one, so that the time does not tell.
    fn redeem(&self, presented: &str) -> Option<String> {
        if presented.len() != LETTERS {
            return None;
        }
        let now = self.clock.now();
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|(until, _)| now < *until);
        let before = alive.len();
        alive.retain(|(_, nonce)| !nonce.matches(presented.as_bytes()));
        (alive.len() < before).then(|| proof(&self.key, presented))
    }

    /// The proof, if this body is a probe with a good nonce; else the body is judged like any other.
    pub(super) fn answer(&self, tree: &Tree<'_>, label: &Label) -> Option<String> {
        if label.name != EVENT || tree.format() != Format::Form {
            return None;
        }
        self.redeem(tree.root().path(&["nonce"])?.string()?.as_ref())
    }
}

/// HMAC-SHA256 of the nonce under the admin token, in hexadecimal digits.
pub(crate) fn proof(key: &Secret, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    hex(hmac::sign(&key, nonce.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 200 with the proof.
pub(super) fn proved(proof: &str) -> Response {
    let body = format!("{{\"status\":\"ok\",\"probe\":\"{proof}\"}}");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `POST /api/v1/probe`: a nonce.
pub(super) async fn issue(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let nonce = admin.probes.issue().ok_or_else(|| {
        let detail = "the machine gives no random numbers";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", detail)
    })?;
    Ok(Json(json!({ "nonce": nonce.expose(), "seconds": LIFE.as_secs() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes() -> (Probes, Clock) {
        let clock = Clock::manual(Timestamp(0));
        (Probes::new(Secret::new("admin"), clock.clone()), clock)
    }

    #[test]
    fn a_nonce_is_good_once() {
        let (probes, _) = probes();
        let nonce = probes.issue().unwrap();
        let proved = probes.redeem(nonce.expose());
        assert_eq!(proved, Some(proof(&Secret::new("admin"), nonce.expose())));
        assert_eq!(probes.redeem(nonce.expose()), None);
        assert_ne!(proved, Some(proof(&Secret::new("other"), nonce.expose())));
    }

    #[test]
    fn a_nonce_is_good_for_a_minute() {
        let (probes, clock) = probes();
        let [early, late] = [(); 2].map(|()| probes.issue().unwrap());
        clock.advance(LIFE.checked_sub(Duration::from_millis(1)).unwrap());
        assert!(probes.redeem(early.expose()).is_some());
        clock.advance(Duration::from_millis(1));
        assert!(probes.redeem(late.expose()).is_none());
    }

    #[test]
    fn a_bounded_number_is_alive_and_the_oldest_goes_first() {
        let (probes, _) = probes();
        let issued: Vec<_> = (0..=ALIVE).map(|_| probes.issue().unwrap()).collect();
        let good = issued.iter().filter(|nonce| probes.redeem(nonce.expose()).is_some());
        assert_eq!(good.count(), ALIVE);
        assert!(probes.alive.lock().unwrap().is_empty());
        assert_eq!(probes.redeem(issued[0].expose()), None);
    }

    #[test]
    fn nothing_else_is_a_nonce() {
        let (probes, _) = probes();
        let nonce = probes.issue().unwrap();
        for wrong in [
            "",
            "0",
            &nonce.expose()[1..],
            &format!("{}0", nonce.expose()),
            &"0".repeat(LETTERS),
        ] {
            assert_eq!(probes.redeem(wrong), None);
        }
        assert!(!format!("{probes:?}").contains(nonce.expose()));
        assert!(
            probes.redeem(nonce.expose()).is_some(),
            "a wrong one takes nothing away"
        );
    }
}
