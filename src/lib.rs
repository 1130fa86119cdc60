//! aifix: from a failing workload to a proved fix in Git.

pub mod audit;
pub mod cluster;
pub mod diagnose;
pub mod doors;
pub mod error;
pub mod fix;
pub mod model;
pub mod redact;
pub mod render;
pub mod repo;
pub mod settings;
pub mod source;
pub mod text;
pub mod ui;
pub mod yaml;
