//! Faults of the event sender: what it does wrong on purpose, to bodies and to their order. Sends nothing.

use super::sender::Outgoing;
use std::time::Duration;

/// What the sender does wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// Sends it twice.
    Duplicate,
    /// Sends it so much later, by the portal's clock.
    Delay(Duration),
    /// Sends it after the next event.
    Reorder,
    /// With an `application_token` of nobody.
    WrongToken,
    /// Without the top-level `auth`.
    MissingAuth,
    /// Under a name nobody knows.
    UnknownEvent,
    /// With a text of a megabyte.
    LargeText,
    /// As `text/plain`.
    WrongContentType,
    /// With this pause in the middle of the body.
    SlowSend(Duration),
}

/// A fault with what it strikes and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Only events of this name; `None`: all.
    pub event: Option<String>,
    /// How many events it strikes; `None`: no end.
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: EventFault,
}

/// The rules in force, and an event held back.
#[derive(Debug, Default)]
pub(super) struct EventFaults {
    rules: Vec<EventRule>,
    held: Option<Sending>,
}

/// An event as it will be sent.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) event: Outgoing,
    pub(super) delay: Duration,
    pub(super) pause: Option<Duration>,
    pub(super) media: &'static str,
}

impl EventFaults {
    pub(super) fn add(&mut self, rule: EventRule) {
        self.rules.push(rule);
    }

    /// The rules in force.
    pub(super) fn list(&self) -> &[EventRule] {
        &self.rules
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What is to be sent for one event: mostly just it.
    pub(super) fn strike(&mut self, event: Outgoing) -> Vec<Sending> {
        self.rules.retain(|rule| rule.times != Some(0));
        let mut sending = Sending {
            event,
            delay: Duration::ZERO,
            pause: None,
            media: "application/x-www-form-urlencoded",
        };
        let (mut copies, mut hold) = (1, false);
        for rule in &mut self.rules {
            let named = rule.event.as_deref();
            if !named.is_none_or(|named| named.eq_ignore_ascii_case(sending.event.event)) {
                continue;
            }
            rule.times = rule.times.map(|times| times.saturating_sub(1));
            match &rule.fault {
                EventFault::Duplicate => copies = 2,
                EventFault::Delay(delay) => sending.delay = *delay,
                EventFault::Reorder => hold = true,
                EventFault::SlowSend(pause) => sending.pause = Some(*pause),
                EventFault::WrongContentType => sending.media = "text/plain",
                spoiled => sending.event.body = spoil(&sending.event.body, spoiled),
            }
        }
        if hold && self.held.is_none() {
            self.held = Some(sending);
            return Vec::new();
        }
        let mut out = vec![sending; copies];
        out.extend(self.held.take());
        out
    }
}

/// The body with some of its pairs changed.
fn spoil(body: &[u8], fault: &EventFault) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let changed = |pair: &str| -> Option<String> {
        let key = pair.split('=').next().unwrap_or_default();
        match fault {
            EventFault::WrongToken if key.ends_with("application_token%5D") => Some(format!("{key}=nobodys-token")),
            EventFault::MissingAuth if key.starts_with("auth%5B") => None,
            EventFault::UnknownEvent if key == "event" => Some("event=ONIMBOTV2NEVERHEARDOF".to_owned()),
            EventFault::LargeText if key == "data%5Bmessage%5D%5Btext%5D" => {
                Some(format!("{key}={}", "x".repeat(1024 * 1024)))
            }
            _ => Some(pair.to_owned()),
        }
    };
    let pairs: Vec<String> = text.split('&').filter_map(changed).collect();
    pairs.join("&").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &str) -> Outgoing {
        Outgoing {
            bot_id: 1,
            event: "ONIMBOTV2MESSAGEADD",
            url: None,
            body: body.as_bytes().to_vec(),
        }
    }

    fn faults(fault: EventFault) -> EventFaults {
        let mut faults = EventFaults::default();
        faults.add(EventRule {
            event: None,
            times: Some(1),
            fault,
        });
        faults
    }

    #[test]
    fn bodies_lose_or_change_what_the_fault_says() {
        let body = "event=E&data%5Bmessage%5D%5Btext%5D=hi&auth%5Bapplication_token%5D=t&auth%5Bdomain%5D=d";
        for (fault, expected) in [
            (
                EventFault::WrongToken,
                "event=E&data%5Bmessage%5D%5Btext%5D=hi&auth%5Bapplication_token%5D=nobodys-token&auth%5Bdomain%5D=d",
            ),
            (EventFault::MissingAuth, "event=E&data%5Bmessage%5D%5Btext%5D=hi"),
        ] {
            let mut faults = faults(fault);
            let sent = faults.strike(event(body)).remove(0).event.body;
            assert_eq!(String::from_utf8(sent).unwrap(), expected);
            let sound = faults.strike(event(body)).remove(0).event.body;
            assert_eq!(sound, body.as_bytes(), "once only");
        }
        let long = faults(EventFault::LargeText).strike(event(body)).remove(0);
        assert!(long.event.body.len() > 1024 * 1024);
    }

    #[test]
    fn events_are_doubled_and_overtaken() {
        assert_eq!(faults(EventFault::Duplicate).strike(event("a=1")).len(), 2);
        let mut faults = faults(EventFault::Reorder);
        assert!(faults.strike(event("first=1")).is_empty());
        let sent = faults.strike(event("second=1"));
        let bodies: Vec<_> = sent.iter().map(|sending| sending.event.body.as_slice()).collect();
        assert_eq!(bodies, [&b"second=1"[..], b"first=1"]);
    }
}
