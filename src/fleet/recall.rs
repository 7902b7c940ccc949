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
    let newest = if inner.past_unsure() { None } else { newest(&inner, &of).await };
    let recalled = match newest {
        Some(recalled) => recalled,
        None => all(&inner, &of, until).await?,
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

/// What the board knows as open, and the newest; none when the journal does not give all of it.
async fn newest(inner: &Inner, of: &TerminalId) -> Option<Vec<Recalled>> {
    let unreadable = |error: JournalError| warn!(terminal = %of, %error, "all of the journal is read instead");
    let mut names: Vec<_> = inner.board.open(of).iter().map(|session| session.id).collect();
    names.extend(inner.journal.sessions(Some(of.clone()), None, NEWEST).await.map_err(unreadable).ok()?);
    names.sort_unstable();
    names.dedup();
    let mut recalled = Vec::new();
    for name in names {
        let records = inner.journal.session(name).await.map_err(unreadable).ok()?;
        let unsound = |error| error!(session = %name, %error, "a session's records do not follow from each other");
        let session = Ledger::session(&records).map_err(unsound).ok()??;
        recalled.push(Recalled { session, records });
    }
    Some(recalled)
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
