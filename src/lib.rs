//! Quittance.

pub mod card;
pub mod id;
pub mod journal;
pub mod link;
pub mod money;
pub mod protocol;
pub mod sim;
pub mod time;
