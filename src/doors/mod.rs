//! The ways out: child processes, files and HTTP.

pub mod files;
pub mod http;
mod http_date;
pub mod process;
