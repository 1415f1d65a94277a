//! The operator: one file a subcommand.

mod decode;
