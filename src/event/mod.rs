//! Typed events: normalization, lane and deduplication key. No transport, no wire shape in its types.
