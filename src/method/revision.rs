//! `imbot.v2.Revision.get`: what a portal's API can do. Owns nothing else.

use super::call::method;
use super::reply::RevisionReply;
use crate::types::Fields;

/// `imbot.v2.Revision.get`: the revisions of a portal's API and clients. Needs no bot; the cheapest probe.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/revision-get.html)
///
/// ```
/// use imbot::method::RevisionGet;
/// let call = RevisionGet::new();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct RevisionGet(Fields);

impl RevisionGet {
    /// Of the portal that is called.
    pub fn new() -> Self {
        Self::default()
    }
}

method!(RevisionGet: "imbot.v2.Revision.get", Harmless, USER, [] -> RevisionReply, Read);
