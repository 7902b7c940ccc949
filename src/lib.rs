//! Quittance.

pub mod card;
pub mod fleet;
pub mod id;
pub mod journal;
pub mod link;
pub mod metrics;
pub mod money;
pub mod protocol;
pub mod reconcile;
pub mod session;
pub mod terminal;
pub mod time;
