//! One device.

pub mod settings;
