//! The answers to errands and to our own questions: given back, or kept for another try within the deadline. Writes
//! nothing into the store.

use super::backoff;
use super::piece::{Piece, Probe, What};
use super::request::{Ended, Note, Sender};
use crate::identity::Renewal;
use crate::rest::{AskError, Class, Credentials, Executed, Fault, Reply};

impl Sender {
    /// A token that was good when the identity was parked may be merely old by now.
    pub(super) async fn probed(
        &self,
        probe: &Probe,
        outcome: Result<Reply, Fault>,
        used: &Credentials,
    ) -> Result<(), Fault> {
        let fault = match outcome {
            Ok(_) => return Ok(()),
            Err(fault) => fault,
        };
        if is_stale(&fault)
            && matches!(used, Credentials::Token { .. })
            && self.renew(&probe.who, probe.bot, used).await == Some(Renewal::Again)
        {
            return Err(Fault::transport("renewed", Executed::No));
        }
        Err(fault)
    }

    /// Answers who asked; `Some`: the errand is to wait for another try.
    pub(super) async fn answer(
        &self,
        mut piece: Piece,
        outcome: Result<Reply, Fault>,
        used: &Credentials,
        ended: &mut Ended,
    ) -> Option<Piece> {
        let fault = match outcome {
            Ok(reply) => {
                reply_to(piece, Ok(reply.result));
                return None;
            }
            Err(fault) => fault,
        };
        if self.is_outdated(&piece, &fault, used) {
            return Some(piece);
        }
        let (again, doubtful) = match &piece.what {
            // One asks what the portal does now: whatever it is, that is the answer.
            What::Errand(errand) if errand.now_or_never || errand.over_budget => (false, false),
            What::Errand(errand) => (true, !errand.repeatable && fault.executed == Executed::Unknown),
            What::Call(_) | What::Probe(_) => (false, false),
        };
        let now = self.clock.now();
        let renewable = matches!(used, Credentials::Token { .. }) && !piece.renewed;
        match fault.class {
            // Surely not carried out, so even what may not be repeated has its turn again.
            Class::Limit | Class::OperatingTime if again => return Some(piece),
            Class::Expired | Class::Identity if renewable && again && is_stale(&fault) => {
                match self.renew(&piece.who, piece.bot(), used).await {
                    Some(Renewal::Again) => {
                        piece.renewed = true;
                        return Some(piece);
                    }
                    Some(Renewal::Later(pause)) => {
                        ended.notes.push(Note::Rest(pause));
                        return Some(piece);
                    }
                    Some(Renewal::Refused(why)) => {
                        reply_to(piece, Err(AskError::Parked(why)));
                        return None;
                    }
                    None => {}
                }
            }
            Class::Transient if again && !doubtful && repeatable(&piece) => {
                let pause = backoff::pause(&fault, piece.attempts, i64::from(piece.attempts));
                piece.attempts += 1;
                piece.due = now + pause.unwrap_or_default();
                if matches!(&piece.what, What::Errand(errand) if piece.due < errand.deadline) {
                    return Some(piece);
                }
            }
            _ => {}
        }
        reply_to(piece, Err(AskError::Fault(fault)));
        None
    }
}

/// Whether newer credentials may help.
fn is_stale(fault: &Fault) -> bool {
    fault.class == Class::Expired || fault.code == "NO_AUTH_FOUND"
}

fn repeatable(piece: &Piece) -> bool {
    matches!(&piece.what, What::Errand(errand) if errand.repeatable)
}

/// Who asked may have gone.
pub(super) fn reply_to(piece: Piece, answer: Result<serde_json::Value, AskError>) {
    if let What::Errand(errand) = piece.what {
        let _ = errand.answer.send(answer);
    }
}
