//! One attempt to take money.

pub mod policy;
