//! From a queued call to what is stored: everything that any attempt will send is decided here. Sends nothing.

use super::queued::Call;
use crate::method::Repeat;
use crate::store::{Fallback, Identity, NewCall, Then, Ties, Unknown};
use crate::types::{Clock, EventId, Lane, PortalId, Priority, Secret, TemplateId, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What planning needs beside the call.
#[derive(Clone, Debug)]
pub(super) struct Planner {
    pub(super) clock: Clock,
    pub(super) salt: [u8; 16],
    /// How long a queued call may wait before it is given up.
    pub(super) call_age: Duration,
}

/// Where a call comes from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) portal: PortalId,
    pub(super) bot: i64,
    pub(super) identity: Identity,
    pub(super) token: Option<&'a Secret>,
    /// What its template id is derived from: an event, or a caller's key.
    pub(super) origin: &'a [u8],
    pub(super) event: Option<EventId>,
    pub(super) received: Timestamp,
    pub(super) priority: Priority,
    /// Where its end is told; `None` = in the call's own dialog.
    pub(super) home: Option<&'a str>,
}

impl Planner {
    /// Makes a queued call durable-ready.
    pub(super) fn plan(&self, source: &Source<'_>, call: Call) -> NewCall {
        let Call {
            method,
            address,
            repeat,
            dialog,
            mut params,
            step,
            part,
            tag,
            fallback,
        } = call;
        address.put_bot(&mut params, source.bot);
        let derive = || TemplateId::derive(&self.salt, source.origin, step, part);
        let template = (repeat == Repeat::ByTemplate).then(|| put_template(&mut params, derive));
        let dialog = dialog.unwrap_or_default();
        let home = source.home.unwrap_or(&dialog).to_owned();
        let fallback = fallback.map(|mut call| {
            call.address.put_bot(&mut call.params, source.bot);
            Fallback {
                method: call.method,
                params: Value::Object(call.params).to_string(),
            }
        });
        NewCall {
            portal: source.portal,
            bot: source.bot,
            lane: Lane::of(source.portal, source.bot, &dialog),
            dialog,
            method,
            params: Value::Object(params).to_string(),
            template: template.flatten(),
            identity: source.identity,
            token: source.token.cloned(),
            unknown: if repeat == Repeat::Never {
                Unknown::Stop
            } else {
                Unknown::Repeat
            },
            priority: source.priority,
            event: source.event,
            received: source.received,
            expires: self.clock.now() + self.call_age,
            ties: Ties {
                then: tag.map(|tag| Then { tag, dialog: home }),
                follows: part > 0,
                fallback,
            },
        }
    }
}

/// The id by which the portal knows a repeat: the author's own stays.
fn put_template(params: &mut Map<String, Value>, derive: impl FnOnce() -> TemplateId) -> Option<TemplateId> {
    let fields = params.get_mut("fields").and_then(Value::as_object_mut)?;
    if let Some(own) = fields.get("templateId").and_then(Value::as_str) {
        return Some(TemplateId::from_stored(own.to_owned()));
    }
    let template = derive();
    fields.insert("templateId".to_owned(), json!(template.as_str()));
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{CommandAnswer, MessageSend, MessageUpdate};

    fn plan(call: Call) -> NewCall {
        let planner = Planner {
            clock: Clock::manual(Timestamp(1_000)),
            salt: [7; 16],
            call_age: Duration::from_secs(60),
        };
        let source = Source {
            portal: PortalId(1),
            bot: 456,
            identity: Identity::Webhook,
            token: None,
            origin: b"event",
            event: Some(EventId(3)),
            received: Timestamp(900),
            priority: Priority::Interactive,
            home: Some("27"),
        };
        planner.plan(&source, call)
    }

    fn template(call: &NewCall) -> Value {
        let params: Value = serde_json::from_str(&call.params).unwrap();
        params["fields"]["templateId"].clone()
    }

    #[test]
    fn the_template_id_follows_from_event_step_and_part() {
        let at = |step, part| {
            let call = Call::of(MessageSend::new("27", "x")).unwrap();
            template(&plan(Call { step, part, ..call }))
        };
        assert_eq!(at(0, 0), at(0, 0));
        assert!(at(0, 0) != at(1, 0) && at(0, 0) != at(0, 1) && at(1, 0) != at(0, 1));
    }

    #[test]
    fn an_authors_template_id_is_kept() {
        let own = TemplateId::derive(b"mine", b"own", 0, 0);
        let call = Call::of(MessageSend::new("27", "x").template_id(&own)).unwrap();
        let planned = plan(call);
        assert_eq!(template(&planned), own.as_str());
        assert_eq!(planned.template, Some(own));
    }

    #[test]
    fn what_a_repeat_would_show_twice_is_not_repeated_and_has_no_template_id() {
        let system = plan(Call::of(MessageSend::new("27", "x").system()).unwrap());
        assert_eq!((system.unknown, template(&system)), (Unknown::Stop, Value::Null));
        let edit = plan(Call::of(MessageUpdate::new(1).text("x")).unwrap());
        assert_eq!((edit.unknown, template(&edit)), (Unknown::Repeat, Value::Null));
    }

    #[test]
    fn tag_part_and_fallback_are_stored_with_the_call() {
        let mut call = Call::of(MessageSend::new("chat5", "x")).unwrap();
        let answer = CommandAnswer::new(42, 7, "chat5", "x");
        (call.tag, call.part, call.fallback) = (Some("said".into()), 1, Some(Box::new(Call::of(answer).unwrap())));
        let planned = plan(call);
        let Ties {
            then,
            follows,
            fallback,
        } = planned.ties;
        let told_in = Then {
            tag: "said".into(),
            dialog: "27".into(),
        };
        assert!(follows);
        assert_eq!(then, Some(told_in), "in the dialog of the event");
        let fallback = fallback.unwrap();
        let params: Value = serde_json::from_str(&fallback.params).unwrap();
        assert_eq!(
            (fallback.method.as_str(), &params["botId"]),
            ("imbot.v2.Command.answer", &json!(456))
        );
    }
}
