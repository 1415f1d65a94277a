//! The one integration binary. Each file is a room of tests; `support` and `scene` are shared.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a helper of a test may fail the test; clippy knows only #[test] functions as tests"
)]

mod author;
mod backup;
mod browser;
mod budget;
mod capture;
mod changes;
mod chart;
mod cli;
mod commands;
mod conversations;
mod corpus;
mod deploy_files;
mod dev;
mod doctor;
mod door;
mod fairness;
mod faults;
#[path = "first_bot/main.rs"]
#[expect(dead_code, reason = "its own program calls main; here its tests run")]
mod first_bot;
mod guide;
mod held;
mod hostile;
mod house;
mod installs;
mod kill;
mod lifecycle;
mod link;
mod monitor;
mod nginx;
mod openapi;
mod operator;
mod other_language;
mod outages;
mod php;
mod proxies;
mod register;
mod restarts;
mod scenarios;
mod scene;
mod secrets;
mod server;
mod sockets;
mod store_failure;
mod support;
mod talk;
mod tutorial;
