//! One list out of several answers to List Sessions (PSP, List Sessions). The terminal gives no snapshot: a session may come or
//! go between two pages. So a page that does not fit the ones before makes the whole list start again.
//!
//! ```text
//!  ask from next_offset() ─► add(page) ─► More ──► ask again
//!                                     ├─► Changed ► ask again, from 0 (three times at most)
//!                                     ├─► Done(ids)
//!                                     └─► Failed: the reconciliation has failed
//! ```

#[cfg(test)]
mod tests;

use crate::id::TerminalSessionId;
use crate::protocol::quirks::OffsetUnit;
use crate::protocol::response::SessionList;

/// How often a list is started again. A terminal's sessions change every few minutes and a list takes less than a second, so
/// a list that changes four times in a row is a terminal that counts wrongly.
pub const RESTARTS_MAX: u8 = 3;

/// How many bytes a session has in the list (PSP, List Sessions).
const SESSION_BYTES: usize = 4;

/// The pages of one list so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    unit: OffsetUnit,
    total: Option<u8>,
    sessions: Vec<TerminalSessionId>,
    restarts: u8,
}

/// How far the list has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Ask for the next page.
    More,
    /// This is all of it, in the terminal's order.
    Done(Vec<TerminalSessionId>),
    /// The list changed while it was read: ask again, from the start.
    Changed,
    /// It has changed too often.
    Failed,
}

impl Pages {
    /// Before the first page, for a terminal whose offsets count this.
    pub const fn new(unit: OffsetUnit) -> Self {
        Self { unit, total: None, sessions: Vec::new(), restarts: 0 }
    }

    /// From where to ask on.
    pub fn next_offset(&self) -> u8 {
        let offset = match self.unit {
            OffsetUnit::Sessions => self.sessions.len(),
            OffsetUnit::Bytes => self.sessions.len() * SESSION_BYTES,
        };
        // A list in progress is shorter than its total, which is a u8. Should its bytes be too many for an offset, the answer does
        // not fit, and the list fails.
        u8::try_from(offset).unwrap_or(u8::MAX)
    }

    /// Takes the page that starts at [`Self::next_offset`].
    pub fn add(&mut self, page: SessionList) -> Progress {
        if !self.fits(&page) {
            return self.start_again();
        }
        self.total = Some(page.total);
        self.sessions.extend(page.sessions);
        if self.sessions.len() < usize::from(page.total) {
            return Progress::More;
        }
        self.total = None;
        Progress::Done(std::mem::take(&mut self.sessions))
    }

    fn fits(&self, page: &SessionList) -> bool {
        let total = usize::from(page.total);
        let together = self.sessions.len() + page.sessions.len();
        let same_total = self.total.is_none_or(|total| total == page.total);
        let ends_early = page.sessions.is_empty() && together < total;
        let repeats =
            page.sessions.iter().enumerate().any(|(at, id)| self.sessions.contains(id) || page.sessions[..at].contains(id));
        same_total && !ends_early && together <= total && !repeats
    }

    fn start_again(&mut self) -> Progress {
        self.total = None;
        self.sessions.clear();
        if self.restarts >= RESTARTS_MAX {
            return Progress::Failed;
        }
        self.restarts += 1;
        Progress::Changed
    }
}
