//! All terminals.

pub mod supervision;
