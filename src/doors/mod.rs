//! The ways out: child processes, files and HTTP.

pub mod files;
pub mod http;
pub mod process;
