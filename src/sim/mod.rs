//! The other side of the wire: simulated terminals of both families, and the bank behind them. They are the real thing with
//! handles: they follow PSP (where it is silent, its section 18), never decide what a test hopes for, and go wrong only when told.
//!
//! ```text
//!  SimHandle (cards, faults, observation)
//!      │
//!    stage ── faults, outbox, log ──── listener (TCP, TLS) or pty
//!      │
//!  SimTerminal (machine) ──► Bank (the truth) ──► Ledger
//! ```
//!
//! A [`Depot`] opens several terminals with one bank. Production code never imports this folder.

mod bank;
mod card;
mod chance;
mod command;
mod depot;
mod drivers;
mod fault;
mod handle;
mod ledger;
mod listener;
mod memory;
mod pty;
mod quirks;
mod settings;
mod stage;
mod terminal;
#[cfg(test)]
mod tests;
mod tls;
mod traffic;
mod wire;

pub use bank::{Bank, BankVerdict, By, Decision, Demand, Hold, HoldState, Policy, Question, Refusal, Violation, ViolationKind};
pub use card::SimCard;
pub use chance::Chances;
pub use command::Command;
pub use depot::{Depot, DepotError, Listen, SimConfig};
pub use drivers::Drivers;
pub use fault::Fault;
pub use handle::SimHandle;
pub use ledger::{Ledger, Sum};
pub use quirks::{CardTimeout, Quirks};
pub use settings::{Settings, SettingsError};
pub use stage::Snapshot;
pub use terminal::{Input, Output, SimTerminal};
pub use tls::{TlsListen, TlsVersions};
pub use traffic::{Fate, Traffic};
pub use wire::{Heard, Style};
