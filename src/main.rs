//! The `aifix` command.
fn main() {}
