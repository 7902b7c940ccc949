//! One device.

pub mod view;

pub use view::{Identity, LinkState, View};
