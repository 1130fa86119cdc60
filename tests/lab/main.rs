//! The whole road on a real Kubernetes: real faults, real Git, and the audit log as witness.
//!
//! `tests/run --lab` brings the laboratory up and runs this; see `tests/lab/up`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test panics when it fails, and drives kubectl and git itself"
)]

mod audit_log;
mod browser;
mod codes;
mod credentials;
mod egress;
mod encodings;
mod eval;
mod expected;
mod faults;
mod flux;
mod follow;
mod forge;
mod forge_status;
#[path = "../it/grown.rs"]
mod grown;
mod heal;
mod job;
mod kit;
mod model;
mod overlay;
mod parity;
mod records;
mod rights;
mod road_flux;
mod road_helm;
