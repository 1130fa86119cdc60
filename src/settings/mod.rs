//! What was typed and what the environment says, as values.

pub mod environment;
pub mod flags;
pub mod resolve;
