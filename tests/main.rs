//! The one integration binary. Each file is a room of tests; `support` and `scene` are shared.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a helper of a test may fail the test; clippy knows only #[test] functions as tests"
)]

mod cli;
mod conversations;
mod corpus;
mod deploy_files;
mod dev;
mod door;
mod fairness;
mod faults;
mod hostile;
mod house;
mod kill;
mod link;
mod nginx;
mod openapi;
mod operator;
mod outages;
mod php;
mod scene;
mod secrets;
mod server;
mod sockets;
mod store_failure;
mod support;
