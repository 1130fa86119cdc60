//! How answers are written, one format per file.

pub mod codes;
pub mod crd;
pub mod diff;
pub mod doctor_text;
pub mod eval;
pub mod explain_text;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod patch;
pub mod propose_text;
pub mod published;
pub mod pull_request;
pub mod records;
pub mod records_diff;
pub mod records_export;
pub mod roles;
pub mod sarif;
pub mod scan_text;
pub mod schema;
pub mod set_aside;
pub mod verdicts;
pub mod verified;
mod words;
pub mod yaml;
