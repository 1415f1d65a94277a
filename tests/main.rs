//! The one integration binary. Each file is a room of tests; `support` is shared.
#![expect(
    clippy::expect_used,
    reason = "a helper of a test may fail the test; clippy knows only #[test] functions as tests"
)]

mod deploy_files;
mod house;
mod nginx;
mod openapi;
mod support;
