//! All terminals: the way in for whoever wants something of them, and the supervisor that keeps them running.
//!
//! * [`Fleet`]: what the API calls. Reads come from the [`board`], wishes go to the terminals' actors.
//! * [`restart`]: after how long a lost link is opened again, and when a terminal is quarantined. Pure.
//! * [`difference`]: what another configuration changes. Pure.
//! * `actor`: the supervisor; in `reconfigure` it follows another configuration, and `recall` reads again what is open on a terminal.
//!   `watch`: reads along, and keeps board and metrics.

mod actor;
pub mod board;
pub mod difference;
mod places;
mod recall;
mod reconfigure;
pub mod restart;
mod settling;
pub mod supervision;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dashmap::DashMap;
use tokio::sync::{Mutex, oneshot};
use tracing::{error, warn};

use crate::id::{Connector, SessionId, TerminalId};
use crate::journal::record::Idempotency;
use crate::journal::verify::Place;
use crate::journal::{Health, Journal, JournalError, Record};
use crate::metrics::Metrics;
use crate::money::{Amount, Currency};
use crate::protocol::{Request, Response};
use crate::random::Randomness;
use crate::recorder::Recorders;
use crate::session::ledger::Ledger;
use crate::session::machine::{Input, Machine};
use crate::session::story::Story;
use crate::session::{Refusal, Session, Wish, disposal};
use crate::terminal::asking::Ask;
use crate::terminal::requests::{Drain, Instruct, Open, Reconcile, Reconnect};
use crate::terminal::view::{LinkState, View};
use crate::terminal::world::Observer;
use crate::terminal::{Reason, TerminalActor, TerminalSettings};
use crate::time::{Clock, Timestamp};

pub use reconfigure::Applied;

use actor::{FleetActor, GoDownAll};
use board::{Board, Claim};
use difference::exclude_each_other;
use places::Places;
use reconfigure::Reconfigure;
use supervision::Supervision;
use watch::Watch;

/// What a fleet is made of.
pub struct Settings {
    /// Its terminals.
    pub terminals: Vec<TerminalSettings>,
    /// What the journal remembers of terminals that are not among them, or may be other devices there.
    pub remembered: Vec<TerminalSettings>,
    /// How failures are met.
    pub supervision: Supervision,
    /// The site's currency.
    pub currency: Currency,
    /// Where the terminals' actors run; they are dealt out in turn.
    pub arbiters: Vec<ArbiterHandle>,
    /// Where names and jitter come from.
    pub random: Randomness,
    /// What in the journal cannot follow from what stands before it, if anything: then no cards are taken.
    pub unsound: Option<String>,
}

/// The way into the fleet; copies are the same fleet.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
    supervisor: Addr<FleetActor>,
}

/// What all copies of a fleet share.
struct Inner {
    journal: Arc<dyn Journal>,
    clock: Clock,
    random: Randomness,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    watch: Arc<Watch>,
    recorders: Arc<Recorders>,
    currency: Currency,
    unsound: Option<String>,
    /// A part of the journal was lost or could not be believed when the program came up.
    past_unsure: bool,
    roster: DashMap<TerminalId, Addr<TerminalActor>>,
    places: Places,
    /// Requests with the same `Idempotency-Key` go one after the other; requests with different keys rarely do.
    keys: Vec<Mutex<()>>,
}

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

impl Filter {
    fn takes(&self, session: &Session) -> bool {
        (!self.undisposed || session.undisposed())
            && self.terminal.as_ref().is_none_or(|terminal| *terminal == session.terminal)
            && self.state.as_ref().is_none_or(|state| state == session.state_name())
            && self.before.is_none_or(|before| session.id < before)
    }
}

/// How many locks the keys share: more than the API has workers and waiting requests.
const KEY_LOCKS: usize = 64;

/// So many sessions are looked at for one page at most; the cursor goes on from there.
const SCAN_LIMIT: usize = 10_000;

/// How many names are asked of the journal at once.
const SCAN_STEP: usize = 500;

