//! The operator: one file a subcommand.
