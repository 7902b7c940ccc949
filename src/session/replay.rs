//! Every session as a journal tells it, when the program comes up and when a crashed part of it is built anew. A record that does not
//! follow is left out, or believed all the same (`gap`): what is readable is still disposed of.

use std::collections::BTreeMap;

use tracing::error;

use crate::id::SessionId;
use crate::journal::{Journal, JournalError, Record, Selection};
use crate::money::Currency;
use crate::time::Timestamp;

use super::Session;
use super::ledger::{Ledger, Unsound};

/// How many records are read at once.
const STEP: usize = 1000;

/// Takes in a journal, record by record.
#[derive(Debug)]
pub struct Replay {
    ledger: Ledger,
    site: Currency,
    unsound: Option<String>,
    newest: Timestamp,
    last: u64,
    /// The first record behind the last gap; 0 when there is none.
    behind_gap: u64,
    /// Sessions that may be about to ask the bank, and the last record of each.
    before_hold: BTreeMap<SessionId, u64>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It follows from those before it.
    Follows,
    /// It does not, and is believed all the same.
    AcrossGap(Unsound),
    /// It does not, and says nothing that could be believed alone.
    LeftOut(Unsound),
}

impl Taken {
    /// Whether its session has changed by it.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::LeftOut(_))
    }
}

/// What a journal says.
#[derive(Debug)]
pub struct Replayed {
    /// What it adds up to.
    pub ledger: Ledger,
    /// The first record that does not follow from those before it, and why.
    pub unsound: Option<String>,
    /// The time of its newest record.
    pub newest: Timestamp,
}

impl Replay {
    /// Nothing was read yet. The currency is for sessions that have lost theirs.
    pub fn new(site: Currency) -> Self {
        Self {
            ledger: Ledger::default(),
            site,
            unsound: None,
            newest: Timestamp::from_unix_millis(0),
            last: 0,
            behind_gap: 0,
            before_hold: BTreeMap::new(),
        }
    }

    /// Takes in one more record.
    pub fn take(&mut self, record: &Record) -> Taken {
        if record.seq != self.last.saturating_add(1) {
            self.behind_gap = record.seq;
        }
        (self.last, self.newest) = (record.seq, self.newest.max(record.entry.at));
        let taken = match self.ledger.take(record) {
            Ok(()) => Taken::Follows,
            Err(why) => {
                self.unsound.get_or_insert_with(|| why.to_string());
                if self.ledger.take_across_gap(record, self.site) { Taken::AcrossGap(why) } else { Taken::LeftOut(why) }
            }
        };
        if let Some(id) = record.entry.session {
            match self.ledger.session_of(id) {
                Some(session) if session.before_hold() => drop(self.before_hold.insert(id, record.seq)),
                Some(_) | None => drop(self.before_hold.remove(&id)),
            }
        }
        taken
    }

    /// A session as far as it was read.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.ledger.session_of(id)
    }

    /// Everything was read. `end_lost`: records behind the last one were there and are not any more. A record that is not there any more
    /// may have said that Auth is about to be sent: nobody may say that no hold was placed.
    pub fn end(mut self, end_lost: bool) -> Replayed {
        for (id, last) in &self.before_hold {
            if end_lost || *last < self.behind_gap {
                self.ledger.doubt(*id);
            }
        }
        Replayed { ledger: self.ledger, unsound: self.unsound, newest: self.newest }
    }
}

/// What the whole journal says. What does not follow is told in the log. `end_lost`: see [`Replay::end`].
pub async fn whole(journal: &dyn Journal, site: Currency, end_lost: bool) -> Result<Replayed, JournalError> {
    let mut replay = Replay::new(site);
    each(journal, u64::MAX, |record| match replay.take(record) {
        Taken::Follows => {}
        Taken::AcrossGap(error) => {
            error!(%error, "a record does not follow from the ones before it; it is believed all the same, and no cards are taken");
        }
        Taken::LeftOut(error) => {
            error!(%error, "a record does not follow from the ones before it; it is left out, and no cards are taken");
        }
    })
    .await?;
    let all_read = replay.last >= *journal.newest().borrow();
    Ok(replay.end(end_lost || !all_read))
}

/// Hands out the records up to this one, oldest first. Reads them in steps, so that others on this thread have their turns.
pub async fn each(journal: &dyn Journal, until: u64, mut take: impl FnMut(&Record)) -> Result<(), JournalError> {
    let mut after = 0;
    loop {
        let records = journal.select(Selection::default(), after, until, STEP).await?;
        let Some(last) = records.last().map(|record| record.seq) else { return Ok(()) };
        records.iter().for_each(&mut take);
        after = last;
    }
}
