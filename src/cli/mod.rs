//! The commands of `quittance`, one file each.

pub mod decode;
