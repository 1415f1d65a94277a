//! Outbox to portal: order, pace, backoff, settling.
