//! What another configuration changes of the fleet. Pure.

use std::collections::BTreeMap;

use crate::id::TerminalId;
use crate::terminal::TerminalSettings;
use crate::terminal::change::Change;

/// Every terminal of two configurations, in one of four lists, each by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only the later one has them.
    pub added: Vec<TerminalId>,
    /// Only the earlier one has them.
    pub removed: Vec<TerminalId>,
    /// Both have them, but not with the same settings.
    pub changed: Vec<(TerminalId, Change)>,
    /// Both have them, and nothing is different.
    pub unchanged: Vec<TerminalId>,
}

impl Difference {
    /// From these terminals to those.
    pub fn between(before: &BTreeMap<TerminalId, TerminalSettings>, after: &BTreeMap<TerminalId, TerminalSettings>) -> Self {
        let mut difference = Self::default();
        for (id, settings) in after {
            match before.get(id).map(|known| Change::between(known, settings)) {
                None => difference.added.push(id.clone()),
                Some(change) if change.is_none() => difference.unchanged.push(id.clone()),
                Some(change) => difference.changed.push((id.clone(), change)),
            }
        }
        difference.removed = before.keys().filter(|id| !after.contains_key(id)).cloned().collect();
        difference
    }
}

/// Whether two terminals could not run beside each other: they lead to the same place, or are recorded into the same files.
pub fn exclude_each_other(one: &TerminalSettings, other: &TerminalSettings) -> bool {
    let recording = |settings: &TerminalSettings| settings.record.as_ref().map(|record| record.path.clone());
    one.link.address.place() == other.link.address.place() || recording(one).is_some_and(|path| recording(other) == Some(path))
}
