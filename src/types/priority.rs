//! How urgent a call is: who goes first when a portal's budget is short. Owns no budget.

/// The urgency of a REST call. Inside a dialog order beats it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits for it: replies, answers, questions of a handler, polls.
    #[default]
    Interactive,
    /// A typing notice: worth nothing once the message is there.
    Typing,
    /// Reminders and notices that no event asked for.
    Bulk,
}