impl Inner {
    fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.watch) as Arc<dyn Observer>
    }

    /// A part of the journal is lost or cannot be believed; it may have been found damaged only since.
    fn past_unsure(&self) -> bool {
        self.past_unsure || matches!(self.journal.health(), Health::Damaged(_))
    }
}

fn unreadable(error: JournalError) -> Refusal {
    Refusal::JournalUnavailable(error.to_string())
}

impl Fleet {
    /// Starts every terminal with what the journal knows of it.
    pub fn start(settings: Settings, journal: Arc<dyn Journal>, clock: Clock, metrics: Arc<Metrics>, ledger: Ledger) -> Self {
        let board = Arc::new(Board::default());
        let names: Vec<TerminalId> = settings.terminals.iter().map(|terminal| terminal.id.clone()).collect();
        let watch = Arc::new(Watch::new(Arc::clone(&board), Arc::clone(&metrics), &names, &ledger));
        let drained: BTreeSet<TerminalId> = ledger.drained().cloned().collect();
        let mut open: BTreeMap<TerminalId, Vec<SessionId>> = BTreeMap::new();
        for session in ledger.into_sessions() {
            board.publish_session(&session);
            if !session.ended() {
                open.entry(session.terminal.clone()).or_default().push(session.id);
            }
        }
        let places = Places::default();
        let mut leavers: Vec<TerminalSettings> = Vec::new();
        for settings in settings.remembered {
            // Two of them at one place cannot both have something open there, unless somebody has exchanged the journal.
            let free = !leavers.iter().any(|other| exclude_each_other(other, &settings));
            if free && open.contains_key(&settings.id) {
                places.put(settings.clone());
                leavers.push(settings);
            } else {
                places.remember(settings);
            }
        }
        let past_unsure = settings.unsound.is_some() || matches!(journal.health(), Health::Damaged(_));
        settings.terminals.iter().for_each(|terminal| places.announce(terminal));
        for (terminal, sessions) in open.iter().filter(|(terminal, _)| !places.has(terminal)) {
            error!(%terminal, ?sessions, "open sessions of a terminal that is not configured, and of which the journal does not know how \
                to reach it: nobody can dispose of them");
        }
        let inner = Arc::new(Inner {
            journal,
            past_unsure,
            clock,
            random: settings.random,
            board,
            recorders: Arc::new(Recorders::new(clock, Arc::clone(&metrics))),
            metrics,
            watch,
            currency: settings.currency,
            unsound: settings.unsound,
            roster: DashMap::new(),
            places,
            keys: (0..KEY_LOCKS).map(|_| Mutex::new(())).collect(),
        });
        let here = Arbiter::current();
        let arbiters = if settings.arbiters.is_empty() { vec![here] } else { settings.arbiters };
        let supervisor =
            FleetActor::new(Arc::clone(&inner), settings.supervision, settings.terminals, leavers, drained, arbiters).start();
        Self { inner, supervisor }
    }

    fn actor(&self, terminal: &TerminalId) -> Result<Addr<TerminalActor>, Refusal> {
        if let Some(actor) = self.inner.roster.get(terminal) {
            return Ok(actor.value().clone());
        }
        if !self.inner.places.has(terminal) {
            return Err(Refusal::TerminalUnknown(terminal.to_string()));
        }
        // One that has never run waits for another.
        let waits = self.inner.board.terminal(terminal).and_then(|view| view.refuses_cards).map(|refusing| refusing.why);
        Err(waits.map_or_else(|| rebuilding(terminal), |why| Refusal::TerminalNotReady { terminal: terminal.clone(), why }))
    }

    fn configured(&self, terminal: &str) -> Result<TerminalId, Refusal> {
        let unknown = || Refusal::TerminalUnknown(terminal.to_owned());
        let id: TerminalId = terminal.parse().map_err(|_| unknown())?;
        if self.inner.places.has(&id) { Ok(id) } else { Err(unknown()) }
    }

