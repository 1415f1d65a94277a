//! The conversation harness: emulated portal, manual clock, a server on a free port.
