//! What an answer means for the queue: pure judgement of one failed call. Writes nothing, decides no pace.
//!
//! Source: outbound rules, "What each failure means".

use super::backoff;
use super::engine::Rules;
use crate::rest::{Class, Executed, Fault};
use crate::store::{ClaimedCall, DeadQueue, Identity, Unknown};
use serde_json::Value;
use std::time::Duration;

/// What becomes of a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Surely not carried out, and not by its own fault: it waits for its turn again.
    Again,
    /// Not with others in one request: it waits for its turn again.
    Alone,
    /// Newer credentials first.
    Renew,
    /// Another try after this pause; its dialog waits.
    Later(Duration),
    /// Another try after this pause; its dialog waits for it only so long (`deliver.hold`).
    Held(Duration),
    /// The identity is refused: its calls are kept.
    ParkIdentity,
    /// The bot is refused, or gone: its calls are kept.
    ParkBot,
    /// The identity may be refused, or only this call: one question tells.
    Doubt,
    /// No right to it: the call's fallback, if it has one, else the dead letters.
    FallBack,
    /// The dead letters.
    Bury(DeadQueue, &'static str),
}

/// Judges a failed call. `renewed`: its credentials were renewed for it; `shared`: it was one of several in a request,
/// and the request as a whole failed.
pub(super) fn judge(fault: &Fault, claimed: &ClaimedCall, rules: Rules, renewed: bool, shared: bool) -> Verdict {
    let call = &claimed.call;
    if fault.executed == Executed::Unknown && call.unknown == Unknown::Stop && !rules.repeat_unknown {
        let detail = "the portal may have carried it out; it is not repeated (deliver.on_unknown)";
        return Verdict::Bury(DeadQueue::Unknown, detail);
    }
    let renewable = call.identity != Identity::Webhook && !renewed;
    match (fault.class, fault.code.as_str()) {
        (Class::Limit | Class::OperatingTime, _) => Verdict::Again,
        (_, "ERROR_BATCH_METHOD_NOT_ALLOWED" | "ERROR_BATCH_LENGTH_EXCEEDED") => Verdict::Alone,
        // The request's fault, not that of each call in it.
        (Class::Access | Class::Invalid | Class::Bot | Class::BotGone, _) if shared => Verdict::Alone,
        (Class::Expired, _) | (Class::Identity, "NO_AUTH_FOUND") if renewable => Verdict::Renew,
        (Class::Expired | Class::Identity, _) if call.identity == Identity::EventToken && renewed => Verdict::Bury(
            DeadQueue::Calls,
            "the newest token that came with an event is refused too",
        ),
        (Class::Identity, "INVALID_CREDENTIALS") => Verdict::Doubt,
        (Class::Expired | Class::Identity, _) => Verdict::ParkIdentity,
        (Class::Bot, _) => Verdict::ParkBot,
        (Class::BotGone, _) if is_of_caller(claimed) => Verdict::ParkBot,
        (Class::Access, "ACCESS_DENIED") => Verdict::FallBack,
        (Class::Transient | Class::Sending, _) => later(fault, claimed),
        (Class::BotGone | Class::Access | Class::Invalid, _) => Verdict::Bury(DeadQueue::Calls, ""),
    }
}

fn later(fault: &Fault, claimed: &ClaimedCall) -> Verdict {
    match backoff::pause(fault, claimed.attempts, claimed.id.0) {
        Some(pause) if fault.class == Class::Sending => Verdict::Held(pause),
        Some(pause) => Verdict::Later(pause),
        None => {
            let detail = "the portal has the message's id but no message, for over an hour";
            Verdict::Bury(DeadQueue::Unknown, detail)
        }
    }
}