    async fn ask<M, T>(&self, terminal: &TerminalId, message: M) -> Result<T, Refusal>
    where
        M: Message<Result = Result<T, Refusal>> + Send + 'static,
        T: Send + 'static,
        TerminalActor: Handler<M>,
    {
        self.actor(terminal)?.send(message).await.unwrap_or_else(|_| Err(rebuilding(terminal)))
    }

    /// Opens a card flow; answers when the session is durable. The flag says whether it is new (`false`: a repeated request).
    pub async fn open(&self, wanted: Wanted) -> Result<(Session, bool), Refusal> {
        // A caller that hangs up must not leave a key behind that belongs to no session: what was begun is done to its end.
        let (fleet, terminal) = (self.clone(), wanted.terminal.clone());
        let opened = actix::spawn(async move { fleet.open_to_the_end(wanted).await });
        opened.await.unwrap_or_else(|_| Err(rebuilding(&terminal)))
    }

    async fn open_to_the_end(&self, wanted: Wanted) -> Result<(Session, bool), Refusal> {
        if let Some(why) = &self.inner.unsound {
            return Err(Refusal::JournalUnavailable(why.clone()));
        }
        let lock = wanted.idempotency.as_ref().and_then(|idempotency| {
            let mut hasher = DefaultHasher::new();
            idempotency.key.hash(&mut hasher);
            let slot = usize::try_from(hasher.finish() % KEY_LOCKS as u64).unwrap_or(0);
            self.inner.keys.get(slot)
        });
        let _guard = match lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let session = SessionId::new(self.inner.clock.now(), self.inner.random.name());
        let Wanted { terminal, amount, connector, caller_reference, idempotency } = wanted;
        if let Some(request) = &idempotency {
            match self.inner.board.claim(&request.key, &request.digest, session) {
                Claim::New => {}
                Claim::Same(earlier) => return Ok((self.session(earlier).await?, false)),
                Claim::Mismatch => return Err(Refusal::IdempotencyMismatch),
            }
        }
        let key = idempotency.as_ref().map(|request| request.key.clone());
        match self.ask(&terminal, Open { session, amount, connector, caller_reference, idempotency }).await {
            Ok(session) => Ok((session, true)),
            Err(refusal) => {
                if let Some(key) = key {
                    self.inner.board.release(&key, session);
                }
                Err(refusal)
            }
        }
    }

    /// Does something to a session; answers when that is durable.
    pub async fn instruct(&self, session: SessionId, wish: Wish) -> Result<Session, Refusal> {
        let known = self.session(session).await?;
        if known.ended() {
            return self.instruct_ended(known, wish);
        }
        let terminal = known.terminal;
        match self.ask(&terminal, Instruct { session, wish: wish.clone() }).await {
            // It may have ended between our look and theirs, or its terminal is not configured any more.
            Err(Refusal::SessionUnknown(_)) => {
                let known = self.session(session).await?;
                if known.ended() { self.instruct_ended(known, wish) } else { Err(rebuilding(&terminal)) }
            }
            answer => answer,
        }
    }

    /// A session that has ended changes no more; but whoever repeats a request gets the same answer.
    fn instruct_ended(&self, session: Session, wish: Wish) -> Result<Session, Refusal> {
        let Some(settings) = self.inner.places.settings(&session.terminal) else {
            return Err(Refusal::TerminalUnknown(session.terminal.to_string()));
        };
        Machine::new(session.clone(), settings.rules()).on(Input::Wish(wish), self.inner.clock.now()).map(|_| session)
    }

    /// The session as it is now.
    pub async fn session(&self, session: SessionId) -> Result<Session, Refusal> {
        if let Some(session) = self.inner.board.session(session) {
            return Ok(session);
        }
        let records = self.inner.journal.session(session).await.map_err(unreadable)?;
        let found = Ledger::session(&records).map_err(|unsound| Refusal::JournalUnavailable(unsound.to_string()))?;
        found.ok_or_else(|| Refusal::SessionUnknown(session.to_string()))
    }

