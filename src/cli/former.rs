//! What the journal remembers of the terminals' settings: what it must still be told, and what is to become of terminals that are not
//! configured as they were when something was opened on them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use tracing::warn;

use crate::config;
use crate::id::TerminalId;
use crate::journal::record::Device;
use crate::journal::{Entry, Fact, Journal, JournalError, Record};
use crate::link;
use crate::session::Session;
use crate::session::ledger::Ledger;
use crate::terminal::TerminalSettings;
use crate::terminal::change::Change;
use crate::time::{Clock, Timestamp};

/// What the journal does not know yet of these terminals, as entries that tell it.
fn news(terminals: &[TerminalSettings], remembered: &BTreeMap<TerminalId, Value>, clock: Clock) -> Vec<Entry> {
    let wanted = terminals.iter().map(|settings| (&settings.id, config::remember(settings)));
    let news = wanted.filter(|(id, settings)| remembered.get(*id) != Some(settings));
    let at = clock.now();
    let entry = |(id, settings): (&TerminalId, Value)| {
        let fact = Fact::Configured { settings };
        Entry { at, terminal: Some(id.clone()), session: None, fact }
    };
    news.map(entry).collect()
}

/// Makes the journal remember how these terminals are configured.
pub(super) async fn tell(
    journal: &dyn Journal,
    terminals: &[TerminalSettings],
    remembered: &mut BTreeMap<TerminalId, Value>,
    clock: Clock,
) -> Result<(), JournalError> {
    let news = news(terminals, remembered, clock);
    if !news.is_empty() {
        remembered.extend(told(journal.append(news).await?));
    }
    Ok(())
}

/// What these records tell of terminals.
fn told(records: Vec<Record>) -> impl Iterator<Item = (TerminalId, Value)> {
    records.into_iter().filter_map(|record| match record.entry {
        Entry { terminal: Some(terminal), fact: Fact::Configured { settings }, .. } => Some((terminal, settings)),
        _ => None,
    })
}

/// How to reach terminals on which something is open, and which are not among the configured ones or may be other devices there. Of those
/// that are not configured and have nothing open the newest settings, so that questions about what has ended can be answered.
pub(super) fn former(configured: &[TerminalSettings], ledger: &Ledger) -> Vec<TerminalSettings> {
    let mut open: BTreeMap<&TerminalId, Vec<&Session>> = BTreeMap::new();
    for session in ledger.sessions().filter(|session| !session.ended()) {
        open.entry(&session.terminal).or_default().push(session);
    }
    let mut former = Vec::new();
    for (id, known) in ledger.configured() {
        let present = configured.iter().find(|settings| settings.id == *id);
        let Some(sessions) = open.get(id) else {
            let newest = known.last().filter(|_| present.is_none());
            former.extend(newest.and_then(|(_, kept)| config::recall(id, kept).ok()));
            continue;
        };
        let not_there = |device: &Device| present.is_none_or(|present| device.may_be_another(present));
        let devices =
            sessions.iter().filter_map(|session| session.device.clone().or_else(|| device(id, known, session.created_at)));
        let settings = match devices.into_iter().find(not_there) {
            Some(device) => leading_to(&device, id, known).map(|settings| over_its_link(&device, settings, present)),
            None if present.is_some() => continue,
            None => None,
        };
        if settings.is_none() {
            warn!(terminal = %id, "what the journal remembers of this former terminal is of no use");
        }
        former.extend(settings);
    }
    former
}

/// The device that had the name at that time, as far as its settings tell. Earlier versions did not say on which one they opened something.
fn device(id: &TerminalId, known: &[(Timestamp, Value)], at: Timestamp) -> Option<Device> {
    let (_, then) = known.iter().rfind(|(since, _)| *since <= at).or_else(|| known.first())?;
    config::recall(id, then).ok().map(|settings| Device::of(&settings, None))
}

/// The newest settings that lead to this device and to no other.
fn leading_to(device: &Device, id: &TerminalId, known: &[(Timestamp, Value)]) -> Option<TerminalSettings> {
    let recalled = known.iter().rev().filter_map(|(_, kept)| config::recall(id, kept).ok());
    recalled.into_iter().find(|settings| !device.may_be_another(settings))
}

/// Set-up is to refuse any other device on that link. A terminal that is configured otherwise only in its link follows everything else.
fn over_its_link(device: &Device, former: TerminalSettings, present: Option<&TerminalSettings>) -> TerminalSettings {
    let serial_number = device.serial_number.clone().or_else(|| former.serial_number.clone());
    let former = TerminalSettings { serial_number, ..former };
    match present.filter(|present| !Change::between(&former, present).replaces) {
        Some(present) => {
            let link = link::Settings { address: former.link.address, ..present.link.clone() };
            TerminalSettings { link, serial_number: former.serial_number, ..present.clone() }
        }
        None => former,
    }
}
