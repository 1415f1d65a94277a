//! The durable middle: inbox, outbox, memory, dead letters; one writer with group commit.
