//! `decode`: a captured body as a normalized event. Imports `wire` and `event`; checks no token and stores nothing.

use crate::event::Event;
use crate::types::reveal;
use crate::wire::{self, Limits};

/// Why a body has no normalized event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undecoded {
    /// It would be refused at the door. Exit code 1.
    Refused(String),
    /// It would be kept for a person to look at. Exit code 3.
    Unusable(String),
}

/// Pretty JSON in the shape `kind, event, event_handler_id, ts, auth, data`; credentials are `***` unless
/// `show_secrets`. No content type, or the manifest's `-`, lets the body decide between form and JSON.
pub(crate) fn decode(body: &[u8], content_type: Option<&str>, show_secrets: bool) -> Result<String, Undecoded> {
    let content_type = content_type.filter(|content_type| *content_type != "-");
    let json = wire::json_by_content_type(content_type).ok_or_else(|| {
        let says = "the content type is neither a form nor JSON; an event is application/x-www-form-urlencoded";
        Undecoded::Refused(says.to_owned())
    })?;
    let refused = |refused: wire::Refused| Undecoded::Refused(format!("{refused} ({})", refused.reason()));
    let tree = wire::parse(body, json, &Limits::default()).map_err(refused)?;
    let event = Event::from_tree(&tree).map_err(|unusable| match unusable.field {
        "event" => Undecoded::Refused("the body names no event".to_owned()),
        _ => Undecoded::Unusable(unusable.to_string()),
    })?;
    let print = || serde_json::to_string_pretty(&event);
    let text = if show_secrets { reveal(print) } else { print() };
    text.map_err(|error| Undecoded::Unusable(format!("the event cannot be printed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"event=ONIMBOTV2DELETE&data[bot][id]=5&auth[application_token]=marker";

    #[test]
    fn credentials_are_stars_unless_asked_for() {
        let shown = decode(BODY, None, false).unwrap();
        assert!(shown.contains("\"application_token\": \"***\"") && !shown.contains("marker"));
        assert!(decode(BODY, Some("-"), true).unwrap().contains("marker"));
    }

    #[test]
    fn the_content_type_decides_what_is_read() {
        for content_type in ["application/x-www-form-urlencoded; charset=UTF-8", "", "-"] {
            assert!(decode(BODY, Some(content_type), false).is_ok(), "{content_type}");
        }
        for content_type in [
            "application/json",
            "multipart/form-data; boundary=x",
            "text/xml",
            "text/plain",
        ] {
            assert!(
                matches!(decode(BODY, Some(content_type), false), Err(Undecoded::Refused(_))),
                "{content_type}"
            );
        }
        let json = br#"{"event":"ONAPPTEST","data":{}}"#;
        assert!(
            decode(json, Some("application/x-www-form-urlencoded"), false)
                .unwrap()
                .contains("\"kind\": \"app\"")
        );
    }

    #[test]
    fn refused_and_unusable_are_told_apart() {
        assert!(matches!(decode(b"a=1", None, false), Err(Undecoded::Refused(_))));
        assert!(matches!(
            decode(b"event=a&event=b", None, false),
            Err(Undecoded::Refused(_))
        ));
        let unusable = decode(b"event=ONIMBOTV2DELETE&data[bot][id]=x", None, false).unwrap_err();
        assert_eq!(
            unusable,
            Undecoded::Unusable("the event has no readable data.bot.id".to_owned())
        );
    }
}
