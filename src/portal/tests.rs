//! Tests of the running portal.
