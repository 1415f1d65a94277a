//! Inbox to handler to outbox: workers, lanes, the registry of bots, Handler, Ctx, Outcome.
