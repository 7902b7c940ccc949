//! Quittance.

pub mod api;
pub mod card;
pub mod cli;
pub mod config;
pub mod fleet;
pub mod id;
pub mod journal;
pub mod link;
pub mod metrics;
pub mod money;
pub mod protocol;
<<<<<<< HEAD
pub mod reconcile;
pub mod session;

pub mod terminal;
=======
pub mod sim;
>>>>>>> sim
pub mod time;
