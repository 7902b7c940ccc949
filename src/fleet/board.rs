//! The live view for readers. Whoever changes something publishes it here after the journal has it; whoever asks reads here
//! and disturbs nobody. No guard of a map crosses an `await`.
//!
//! It remembers every session that has not ended and the last 10 000 that have; older ones are in the journal only. Keys of requests
//! are remembered for longer, see [`keys`].

mod keys;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;

use crate::fleet::Filter;
use crate::id::{SessionId, TerminalId};
use crate::session::Session;
use crate::terminal::View;

use keys::Keys;

/// How many ended sessions are remembered: some days of a large depot, in a few tens of megabytes.
pub const ENDED_MAX: usize = 10_000;

/// What everybody may look at.
#[derive(Debug)]
pub struct Board {
    terminals: DashMap<TerminalId, View>,
    sessions: DashMap<SessionId, watch::Sender<Session>>,
    keys: Keys,
    ended: Mutex<VecDeque<SessionId>>,
    ended_max: usize,
}

/// What is known of an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has used it: it is now the session's that claimed it.
    New,
    /// The same request has opened this session, or is about to.
    Same(SessionId),
    /// Another request has used it.
    Mismatch,
}

impl Default for Board {
    fn default() -> Self {
        Self::remembering(ENDED_MAX)
    }
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    fn remembering(ended_max: usize) -> Self {
        Self {
            terminals: DashMap::new(),
            sessions: DashMap::new(),
            keys: Keys::default(),
            ended: Mutex::new(VecDeque::new()),
            ended_max,
        }
    }

    /// Shows a terminal.
    pub fn publish_terminal(&self, view: View) {
        self.terminals.insert(view.id.clone(), view);
    }

    /// Shows a terminal no more.
    pub fn forget_terminal(&self, terminal: &TerminalId) {
        self.terminals.remove(terminal);
    }

    /// A terminal.
    pub fn terminal(&self, terminal: &TerminalId) -> Option<View> {
        self.terminals.get(terminal).map(|view| view.clone())
    }

    /// All terminals, by name.
    pub fn terminals(&self) -> Vec<View> {
        let mut views: Vec<_> = self.terminals.iter().map(|view| view.clone()).collect();
        views.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        views
    }

    /// Shows a session and wakes whoever waits for it. An older version than the one on the board changes nothing.
    pub fn publish_session(&self, session: &Session) {
        let (known, had_ended) = match self.sessions.entry(session.id) {
            Entry::Vacant(place) => {
                place.insert(watch::Sender::new(session.clone()));
                (false, false)
            }
            Entry::Occupied(place) => {
                let mut had_ended = false;
                let changed = place.get().send_if_modified(|shown| {
                    had_ended = shown.ended();
                    let newer = session.version > shown.version;
                    if newer {
                        *shown = session.clone();
                    }
                    newer
                });
                if !changed {
                    return;
                }
                (true, had_ended)
            }
        };
        if !known {
            self.keys.opened(session);
        }
        if session.ended() && !had_ended {
            self.keys.ended(session);
            self.forget_oldest_after(session.id);
        }
    }

    /// A session as it is now.
    pub fn session(&self, session: SessionId) -> Option<Session> {
        self.sessions.get(&session).map(|shown| shown.borrow().clone())
    }

    /// What has not ended on a terminal, oldest first.
    pub fn open(&self, terminal: &TerminalId) -> Vec<Session> {
        let of = |session: &Session| session.terminal == *terminal && !session.ended();
        let open = self.sessions.iter().filter(|shown| of(&shown.borrow()));
        let mut open: Vec<Session> = open.map(|shown| shown.borrow().clone()).collect();
        open.sort_unstable_by_key(|session| session.id);
        open
    }

    /// A session as soon as `enough` says so, or as it is when `limit` is over; none when the board does not know it.
    pub async fn wait(&self, session: SessionId, enough: impl Fn(&Session) -> bool, limit: Duration) -> Option<Session> {
        let mut shown = self.sessions.get(&session).map(|shown| shown.subscribe())?;
        // Both a limit that is over and a session that was dropped from the board leave the last version to be read.
        let _ = tokio::time::timeout(limit, async { shown.wait_for(|session| enough(session)).await.is_ok() }).await;
        let last = shown.borrow().clone();
        Some(last)
    }

    /// Sessions on the board, newest first, and where to go on when there are more.
    pub fn sessions(&self, filter: &Filter) -> (Vec<Session>, Option<SessionId>) {
        let mut ids: Vec<_> =
            self.sessions.iter().filter(|shown| filter.takes(&shown.borrow())).map(|shown| *shown.key()).collect();
        // Our names sort by age.
        ids.sort_unstable_by(|one, other| other.cmp(one));
        let more = ids.len() > filter.limit;
        ids.truncate(filter.limit);
        let next = ids.last().copied().filter(|_| more);
        // One of them may have changed since.
        let sessions = ids.into_iter().filter_map(|id| self.session(id)).filter(|session| filter.takes(session));
        (sessions.collect(), next)
    }

    /// Takes an `Idempotency-Key` for a session that is about to be opened, or says whose it is; atomic, so that of two equal
    /// requests at once only one opens a session.
    pub fn claim(&self, key: &str, digest: &str, session: SessionId) -> Claim {
        self.keys.claim(key, digest, session)
    }

    /// Gives a key back: the session that claimed it was not opened after all.
    pub fn release(&self, key: &str, session: SessionId) {
        self.keys.release(key, session);
    }

    fn forget_oldest_after(&self, ended: SessionId) {
        let oldest = {
            let mut queue = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push_back(ended);
            if queue.len() > self.ended_max { queue.pop_front() } else { None }
        };
        if let Some(id) = oldest {
            self.sessions.remove(&id);
        }
    }
}
