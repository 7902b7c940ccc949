//! The commands, one file each.

pub mod client;
pub mod sessions;
pub mod terminals;
