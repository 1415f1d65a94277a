//! The operator: one file a subcommand.

mod client;
mod config;
mod dead_letters;
mod replay;
mod text;
