//! Whose an `Idempotency-Key` is. It stands in the journal with the session that it has opened, so that a restart changes nothing; here
//! it is found quickly for as long as a repetition may come: while the session is open, and at least a day after its end.
//!
//! A key of 40 characters takes some 350 bytes, so 5 000 sessions a day take 2 MB.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::Claim;
use crate::id::SessionId;
use crate::session::Session;
use crate::time::Timestamp;

/// So long after its session's end a key is remembered. Counted to the newest end of all, since only then something is forgotten.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// So many keys of ended sessions are remembered at most, in some 70 MB. A terminal has one card flow at a time, so it takes a
/// program that opens and cancels without end to reach this within a day.
const MOST: usize = 200_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Keys {
    taken: DashMap<String, (String, SessionId)>,
    ended: Mutex<BTreeMap<(Timestamp, SessionId), String>>,
    most: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Self::remembering(MOST)
    }
}

impl Keys {
    pub(super) fn remembering(most: usize) -> Self {
        Self { taken: DashMap::new(), ended: Mutex::new(BTreeMap::new()), most }
    }

    /// See [`super::Board::claim`].
    pub(super) fn claim(&self, key: &str, digest: &str, session: SessionId) -> Claim {
        match self.taken.entry(key.to_owned()) {
            Entry::Vacant(place) => {
                place.insert((digest.to_owned(), session));
                Claim::New
            }
            Entry::Occupied(place) if place.get().0 == digest => Claim::Same(place.get().1),
            Entry::Occupied(_) => Claim::Mismatch,
        }
    }

    /// See [`super::Board::release`].
    pub(super) fn release(&self, key: &str, session: SessionId) {
        self.taken.remove_if(key, |_, (_, owner)| *owner == session);
    }

    /// The session has the key that opened it.
    pub(super) fn opened(&self, session: &Session) {
        if let Some(request) = &session.idempotency {
            self.taken.insert(request.key.clone(), (request.digest.clone(), session.id));
        }
    }

    /// The session has ended: from now on its key's time runs, and that of others may be over.
    pub(super) fn ended(&self, session: &Session) {
        let mut over = Vec::new();
        {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(request) = &session.idempotency {
                ended.insert((session.changed_at, session.id), request.key.clone());
            }
            while let Some(oldest) = ended.first_entry() {
                let (at, id) = *oldest.key();
                if session.changed_at.since(at) < KEPT_FOR && ended.len() <= self.most {
                    break;
                }
                let Some((_, key)) = ended.pop_first() else { break };
                over.push((key, id));
            }
        }
        for (key, id) in over {
            self.release(&key, id);
        }
    }
}
