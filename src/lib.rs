//! Quittance runs a depot's Payter payment terminals and makes sure that every hold on a card is committed or voided.
//!
//! **Pure machines decide, the journal remembers, thin actors carry out.** A machine is given what happens and what time it is,
//! and answers with facts to append and effects to perform. An actor appends the facts, waits until they are durable, and only
//! then performs the effects. So nothing that moves money leaves before its intent is on disk, and after a crash the same
//! machine is built from the same facts.
//!
//! ```text
//!  8                      cli   wires everything; nobody imports it
//!               ┌──────────┴──────────┐
//!  7           api                  config     builds the settings that lower rows define
//!               └──────────┬──────────┘
//!  6                     fleet   supervises the terminals, shows the board
//!  5                   terminal   one device: its link, its turns, its sessions
//!  4                   reconcile   our memory against the terminal's
//!  3                    session   one attempt to take money
//!  2        link · recorder  journal                sim   the other side of the wire, for tests and
//!  1          protocol        metrics                      `termsim`; knows protocol and row 0 only, and
//!  0      id · money · time · random · card · tls                  the orchestrator never imports it
//! ```
//!
//! A file imports its own row and lower ones; `tests/suite/tidy.rs` sees to it.
//!
//! # Where to start reading
//!
//! 1. [`session::state`]: what a session is, and the picture of its life.
//! 2. [`session::machine`]: what is to be done about it.
//! 3. [`terminal::machine`] and [`terminal::turn`]: how a terminal is set up, and whose exchange goes next.
//! 4. [`journal::record`]: every fact that may not be forgotten.
//! 5. [`cli::run`]: how it all hangs together.

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
pub mod random;
pub mod reconcile;
pub mod recorder;
pub mod session;
pub mod sim;
pub mod terminal;
pub mod time;
pub mod tls;
