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
    let (by_name, whole) = by_name(&inner, &of).await?;
    let recalled = if whole && !inner.past_unsure() {
        by_name
    } else {
        // Damage that was found while the program runs: the journal is read past it only from the next start on.
        readable(all(&inner, &of, until).await)?.unwrap_or(by_name)
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

/// What damage hides is none; a journal that is only busy is asked again later.
fn readable<T>(answer: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(JournalError::Busy) => Err(JournalError::Busy),
        Err(error) => {
            warn!(%error, "not all that is wanted of the journal can be read");
            Ok(None)
        }
    }
}

/// What the board knows as open, and the newest, and whether all of that was found. What was not stays as it is shown.
async fn by_name(inner: &Inner, of: &TerminalId) -> Result<(Vec<Recalled>, bool), JournalError> {
    let shown = inner.board.open(of);
    let newest = readable(inner.journal.sessions(Some(of.clone()), None, NEWEST).await)?;
    let mut whole = newest.is_some();
    let mut names: Vec<_> = shown.iter().map(|session| session.id).chain(newest.into_iter().flatten()).collect();
    names.sort_unstable();
    names.dedup();
    let mut recalled = Vec::new();
    for name in names {
        let records = readable(inner.journal.session(name).await)?.unwrap_or_default();
        let session = Ledger::session(&records).unwrap_or_else(|error| {
            error!(session = %name, %error, "a session's records do not follow from each other");
            None
        });
        whole &= session.is_some();
        match session {
            Some(session) => recalled.push(Recalled { session, records }),
            None => {
                let shown = shown.iter().find(|session| session.id == name).cloned();
                recalled.extend(shown.map(|session| Recalled { session, records: Vec::new() }));
            }
        }
    }
    Ok((recalled, whole))
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
