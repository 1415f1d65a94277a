//! The list of all methods, for whoever knows a method by its name only. Owns the list; each row is read off the type.

use super::call::{Address, Method, Read, Repeat};
use super::*;

/// A method of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The documented name.
    pub name: &'static str,
    /// The paths of its parameters, without those of [`address`](Self::address).
    pub params: &'static [&'static str],
    /// Where the bot's number and token go.
    pub address: Address,
    /// What a repeat after an unknown outcome may do.
    pub repeat: Repeat,
    /// It changes nothing.
    pub read: bool,
    /// It may go in a `batch`.
    pub batch: bool,
}

const fn entry<M: Method>(read: bool) -> Entry {
    Entry {
        name: M::NAME,
        params: M::PARAMS,
        address: M::ADDRESS,
        repeat: M::REPEAT,
        read,
        batch: M::BATCH,
    }
}

const fn read<M: Read>() -> Entry {
    entry::<M>(true)
}

const fn write<M: Method>() -> Entry {
    entry::<M>(false)
}

/// Every method that has a type here, in the order of the documentation.
#[expect(deprecated, reason = "the old method is in the catalogue too")]
pub const CATALOGUE: &[Entry] = &[
    write::<BotRegister>(),
    write::<BotUpdate>(),
    read::<BotGet>(),
    read::<BotList>(),
    write::<BotUnregister>(),
    write::<ChatAdd>(),
    read::<ChatGet>(),
    write::<ChatUpdate>(),
    write::<ChatUserAdd>(),
    write::<ChatUserDelete>(),
    read::<ChatUserList>(),
    write::<ChatLeave>(),
    write::<ChatManagerAdd>(),
    write::<ChatManagerDelete>(),
    write::<ChatSetOwner>(),
    write::<MessageSend>(),
    write::<MessageUpdate>(),
    write::<MessageDelete>(),
    write::<MessageRead>(),
    read::<MessageGet>(),
    read::<MessageGetContext>(),
    write::<ReactionAdd>(),
    write::<ReactionDelete>(),
    write::<CommandRegister>(),
    write::<CommandUpdate>(),
    read::<CommandList>(),
    write::<CommandUnregister>(),
    write::<CommandAnswer>(),
    write::<InputActionNotify>(),
    write::<TextFieldEnabled>(),
    write::<EventGet>(),
    write::<FileUpload>(),
    read::<FileDownload>(),
    read::<RevisionGet>(),
    write::<UserEventSubscribe>(),
    write::<UserEventUnsubscribe>(),
    write::<UserEventGet>(),
    write::<UserFileUpload>(),
    read::<UserFileDownload>(),
    read::<OldChatUserList>(),
    write::<SessionOperator>(),
    write::<SessionTransfer>(),
    write::<SessionFinish>(),
    write::<SessionMessageSend>(),
    write::<BotSendContext>(),
];

/// The catalogue's row for a method, by its documented name.
///
/// ```
/// use imbot::method::{Repeat, find};
/// assert!(find("imbot.v2.Chat.add").is_some_and(|entry| entry.repeat == Repeat::Never));
/// assert_eq!(find("crm.deal.get"), None);
/// ```
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

/// The method's name as a metric label: itself if it is in the catalogue, else `other`.
#[must_use]
pub fn label(name: &str) -> &'static str {
    find(name).map_or("other", |entry| entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_a_fixed_set() {
        assert_eq!(label("imbot.v2.Command.answer"), "imbot.v2.Command.answer");
        assert_eq!(label("anything.a.stranger.wrote"), "other");
    }

    #[test]
    fn names_are_different() {
        let names: std::collections::BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
    }
}
