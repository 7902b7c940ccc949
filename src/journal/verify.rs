//! Is the journal what was written? Every record must follow from the one before it: numbers without gaps, hashes that fit,
//! and columns that can be understood. Whether what the records say is legal is for others to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::JournalError;
use super::record::Record;
use super::row::{Head, Row};
use super::sqlite::access;
use crate::id::SessionId;

/// What a sound journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many records.
    pub records: u64,
    /// The hash of the first one, in hex.
    pub first: String,
    /// The hash of the last one, in hex: write it down somewhere else, and nobody can shorten the journal unseen.
    pub hash: String,
}

/// Reads the whole journal at one moment and lets `check` judge what the records say; it gets them until the first damaged
/// one. Works with and without a running orchestrator, and never changes or makes a file.
pub fn verify<T>(
    path: &Path,
    check: impl FnOnce(&mut dyn Iterator<Item = Record>) -> Result<T, (u64, String)>,
) -> Result<(Summary, T), JournalError> {
    let damaged = |(seq, why): (u64, String)| JournalError::Damaged { seq, why };
    let integrity = || access::integrity_of(path);
    access::with_rows(path, |rows| {
        let mut chain = Chain::default();
        let mut first = None;
        let mut failed = None;
        let mut sound = rows.map_while(|row| {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    chain.unreadable(&error.to_string());
                    return None;
                }
            };
            first.get_or_insert_with(|| row.hash.clone());
            match chain.follow(&row) {
                Ok(record) => Some(record),
                Err(why) => {
                    failed = Some((row.seq, why));
                    None
                }
            }
        });
        let judged = check(&mut sound);
        // Whoever judges may stop early; the chain is followed to its end.
        let read_on = sound.by_ref().count();
        drop(sound);
        tracing::debug!(read_on, "records that were not asked for");
        // The missing record comes before the one that shows it.
        if let Some(damage) = chain.first_damage().or(failed) {
            return Err(damaged(damage));
        }
        let told = judged.map_err(damaged)?;
        // Indices are not in the chain, but what is looked up by them must be found.
        if let Some(why) = integrity() {
            return Err(JournalError::Unreadable(format!("SQLite finds the file damaged: {why}")));
        }
        let first = first.unwrap_or_else(|| chain.head.hash.clone());
        Ok((Summary { records: chain.head.seq, first, hash: chain.head.hash }, told))
    })
}

/// Hands every record, or those of one session, to `show`, and the damaged ones as what is wrong with them. Stops when `show`
/// fails.
pub fn each<E>(
    path: &Path,
    session: Option<SessionId>,
    mut show: impl FnMut(Result<Record, (u64, String)>) -> Result<(), E>,
) -> Result<Result<(), E>, JournalError> {
    let mut chain = Chain::default();
    access::with_rows(path, |rows| {
        for row in rows {
            let row = row.map_err(|error| JournalError::Unreadable(error.to_string()))?;
            let name = row.columns.session.clone();
            let read = chain.follow(&row).map_err(|why| (row.seq, why));
            let wanted = session.is_none_or(|session| name.is_some_and(|name| name == session.to_string()));
            if wanted && let Err(error) = show(read) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    })
}

/// What stands at one place of a journal, for readers who go on where something is wrong and say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A record that is what was appended.
    Record(Record),
    /// A record that is not.
    Damaged {
        /// Which.
        seq: u64,
        /// The session that it names, if that can be read.
        session: Option<String>,
        /// What is wrong with it.
        why: String,
    },
    /// Records that are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Somewhere something is damaged.
    Somewhere {
        /// What and where, in words.
        why: String,
    },
    /// Nothing behind this record could be read.
    Unreadable {
        /// The last record that could be read.
        after: u64,
        /// Why not.
        why: String,
    },
}

/// Hands out everything that a journal holds, as it is at one moment, and what is wrong where. Works with and without a running
/// orchestrator, and never changes or makes a file.
pub fn places(path: &Path, mut take: impl FnMut(Place)) -> Result<Summary, JournalError> {
    let mut chain = Chain::default();
    let mut first = None;
    access::with_rows(path, |rows| {
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    take(Place::Unreadable { after: chain.head.seq, why: error.to_string() });
                    break;
                }
            };
            let expected = chain.head.seq.saturating_add(1);
            if row.seq > expected {
                take(Place::Missing { from: expected, to: row.seq - 1 });
            }
            first.get_or_insert_with(|| row.hash.clone());
            let session = row.columns.session.clone();
            take(match chain.follow(&row) {
                Ok(record) => Place::Record(record),
                Err(why) => Place::Damaged { seq: row.seq, session, why },
            });
        }
        Ok(())
    })?;
    let first = first.unwrap_or_else(|| chain.head.hash.clone());
    Ok(Summary { records: chain.head.seq, first, hash: chain.head.hash })
}