/// Whether the bot that the call names is the one that makes it: an author may ask about another.
fn is_of_caller(claimed: &ClaimedCall) -> bool {
    let params: Option<Value> = serde_json::from_str(&claimed.call.params).ok();
    let named = params.as_ref().and_then(|params| params.get("botId"));
    named.is_none_or(|bot| bot.as_i64() == Some(claimed.call.bot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewCall;
    use crate::types::{CallId, Lane, PortalId, Priority, Timestamp};

    const RULES: Rules = Rules {
        hold: Duration::from_secs(60),
        repeat_unknown: false,
    };

    fn claimed(identity: Identity) -> ClaimedCall {
        ClaimedCall {
            id: CallId(1),
            call: NewCall {
                portal: PortalId(1),
                bot: 456,
                lane: Lane(1),
                dialog: "1".to_owned(),
                method: "imbot.v2.Chat.Message.send".to_owned(),
                params: r#"{"botId":456}"#.to_owned(),
                template: None,
                identity,
                token: None,
                unknown: Unknown::Repeat,
                priority: Priority::Interactive,
                event: None,
                received: Timestamp(0),
                expires: Timestamp(i64::MAX),
                ties: Default::default(),
            },
            attempts: 0,
            first_failed: None,
        }
    }

    fn coded(code: &str, identity: Identity) -> Verdict {
        judge(&Fault::coded(code, "", 400), &claimed(identity), RULES, false, false)
    }

    #[test]
    fn each_class_has_its_consequence() {
        let dead = Verdict::Bury(DeadQueue::Calls, "");
        for (code, verdict) in [
            ("QUERY_LIMIT_EXCEEDED", Verdict::Again),
            ("OPERATION_TIME_LIMIT", Verdict::Again),
            ("expired_token", Verdict::ParkIdentity),
            ("NO_AUTH_FOUND", Verdict::ParkIdentity),
            ("OVERLOAD_LIMIT", Verdict::ParkIdentity),
            ("PAYMENT_REQUIRED", Verdict::ParkIdentity),
            ("insufficient_scope", Verdict::ParkIdentity),
            ("INVALID_CREDENTIALS", Verdict::Doubt),
            ("BOT_OWNERSHIP_ERROR", Verdict::ParkBot),
            ("BOT_TOKEN_NOT_SPECIFIED", Verdict::ParkBot),
            ("BOT_NOT_FOUND", Verdict::ParkBot),
            ("ACCESS_DENIED", Verdict::FallBack),
            ("BOT_TYPE_NOT_ALLOWED", dead.clone()),
            ("EMPTY_MESSAGE", dead),
            ("ERROR_BATCH_METHOD_NOT_ALLOWED", Verdict::Alone),
        ] {
            assert_eq!(coded(code, Identity::Webhook), verdict, "{code}");
        }
        assert!(matches!(
            coded("INTERNAL_SERVER_ERROR", Identity::Webhook),
            Verdict::Later(_)
        ));
        assert!(matches!(coded("SENDING_FAILED", Identity::Webhook), Verdict::Held(_)));
    }

    #[test]
    fn a_token_is_renewed_once_and_then_parks_or_is_given_up() {
        for code in ["expired_token", "invalid_token", "NO_AUTH_FOUND"] {
            let fault = Fault::coded(code, "", 401);
            let again = |identity| judge(&fault, &claimed(identity), RULES, true, false);
            for identity in [Identity::App, Identity::EventToken] {
                assert_eq!(coded(code, identity), Verdict::Renew, "{code}");
            }
            assert_eq!(again(Identity::App), Verdict::ParkIdentity, "{code}");
            assert!(matches!(again(Identity::EventToken), Verdict::Bury(..)), "{code}");
        }
    }

    #[test]
    fn what_went_wrong_with_a_whole_request_is_not_laid_to_each_call() {
        for code in ["EMPTY_MESSAGE", "ACCESS_DENIED", "BOT_OWNERSHIP_ERROR"] {
            let fault = Fault::coded(code, "", 400);
            let verdict = judge(&fault, &claimed(Identity::Webhook), RULES, false, true);
            assert_eq!(verdict, Verdict::Alone, "{code}");
        }
    }

    #[test]
    fn an_unknown_outcome_is_repeated_only_where_that_does_no_harm_or_is_wanted() {
        let fault = Fault::transport("timeout", Executed::Unknown);
        let mut call = claimed(Identity::Webhook);
        assert!(matches!(judge(&fault, &call, RULES, false, false), Verdict::Later(_)));
        call.call.unknown = Unknown::Stop;
        let stopped = judge(&fault, &call, RULES, false, false);
        assert!(matches!(stopped, Verdict::Bury(DeadQueue::Unknown, _)));
        let wanted = Rules {
            repeat_unknown: true,
            ..RULES
        };
        assert!(matches!(judge(&fault, &call, wanted, false, false), Verdict::Later(_)));
        let refused = Fault::transport("connect", Executed::No);
        assert!(matches!(judge(&refused, &call, RULES, false, false), Verdict::Later(_)));
    }

    #[test]
    fn another_bot_that_is_gone_does_not_stop_the_one_that_asked() {
        let mut call = claimed(Identity::Webhook);
        call.call.params = r#"{"botId":7}"#.to_owned();
        let verdict = judge(&Fault::coded("BOT_NOT_FOUND", "", 400), &call, RULES, false, false);
        assert_eq!(verdict, Verdict::Bury(DeadQueue::Calls, ""));
    }
}
