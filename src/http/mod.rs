//! The door: router, webhook, verification, probes, admin.
