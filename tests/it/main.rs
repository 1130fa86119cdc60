//! The binary as a user meets it, hermetic.
