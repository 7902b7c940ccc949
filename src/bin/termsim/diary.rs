//! What has happened in the demo, in words.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quittance::time::{Clock, Timestamp};

/// The table shows fewer.
const KEPT: usize = 32;

/// What has happened, newest last. Copies are the same diary.
#[derive(Clone, Debug)]
pub(crate) struct Diary {
    lines: Arc<Mutex<VecDeque<String>>>,
    clock: Clock,
    started: Timestamp,
    /// With no table to show it, what is important becomes a line of its own.
    plain: bool,
}

impl Diary {
    /// An empty one that begins now.
    pub(crate) fn new(clock: Clock, plain: bool) -> Self {
        Self { lines: Arc::default(), clock, started: clock.now(), plain }
    }

    /// Something to see in passing.
    pub(crate) fn note(&self, text: &str) {
        let line = format!("{} {text}", minutes(self.running()));
        let mut lines = self.lines();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Something that nobody should miss.
    pub(crate) fn announce(&self, text: &str) {
        self.note(text);
        if self.plain {
            // Whoever has closed our output does not want to know.
            let _ = writeln!(io::stdout(), "{} {text}", minutes(self.running()));
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines();
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }

    /// How long it has been kept.
    pub(crate) fn running(&self) -> Duration {
        self.clock.now().since(self.started)
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Minutes and seconds.
pub(crate) fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// An amount of the demo's currency, which has cents.
pub(crate) fn euros(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}
