//! The one integration binary. Each file is a room of tests; `support` and `scene` are shared.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a helper of a test may fail the test; clippy knows only #[test] functions as tests"
)]

mod conversations;
mod deploy_files;
mod door;
mod fairness;
mod faults;
mod house;
mod nginx;
mod openapi;
mod operator;
mod outages;
mod scene;
mod support;
