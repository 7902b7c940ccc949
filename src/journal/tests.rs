//! What the journal promises, tried on real files.

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

mod damage;
mod memory;
mod pace;
mod sqlite;
mod view;

/// 2026-03-01T08:00:00.000Z, counted by hand: 20 513 days and 8 hours.
const MORNING: i64 = (20_513 * 24 + 8) * 3_600_000;

fn terminal(name: &str) -> Option<TerminalId> {
    Some(name.parse().unwrap())
}

fn session(number: u8) -> SessionId {
    SessionId::new(Timestamp::from_unix_millis(MORNING + i64::from(number)), [number; 10])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(MORNING + seconds * 1000)
}

fn opened(number: u8, on: &str) -> Entry {
    let fact = Fact::Opened {
        origin: record::Origin::Api,
        connector: None,
        reference: None,
        caller_reference: None,
        amount: Some(Amount::from_minor(5000)),
        currency: "EUR".parse::<Currency>().unwrap(),
        idempotency: None,
        device: None,
    };
    Entry { at: at(i64::from(number)), terminal: terminal(on), session: Some(session(number)), fact }
}

fn started() -> Entry {
    Entry { at: at(0), terminal: None, session: None, fact: Fact::Started { version: "0.1.0".to_owned() } }
}

fn energy(number: u8, minor: u32) -> Entry {
    let fact = Fact::EnergyReported { amount: Amount::from_minor(minor) };
    Entry { at: at(60), terminal: terminal("bay-01"), session: Some(session(number)), fact }
}

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        Self { _directory: directory, path }
    }

    fn open(&self) -> SqliteJournal {
        SqliteJournal::open(&self.path, Arc::new(())).unwrap()
    }
}
