//! What the journal remembers of the terminals' settings: what it must still be told, and what is to become of terminals that are not
//! configured as they were when something was opened on them. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use tracing::warn;

use crate::config;
use crate::id::TerminalId;
use crate::journal::{Entry, Fact, Record};
use crate::session::ledger::Ledger;
use crate::terminal::TerminalSettings;
use crate::time::{Clock, Timestamp};

/// What the journal does not know yet of these terminals, as entries that tell it.
pub(super) fn news(terminals: &[TerminalSettings], remembered: &BTreeMap<TerminalId, Value>, clock: Clock) -> Vec<Entry> {
    let wanted = terminals.iter().map(|settings| (&settings.id, config::remember(settings)));
    let news = wanted.filter(|(id, settings)| remembered.get(*id) != Some(settings));
    let at = clock.now();
    let entry = |(id, settings): (&TerminalId, Value)| {
        let fact = Fact::Configured { settings };
        Entry { at, terminal: Some(id.clone()), session: None, fact }
    };
    news.map(entry).collect()
}

/// What these records tell of terminals.
pub(super) fn told(records: Vec<Record>) -> impl Iterator<Item = (TerminalId, Value)> {
    records.into_iter().filter_map(|record| match record.entry {
        Entry { terminal: Some(terminal), fact: Fact::Configured { settings }, .. } => Some((terminal, settings)),
        _ => None,
    })
}

/// How to reach terminals that are not among the configured ones, or not as the device on which something was opened. Of the others
/// the newest settings, so that questions about what has ended on them can be answered.
pub(super) fn former(configured: &[TerminalSettings], ledger: &Ledger) -> Vec<TerminalSettings> {
    let mut oldest: BTreeMap<&TerminalId, Timestamp> = BTreeMap::new();
    for session in ledger.sessions().filter(|session| !session.ended()) {
        let since = oldest.entry(&session.terminal).or_insert(session.created_at);
        *since = session.created_at.min(*since);
    }
    let mut former = Vec::new();
    for (id, known) in ledger.configured() {
        let opened = oldest.get(id);
        let Some(kept) = device(known, opened.copied()) else { continue };
        let present = configured.iter().find(|settings| settings.id == *id);
        if present.is_some_and(|present| same_device(kept, &config::remember(present))) {
            continue;
        }
        match config::recall(id, kept) {
            Ok(settings) => former.push(settings),
            Err(mistakes) if opened.is_some() => {
                warn!(terminal = %id, error = %mistakes, "what the journal remembers of this former terminal is of no use");
            }
            Err(_) => {}
        }
    }
    former
}

/// The newest settings of the device that had the name at that time; the newest of all without a time.
fn device(known: &[(Timestamp, Value)], at: Option<Timestamp>) -> Option<&Value> {
    let Some(at) = at else { return known.last().map(|(_, kept)| kept) };
    let (_, then) = known.iter().rfind(|(since, _)| *since <= at).or_else(|| known.first())?;
    known.iter().rfind(|(_, kept)| same_device(kept, then)).map(|(_, kept)| kept)
}

/// Whether these may be the settings of one device: its family is the same, and no two serial numbers say that it is not.
fn same_device(one: &Value, other: &Value) -> bool {
    let serial_numbers = (one.get("serial_number"), other.get("serial_number"));
    one.get("family") == other.get("family") && !matches!(serial_numbers, (Some(one), Some(other)) if one != other)
}
