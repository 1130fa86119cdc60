//! Which place in Git makes a field.

pub mod candidate;
pub mod candidates;
pub mod choose;
mod controlled;
mod inflated;
pub mod place;
pub mod post;
pub mod probe;
pub mod templates;
pub mod values;
