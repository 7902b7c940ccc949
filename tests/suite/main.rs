//! The tests that see the project as a whole.

#![allow(
    clippy::disallowed_methods,
    reason = "a real program is waited for in real time, up to a limit that only ends a broken build"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, and so may its helpers")]

mod admission;
mod alarm;
mod alerts;
mod allocations;
mod ask;
mod breakages;
mod charger;
mod check;
mod commands;
mod console;
mod consumer;
mod coverage;
mod crowd;
mod damaged;
mod dashboards;
mod doubt;
mod events;
mod explain;
mod flows;
mod frames;
mod fuzzed;
mod golden;
mod guarded;
mod https;
mod journals;
mod keys;
mod manual;
mod messages;
mod openapi;
mod outages;
mod page;
mod process;
mod prometheus;
mod recorder;
mod reload;
mod requests;
mod resolve;
mod restart;
mod reuse;
mod rig;
mod scan;
mod scenarios;
mod scrape;
mod service;
mod settings;
mod storm;
mod terminal;
mod tidy;
mod tls;
mod tool;
mod update;
mod wires;
