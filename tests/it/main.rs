//! The binary as a user meets it, hermetic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test panics when it fails, and reaches around the doors to look at what they did"
)]

mod api_server;
mod audit;
mod cluster;
mod recorded;
mod repo;
mod source;
