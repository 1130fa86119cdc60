//! What was typed and what the environment says, as values.

pub mod environment;
pub mod file;
pub mod flags;
pub mod repository;
pub mod resolve;