    /// The session as soon as `enough` says so, or as it is when `limit` is over.
    pub async fn wait(
        &self,
        session: SessionId,
        limit: Duration,
        enough: impl Fn(&Session) -> bool + Send,
    ) -> Result<Session, Refusal> {
        match self.inner.board.wait(session, enough, limit).await {
            Some(session) => Ok(session),
            None => self.session(session).await,
        }
    }

    /// Sessions, newest first, and where to go on.
    pub async fn sessions(&self, filter: Filter) -> Result<(Vec<Session>, Option<SessionId>), Refusal> {
        if filter.undisposed {
            return Ok(self.inner.board.sessions(&filter));
        }
        let mut found = Vec::new();
        let mut before = filter.before;
        let mut seen = 0_usize;
        loop {
            let names = self.inner.journal.sessions(filter.terminal.clone(), before, SCAN_STEP).await.map_err(unreadable)?;
            let last_page = names.len() < SCAN_STEP;
            for name in names {
                if found.len() >= filter.limit || seen >= SCAN_LIMIT {
                    return Ok((found, before));
                }
                seen = seen.saturating_add(1);
                before = Some(name);
                match self.session(name).await {
                    Ok(session) if filter.takes(&session) => found.push(session),
                    Ok(_) => {}
                    Err(refusal) => warn!(session = %name, error = %refusal, "a session is left out of the list"),
                }
            }
            if last_page {
                return Ok((found, None));
            }
        }
    }

    /// What became of a session, in sentences; the whole of it, as the journal tells it now.
    pub async fn story(&self, session: SessionId) -> Result<Story, Refusal> {
        let journal = &self.inner.journal;
        let own = journal.session(session).await.map_err(unreadable)?;
        let (first, terminal) = match own.first() {
            Some(first) => (first.seq, first.entry.terminal.clone()),
            None => return Err(Refusal::SessionUnknown(session.to_string())),
        };
        let ended = Ledger::session(&own).is_ok_and(|session| session.is_some_and(|session| session.ended()));
        let last = if ended { own.last().map_or(first, |last| last.seq) } else { u64::MAX };
        let around = match terminal {
            Some(terminal) => journal.around(terminal, first, last).await.map_err(unreadable)?,
            None => Vec::new(),
        };
        let mut records: Vec<Record> = own.into_iter().chain(around).collect();
        records.sort_unstable_by_key(|record| record.seq);
        let damage = match journal.health() {
            Health::Damaged(why) => Some(Place::Somewhere { why }),
            Health::Writable | Health::Slow(_) | Health::Failing(_) => None,
        };
        let places: Vec<Place> = records.into_iter().map(Place::Record).chain(damage).collect();
        Story::tell(session, &places, self.now()).ok_or_else(|| Refusal::SessionUnknown(session.to_string()))
    }

    /// All terminals, by name.
    pub fn terminals(&self) -> Vec<View> {
        self.inner.board.terminals()
    }

    /// One terminal.
    pub fn terminal(&self, terminal: &str) -> Result<View, Refusal> {
        let id = self.configured(terminal)?;
        self.inner.board.terminal(&id).ok_or_else(|| rebuilding(&id))
    }

    /// Takes no new card flows on a terminal; disposals go on. Answers when that is durable.
    pub async fn drain(&self, terminal: &str, by: String) -> Result<View, Refusal> {
        self.ask(&self.configured(terminal)?, Drain { on: true, by }).await
    }

    /// Takes card flows again.
    pub async fn resume(&self, terminal: &str, by: String) -> Result<View, Refusal> {
        self.ask(&self.configured(terminal)?, Drain { on: false, by }).await
    }

    /// Closes a terminal's link and opens it again now, also out of quarantine. A card that is being authorised and a disposal that is
    /// under way are waited for. Answers when that has begun.
    pub async fn reconnect(&self, terminal: &str, by: String) -> Result<View, Refusal> {
        self.ask(&self.configured(terminal)?, Reconnect { by }).await
    }

    /// Sends a terminal a request that is about no money; answers with what it says.
    pub async fn request(&self, terminal: &str, request: Request, by: String) -> Result<Response, Refusal> {
        self.ask(&self.configured(terminal)?, Ask { request, by }).await
    }

