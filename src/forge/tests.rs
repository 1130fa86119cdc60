//! The room for forges: addresses, tokens, and what is read.
