//! What is open on a terminal, read again from the journal, when its actor has crashed or before it is forgotten. Of a journal that is
//! whole its newest sessions are enough. Where it is damaged all of it is read, as at the start: what is looked up in it by name may
//! not be found, and what is found may not follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{error, warn};

use crate::id::{SessionId, TerminalId};
use crate::journal::{Entry, JournalError, Record};
use crate::session::Session;
use crate::session::actor::Observer as _;
use crate::session::ledger::Ledger;
use crate::session::replay::{Replay, each};

use super::Inner;

/// How many of a crashed terminal's newest sessions are read again, beside those that the board knows as open.
const NEWEST: usize = 64;

/// A session, and those of its records that count.
struct Recalled {
    session: Session,
    records: Vec<Record>,
}

/// Appends, and then reads what is open on a terminal.
pub(super) async fn open_sessions(inner: Arc<Inner>, of: TerminalId, entry: Entry) -> Result<Vec<Session>, JournalError> {
    let appended = inner.journal.append(vec![entry]).await?;
    let until = appended.last().map_or(u64::MAX, |record| record.seq);
    let recalled = match newest(&inner, &of).await? {
        Some(recalled) if !inner.past_unsure() => recalled,
        _ => match all(&inner, &of, until).await {
            Ok(recalled) => recalled,
            Err(JournalError::Busy) => return Err(JournalError::Busy),
            // Damage that was found while the program runs: the journal is read past it only from the next start on.
            Err(error) => {
                warn!(terminal = %of, %error, "not all of the journal can be read; what is known of it goes on");
                one_by_one(&inner, &of).await?
            }
        },
    };
    let mut sessions = Vec::new();
    for Recalled { session, records } in recalled {
        // What was durable when the actor crashed may not have been told yet, even that it is over. The board has forgotten only what
        // ended long ago.
        if !session.ended() || inner.board.session(session.id).is_some() {
            inner.watch.session_changed(None, &session, &records);
        }
        sessions.extend(Some(session).filter(|session| !session.ended()));
    }
    Ok(sessions)
}

/// What the board knows as open, and the newest; none when the journal is damaged there.
async fn newest(inner: &Inner, of: &TerminalId) -> Result<Option<Vec<Recalled>>, JournalError> {
    let names = match names(inner, of).await {
        Err(JournalError::Busy) => return Err(JournalError::Busy),
        Err(error) => {
            warn!(terminal = %of, %error, "all of the journal is read instead");
            return Ok(None);
        }
        Ok(names) => names,
    };
    let mut recalled = Vec::new();
    for name in names {
        match one(inner, name).await {
            Err(JournalError::Busy) => return Err(JournalError::Busy),
            Err(error) => {
                warn!(session = %name, %error, "all of the journal is read instead");
                return Ok(None);
            }
            Ok(None) => return Ok(None),
            Ok(Some(session)) => recalled.push(session),
        }
    }
    Ok(Some(recalled))
}

/// The sessions that the board knows as open, and the newest.
async fn names(inner: &Inner, of: &TerminalId) -> Result<Vec<SessionId>, JournalError> {
    let mut names = inner.journal.sessions(Some(of.clone()), None, NEWEST).await?;
    names.extend(inner.board.open(of).iter().map(|session| session.id));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// A session by its name; none when its records do not follow from each other.
async fn one(inner: &Inner, name: SessionId) -> Result<Option<Recalled>, JournalError> {
    let records = inner.journal.session(name).await?;
    match Ledger::session(&records) {
        Ok(session) => Ok(session.map(|session| Recalled { session, records })),
        Err(error) => {
            error!(session = %name, %error, "a session's records do not follow from each other");
            Ok(None)
        }
    }
}

/// What can be found by name; what is shown as open and cannot be found stays as it is shown.
async fn one_by_one(inner: &Inner, of: &TerminalId) -> Result<Vec<Recalled>, JournalError> {
    let shown = inner.board.open(of);
    let names = match names(inner, of).await {
        Err(JournalError::Busy) => return Err(JournalError::Busy),
        names => names.unwrap_or_else(|_| shown.iter().map(|session| session.id).collect()),
    };
    let mut recalled = Vec::new();
    for name in names {
        match one(inner, name).await {
            Err(JournalError::Busy) => return Err(JournalError::Busy),
            Ok(Some(session)) => recalled.push(session),
            Ok(None) | Err(_) => {
                let shown = shown.iter().find(|session| session.id == name);
                recalled.extend(shown.map(|session| Recalled { session: session.clone(), records: Vec::new() }));
            }
        }
    }
    Ok(recalled)
}

/// The same from every record that can be read.
async fn all(inner: &Inner, of: &TerminalId, until: u64) -> Result<Vec<Recalled>, JournalError> {
    let mut replay = Replay::new(inner.currency);
    let mut lives: BTreeMap<SessionId, Vec<Record>> = BTreeMap::new();
    each(inner.journal.as_ref(), until, |record| {
        let counts = replay.take(record).counts();
        let (true, Some(id)) = (counts && record.entry.terminal.as_ref() == Some(of), record.entry.session) else { return };
        lives.entry(id).or_default().push(record.clone());
        // Most have ended long ago.
        if replay.session(id).is_some_and(Session::ended) && inner.board.session(id).is_none_or(|shown| shown.ended()) {
            lives.remove(&id);
        }
    })
    .await?;
    // What was lost at the end was lost before this run, and was met when it began.
    let sessions = replay.end(false).ledger.into_sessions();
    let recalled = sessions.filter_map(|session| Some(Recalled { records: lives.remove(&session.id)?, session }));
    let mut recalled: Vec<Recalled> = recalled.collect();
    // What was whole when it was shown, and is damaged since, is not shown as it was before, and not forgotten.
    for shown in inner.board.open(of) {
        match recalled.iter_mut().find(|recalled| recalled.session.id == shown.id) {
            Some(recalled) => recalled.session.version = recalled.session.version.max(shown.version),
            None => recalled.push(Recalled { session: shown, records: Vec::new() }),
        }
    }
    Ok(recalled)
}
