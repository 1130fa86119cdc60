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
mod architecture;
mod audit;
mod audit_export;
mod audit_git;
mod audit_records;
mod canary;
mod chart;
mod choose;
mod cluster;
mod codes;
mod command_line;
mod completions;
mod contexts;
mod controlled;
mod crlf;
mod dry_run;
mod eval;
#[path = "../lab/expected.rs"]
mod expected;
mod explain;
mod filters;
mod forge;
mod forge_server;
mod formats;
mod garbage;
mod grown;
mod harness;
mod hostile_repo;
mod html;
mod injection;
mod lab_codes;
mod lazy_tree;
mod lessons;
mod live;
mod llm;
mod llm_fix;
mod llm_retry;
mod llm_wire;
mod loopback;
mod maps;
mod model_counsel;
mod model_road;
mod model_server;
mod narrative;
mod owned_elsewhere;
mod packed_chart;
mod patterns;
mod planned;
mod policy;
mod policy_command;
mod policy_coverage;
mod policy_dialects;
mod policy_gatekeeper;
mod policy_hostile;
mod policy_input;
mod policy_live;
mod policy_repository;
mod policy_why;
mod protobuf;
mod readme;
mod recipes;
mod record_schema;
mod recorded;
mod redact;
mod repo;
mod revert;
mod rights;
mod road;
mod rollouts;
mod rules_road;
mod schema_of_cluster;
mod snapshots;
mod source;
mod source_lines;
mod status;
mod threats;
mod watch;
