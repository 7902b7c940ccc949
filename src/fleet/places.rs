//! Which terminals there are, and with which settings; for whoever asks, while the supervisor may change it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::id::TerminalId;
use crate::terminal::TerminalSettings;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    present: BTreeMap<TerminalId, Arc<TerminalSettings>>,
    /// Whoever repeats a request for a session that has ended gets the same answer, also when its terminal has gone.
    former: BTreeMap<TerminalId, Arc<TerminalSettings>>,
}

impl Places {
    /// This terminal runs, or is about to, with these settings.
    pub(super) fn put(&self, settings: TerminalSettings) {
        self.write().present.insert(settings.id.clone(), Arc::new(settings));
    }

    /// This terminal will run; what runs under its name now is not changed by it.
    pub(super) fn announce(&self, settings: &TerminalSettings) {
        self.write().present.entry(settings.id.clone()).or_insert_with(|| Arc::new(settings.clone()));
    }

    /// This terminal is gone.
    pub(super) fn remove(&self, terminal: &TerminalId) {
        let mut known = self.write();
        if let Some(settings) = known.present.remove(terminal) {
            known.former.insert(terminal.clone(), settings);
        }
    }

    /// This terminal is not there, but was once.
    pub(super) fn remember(&self, settings: TerminalSettings) {
        self.write().former.insert(settings.id.clone(), Arc::new(settings));
    }

    pub(super) fn has(&self, terminal: &TerminalId) -> bool {
        self.read().present.contains_key(terminal)
    }

    /// The settings of a terminal that is, or was.
    pub(super) fn settings(&self, terminal: &TerminalId) -> Option<Arc<TerminalSettings>> {
        let known = self.read();
        known.present.get(terminal).or_else(|| known.former.get(terminal)).cloned()
    }

    /// All that are there, by name.
    pub(super) fn names(&self) -> Vec<TerminalId> {
        self.read().present.keys().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
