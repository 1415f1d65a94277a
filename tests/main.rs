//! The one integration binary. Each file is a room of tests; `support` is shared.
#![expect(
    clippy::expect_used,
    reason = "a helper of a test may fail the test; clippy knows only #[test] functions as tests"
)]

mod cli;
mod corpus;
mod deploy_files;
mod dev;
mod hostile;
mod house;
mod kill;
mod link;
mod nginx;
mod openapi;
mod secrets;
mod server;
mod sockets;
mod store_failure;
mod support;
