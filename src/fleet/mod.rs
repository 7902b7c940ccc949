//! All terminals.

pub mod board;
pub mod restart;
pub mod supervision;

use std::time::Duration;

use crate::id::{Connector, SessionId, TerminalId};
use crate::journal::Record;
use crate::journal::record::Idempotency;
use crate::money::Amount;
use crate::session::{Command, Refusal, Session};
use crate::terminal::View;

/// The way into the fleet for whoever wants something of it; copies are the same fleet.
#[derive(Clone)]
pub struct Fleet {}

/// A wish for a card flow.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where.
    pub terminal: TerminalId,
    /// How much to hold.
    pub amount: Amount,
    /// Which plug; the first free one if not said.
    pub connector: Option<Connector>,
    /// The caller's own text.
    pub caller_reference: Option<String>,
    /// How to know a repetition.
    pub idempotency: Option<Idempotency>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that are undisposed.
    pub undisposed: bool,
    /// Only those of this terminal.
    pub terminal: Option<TerminalId>,
    /// Only those in this state, by its name.
    pub state: Option<String>,
    /// Only those opened before this one.
    pub before: Option<SessionId>,
    /// At most so many.
    pub limit: usize,
}

impl Fleet {
    /// Opens a card flow; answers when the session is durable. The flag says whether it is new (`false`: repeated request).
    pub async fn open(&self, wanted: Wanted) -> Result<(Session, bool), Refusal> {
        Err(Refusal::TerminalUnknown(wanted.terminal.to_string()))
    }

    /// Does something to a session; answers when that is durable.
    pub async fn command(&self, session: SessionId, _command: Command) -> Result<Session, Refusal> {
        Err(Refusal::SessionUnknown(session.to_string()))
    }

    /// The session as it is now.
    pub async fn session(&self, session: SessionId) -> Result<Session, Refusal> {
        Err(Refusal::SessionUnknown(session.to_string()))
    }

    /// The session as soon as `enough` says so, or as it is when `limit` is over.
    pub async fn wait(
        &self,
        session: SessionId,
        _limit: Duration,
        _enough: impl Fn(&Session) -> bool + Send,
    ) -> Result<Session, Refusal> {
        Err(Refusal::SessionUnknown(session.to_string()))
    }

    /// Sessions, newest first, and where to go on.
    pub async fn sessions(&self, _filter: Filter) -> Result<(Vec<Session>, Option<SessionId>), Refusal> {
        Ok((Vec::new(), None))
    }

    /// All terminals, by name.
    pub fn terminals(&self) -> Vec<View> {
        Vec::new()
    }

    /// One terminal.
    pub fn terminal(&self, terminal: &str) -> Result<View, Refusal> {
        Err(Refusal::TerminalUnknown(terminal.to_owned()))
    }

    /// Takes no new card flows on a terminal; disposals go on. Answers when that is durable.
    pub async fn drain(&self, terminal: &str, _by: String) -> Result<View, Refusal> {
        Err(Refusal::TerminalUnknown(terminal.to_owned()))
    }

    /// Takes card flows again.
    pub async fn resume(&self, terminal: &str, _by: String) -> Result<View, Refusal> {
        Err(Refusal::TerminalUnknown(terminal.to_owned()))
    }

    /// Compares our holds with the terminal's now; answers with the journal's record of it.
    pub async fn reconcile(&self, terminal: &str) -> Result<Record, Refusal> {
        Err(Refusal::TerminalUnknown(terminal.to_owned()))
    }

    /// Past reports, newest first.
    pub async fn reconciliations(&self, _terminal: Option<TerminalId>, _limit: usize) -> Result<Vec<Record>, Refusal> {
        Ok(Vec::new())
    }

    /// Why the fleet is not ready; empty when the journal is writable and every terminal is reconciled or known to be down.
    pub fn unready(&self) -> Vec<String> {
        Vec::new()
    }

    /// When a session must be disposed of, or settled by the terminal's own timer; for `deadline_at`.
    pub fn deadline(&self, session: &Session) -> Option<crate::time::Timestamp> {
        session.hold.as_ref().map(|hold| hold.end_by)
    }
}
