//! Which events may come both ways with two times: those of a bot the way of whose events changes, where their key has a
//! time. Decides nothing about what is a twin.

use super::site::{Site, SiteBot};
use crate::event::{Key, Timeless};
use crate::store::{EventKey, Source, Twin};
use crate::types::Timestamp;

impl SiteBot {
    /// Whether its events may come both ways with two times now.
    pub(crate) fn has_twins(&self, now: Timestamp) -> bool {
        self.switching.is_some_and(|switching| switching.has_twins(now))
    }
}

impl Site {
    /// The same of one of its bots.
    pub(crate) fn has_twins(&self, bot: i64, now: Timestamp) -> bool {
        self.bots.get(&bot).is_some_and(|bot| bot.has_twins(now))
    }
}

/// A key as the store takes it. Only a key with a time asks for `twins`, and only then is anything more made of it.
pub(crate) fn event_key(key: Key, source: Source, twins: impl FnOnce() -> bool) -> EventKey {
    let timeless = if key.has_time() && twins() {
        key.timeless()
    } else {
        None
    };
    EventKey {
        twin: timeless.map(|Timeless { rest, ts }| Twin { rest, ts, source }),
        whole: key.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Label;
    use crate::store::Switching;
    use crate::types::PortalId;
    use crate::wire::{self, Limits};

    const NOW: Timestamp = Timestamp(10_000_000);

    fn key(body: &str) -> Key {
        let tree = wire::parse(body.as_bytes(), false, &Limits::default()).unwrap();
        Label::of(&tree).key.unwrap()
    }

    fn switching(began_s: i64, finished: bool) -> Option<Switching> {
        let began = Timestamp(NOW.0 - began_s * 1000);
        Some(Switching {
            fetch: true,
            began,
            told: Some(began),
            finished: finished.then_some(NOW),
        })
    }

    #[test]
    fn twins_are_looked_for_until_a_quarter_of_an_hour_is_over_and_the_change_is_finished() {
        for (switching, looked_for) in [
            (None, false),
            (switching(0, false), true),
            (switching(0, true), true),
            (switching(899, true), true),
            (switching(900, true), false),
            (switching(90_000, false), true),
        ] {
            let bot = SiteBot {
                switching,
                ..SiteBot::default()
            };
            assert_eq!(bot.has_twins(NOW), looked_for, "{switching:?}");
            let site = Site {
                bots: [(456, bot)].into(),
                ..Site::acme(PortalId(1))
            };
            assert_eq!(site.has_twins(456, NOW), looked_for);
            assert!(!site.has_twins(457, NOW));
        }
    }

    #[test]
    fn a_key_without_a_time_does_not_even_ask() {
        let message = key("event=ONIMBOTV2MESSAGEADD&data[bot][id]=456&data[message][id]=7&ts=5");
        let stored = event_key(message.clone(), Source::Posted, || panic!("asked"));
        assert_eq!((stored.whole.as_slice(), stored.twin), (message.bytes(), None));
        let join = key("event=ONIMBOTV2JOINCHAT&data[bot][id]=456&data[dialogId]=chat5&ts=5");
        assert_eq!(event_key(join.clone(), Source::Posted, || false).twin, None);
        let twin = event_key(join, Source::Fetched, || true).twin.unwrap();
        assert_eq!((twin.ts, twin.source), (5, Source::Fetched));
    }
}
