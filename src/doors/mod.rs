//! The ways out: child processes and files.

pub mod files;
pub mod process;