/// The hash of a record, in hex; none when there is no such record. Says nothing of whether it fits.
pub fn hash_of(path: &Path, seq: u64) -> Result<Option<String>, JournalError> {
    access::with_rows(path, |rows| {
        let found = rows.map_while(Result::ok).find(|row| row.seq == seq);
        Ok(found.map(|row| row.hash))
    })
}

/// So many records at the end may have been torn; more are damage, and a person must look at it.
const TORN_MAX: usize = 16;

/// So many gaps are remembered; a journal with more of them is beyond such care.
const GAPS_MAX: usize = 64;

/// Follows records one after the other.
#[derive(Debug)]
pub(super) struct Chain {
    head: Head,
    /// What the hash of the last record ought to be, when it is another: then the hash is what was changed.
    computed: Option<String>,
    damage: BTreeMap<u64, Damage>,
    /// Behind which records others are missing: what turns up later under another number may be one of them.
    gaps: Vec<Head>,
    /// Reading stopped before the end, so the end is not known.
    incomplete: bool,
}

#[derive(Debug)]
struct Damage {
    why: String,
    /// The record is not what was appended, so it may have been torn.
    hash_broken: bool,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: Head::genesis(), computed: None, damage: BTreeMap::new(), gaps: Vec::new(), incomplete: false }
    }
}

impl Chain {
    /// The next record, or what is wrong with it. Goes on behind a damaged record.
    pub(super) fn follow(&mut self, row: &Row) -> Result<Record, String> {
        let expected = self.head.seq.saturating_add(1);
        // A number that was changed makes a row another record, of which the hash knows nothing: it must not be taken for that one.
        if row.seq < expected {
            let why = format!("another one has its number, behind record {}", self.head.seq);
            self.note(row.seq, &why, false);
            return Err(why);
        }
        if row.seq > expected && row.hash == row.columns.hash(expected, &self.head.hash) {
            let why = format!("it is record {expected} under another number");
            self.note(expected, &format!("its number was changed to {}", row.seq), false);
            self.note(row.seq, &why, false);
            self.head = Head { seq: expected, hash: row.hash.clone() };
            self.computed = None;
            return Err(why);
        }
        if row.seq != expected {
            let missing = |gap: &&Head| row.hash == row.columns.hash(gap.seq.saturating_add(1), &gap.hash);
            if let Some(gap) = self.gaps.iter().find(missing) {
                let why = format!("it is record {} under another number", gap.seq.saturating_add(1));
                self.note(row.seq, &why, false);
                return Err(why);
            }
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push(self.head.clone());
            }
            self.note(expected, &format!("it is missing: record {} follows on record {}", row.seq, self.head.seq), false);
        }
        let hash = row.columns.hash(row.seq, &self.head.hash);
        let fits =
            row.hash == hash || self.computed.as_deref().is_some_and(|before| row.columns.hash(row.seq, before) == row.hash);
        // A gap is the missing record's damage; what stands behind it can only be believed.
        let fits = fits || row.seq != expected;
        let decoded = row.columns.decode(row.seq);
        self.head = row.head();
        self.computed = (!fits).then_some(hash);
        let outcome = match decoded {
            Ok(record) if fits => return Ok(record),
            Ok(_) => "its hash does not fit what it says or the record before it".to_owned(),
            Err(why) => why,
        };
        self.note(row.seq, &outcome, !fits);
        Err(outcome)
    }

    /// Reading stopped behind the last record.
    pub(super) fn unreadable(&mut self, why: &str) {
        self.incomplete = true;
        self.note(self.head.seq.saturating_add(1), why, false);
    }

    fn note(&mut self, seq: u64, why: &str, hash_broken: bool) {
        self.damage.entry(seq).or_insert_with(|| Damage { why: why.to_owned(), hash_broken });
    }

    /// The first damaged record and why.
    pub(super) fn first_damage(&self) -> Option<(u64, String)> {
        self.damage.first_key_value().map(|(seq, damage)| (*seq, damage.why.clone()))
    }

    /// All damaged records.
    pub(super) fn damaged(&self) -> BTreeSet<u64> {
        self.damage.keys().copied().collect()
    }

    /// The last records, newest first, as far as none of them is what was appended.
    pub(super) fn torn_end(&self) -> Vec<(u64, String)> {
        let mut torn = Vec::new();
        let mut seq = self.head.seq;
        while let Some(damage) = self.damage.get(&seq).filter(|damage| damage.hash_broken) {
            torn.push((seq, damage.why.clone()));
            seq = seq.saturating_sub(1);
        }
        if self.incomplete || torn.len() > TORN_MAX { Vec::new() } else { torn }
    }

    /// They have been cut off.
    pub(super) fn forget_torn_end(&mut self) {
        for (seq, _) in self.torn_end() {
            self.damage.remove(&seq);
        }
    }
}