    /// Compares our holds with the terminal's now; answers with the journal's record of it.
    pub async fn reconcile(&self, terminal: &str) -> Result<Record, Refusal> {
        self.ask(&self.configured(terminal)?, Reconcile).await
    }

    /// Past reports, newest first.
    pub async fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Result<Vec<Record>, Refusal> {
        self.inner.journal.reconciliations(terminal, limit).await.map_err(unreadable)
    }

    /// Why the fleet is not ready; empty when the journal is sound and takes records in time, every terminal is reconciled or known to be
    /// down, and nothing is open on a terminal that nobody knows how to reach.
    pub fn unready(&self) -> Vec<String> {
        let journal = match self.inner.journal.health() {
            Health::Writable => None,
            Health::Slow(why) => Some(format!("the journal is too slow for new cards: {why}")),
            Health::Failing(why) => Some(format!("the journal cannot be written: {why}")),
            Health::Damaged(why) => Some(format!("the journal is damaged: {why}")),
        };
        let unsound = self.inner.unsound.as_ref().map(|why| format!("the journal does not follow from itself: {why}"));
        let names = self.inner.places.names();
        let terminals = names.iter().filter_map(|terminal| match self.inner.board.terminal(terminal) {
            None => Some(format!("{terminal} is being started")),
            Some(view) if view.link == LinkState::Up && !view.reconciled => Some(format!("{terminal} is not reconciled yet")),
            Some(view) if view.link == LinkState::Down && view.last_error.is_none() && !view.reconciled => {
                Some(format!("{terminal} is being linked for the first time"))
            }
            Some(_) => None,
        });
        let (open, _) = self.inner.board.sessions(&Filter { undisposed: true, limit: usize::MAX, ..Filter::default() });
        let strangers = open.into_iter().filter_map(|session| {
            let terminal = &session.terminal;
            if !self.inner.places.has(terminal) {
                return Some(format!("session {} is open on {terminal}, which is not configured", session.id));
            }
            let waits =
                self.inner.board.terminal(terminal)?.refuses_cards.filter(|refusing| refusing.reason == Reason::Waiting)?;
            Some(format!("session {} is open on {terminal}, which cannot run: {}", session.id, waits.why))
        });
        journal.into_iter().chain(unsound).chain(terminals).chain(strangers).collect()
    }

    /// Follows another configuration: who is not in it any more leaves when nothing is open on it, who is new begins, who is changed
    /// changes, and nobody else is touched. Nothing is changed when it is refused.
    pub async fn reconfigure(&self, terminals: Vec<TerminalSettings>, supervision: Supervision) -> Result<Applied, Refusal> {
        let gone = |_| Err(Refusal::Draining("the orchestrator".to_owned()));
        self.supervisor.send(Reconfigure { terminals, supervision }).await.unwrap_or_else(gone)
    }

    /// What time it is for the fleet.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// By when a session should be disposed of, or settled by the terminal's own timer.
    pub fn deadline(&self, session: &Session) -> Option<Timestamp> {
        disposal::deadline(session)
    }

    /// Ends every card flow, delivers decided disposals for at most this long, and ends the terminals. Holds stay as they are.
    pub async fn go_down(&self, within: Duration) {
        let (done, gone) = oneshot::channel();
        if self.supervisor.send(GoDownAll { within, done }).await.is_err() {
            return;
        }
        // The supervisor ends what is late; a moment more is for the end itself.
        let grace = within.saturating_add(Duration::from_secs(2));
        if tokio::time::timeout(grace, gone).await.is_err() {
            warn!("not every terminal ended in time; what is not delivered is in the journal");
        }
        let recorders = Arc::clone(&self.inner.recorders);
        if tokio::task::spawn_blocking(move || recorders.close()).await.is_err() {
            warn!("the end of the recordings could not be waited for");
        }
    }
}

fn rebuilding(terminal: &TerminalId) -> Refusal {
    Refusal::TerminalNotReady {
        terminal: terminal.clone(),
        why: "its actor is being rebuilt from the journal; ask again".to_owned(),
    }
}
