//! Plain values that flow through aifix; they do nothing.
//!
//! Values import only each other. A rule is given a [`snapshot::Snapshot`], never a client;
//! an error knows no module.

pub mod code;
pub mod finding;
pub mod history;
pub mod identity;
pub mod intent;
pub mod kube;
pub mod lesson;
pub mod object;
pub mod path;
pub mod proposal;
pub mod published;
pub mod quantity;
pub mod record;
pub mod refusal;
pub mod report;
pub mod selector;
pub mod snapshot;
pub mod tree;
pub mod verdict;
