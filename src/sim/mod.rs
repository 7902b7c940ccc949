//! The other side of the wire: simulated terminals of both families, and the bank behind them. They are the real thing with
//! handles: they follow PSP (where it is silent, the assumptions below), never decide what a test hopes for, and go wrong only when told.
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
//!
#![doc = include_str!("assumptions.md")]

mod bank;
mod card;
mod chance;
mod command;
mod depot;
mod display;
mod drivers;
mod fault;
mod handle;
mod ledger;
mod listener;
mod memory;
mod papers;
mod policy;
mod port;
mod pty;
mod quirks;
mod settings;
mod stage;
mod terminal;
#[cfg(test)]
mod tests;
mod tls;
mod traffic;
mod violation;
mod wire;

pub use bank::{Bank, By, Change, Decision, Demand, Hold, HoldState, Question, Refusal};
pub use card::SimCard;
pub use chance::Chances;
pub use command::Command;
pub use depot::{Depot, DepotError, Listen, SimConfig};
pub use display::{CardScreen, Screen};
pub use drivers::{Drivers, Partial};
pub use fault::Fault;
pub use handle::SimHandle;
pub use ledger::{Ledger, Sum, Updated};
pub use papers::{Paper, Papers};
pub use policy::{BankVerdict, Policy};
pub use port::Port;
pub use quirks::{CardTimeout, Occasion, Quirks};
pub use settings::{Settings, SettingsError};
pub use stage::{Parcel, Snapshot};
pub use terminal::{Input, Output, SimTerminal};
pub use tls::{TlsListen, TlsVersions};
pub use traffic::{Fate, Traffic};
pub use violation::{Violation, ViolationKind};
pub use wire::{Heard, Style};
