//! The journal of a storm: the program's own memory journal, behind a disk that is slow, full, broken, or gone in the middle.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quittance::id::{SessionId, TerminalId, TerminalSessionId};
use quittance::journal::view::public_line;
use quittance::journal::{Entry, Fact, Health, Journal, MemoryJournal, Pending, Record, Selection};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::books::Books;
use super::world::World;

/// A crash or a panic, counted in appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When it is asked for: nothing of it is durable.
    Before,
    /// When it is durable, and nobody has been told.
    After,
}

/// The disk. Copies are the same one.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Inner>);

struct Inner {
    journal: MemoryJournal,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    alive: bool,
    /// When each append that waits is answered.
    due: VecDeque<Instant>,
    books: Books,
    /// How many appends this life has asked for.
    asked: u64,
    crash_at: Option<(u64, Moment)>,
    panic_at: Option<(u64, Moment)>,
    world: Option<std::sync::Weak<World>>,
}

impl Disk {
    /// For terminals of which these can be asked what they hold.
    pub(crate) fn new(listing: BTreeSet<TerminalId>) -> Self {
        let books = Books::new(listing);
        let state = Mutex::new(State { books, ..State::default() });
        Self(Arc::new(Inner { journal: MemoryJournal::new(), state, wake: Notify::new() }))
    }

    /// A life begins; it may be over, or one of its actors panic, at an append of this number.
    pub(crate) fn begin(&self, world: &Arc<World>, crash_at: Option<(u64, Moment)>, panic_at: Option<(u64, Moment)>) {
        self.0.journal.hold();
        let mut state = self.state();
        state.alive = true;
        state.due.clear();
        state.asked = 0;
        (state.crash_at, state.panic_at) = (crash_at, panic_at);
        state.world = Some(Arc::downgrade(world));
    }

    /// All that is durable.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.journal.records()
    }

    /// Noise has come while the terminal owed the answer about this number.
    pub(crate) fn noise_over(&self, terminal: &TerminalId, number: TerminalSessionId) {
        self.state().books.noise_over(terminal, number);
    }

    /// What is durable, as the storm reads it.
    pub(crate) fn books<T>(&self, read: impl FnOnce(&Books) -> T) -> T {
        read(&self.state().books)
    }

    /// The next few appends are refused.
    pub(crate) fn refuse(&self, appends: usize) {
        self.0.journal.refuse_next(appends);
    }

    /// Whether the next append is going to be refused.
    pub(crate) fn failing(&self) -> bool {
        matches!(self.0.journal.health(), Health::Failing(_))
    }

    /// The process is gone. Of what waited, the first `kept` had reached the disk already.
    pub(crate) fn crash(&self, kept: usize) {
        self.state().alive = false;
        for _ in 0..kept {
            self.0.journal.release_one();
        }
        self.0.journal.crash();
        self.read_on();
    }

    /// Nobody can write any more.
    pub(crate) fn finish(&self) {
        self.state().alive = false;
    }

    /// From now on it is quick; what is late is done now.
    pub(crate) fn calm_down(&self) {
        self.0.journal.refuse_next(0);
        let mut state = self.state();
        (state.crash_at, state.panic_at) = (None, None);
        state.due.iter_mut().for_each(|due| *due = now());
        drop(state);
        self.0.wake.notify_one();
    }

    /// How many appends wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.journal.held()
    }

    /// Answers what is due, for as long as the life lasts.
    pub(crate) async fn serve(self) {
        loop {
            let next = self.state().due.front().copied();
            match next {
                Some(due) if due <= now() => {
                    self.state().due.pop_front();
                    self.answer_one();
                }
                Some(due) => tokio::select! {
                    biased;
                    () = self.0.wake.notified() => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => self.0.wake.notified().await,
            }
        }
    }

    fn answer_one(&self) {
        let last = self.state().books.last;
        self.0.journal.release_one();
        self.read_on();
        let world = {
            let mut state = self.state();
            let after = matches!(state.crash_at, Some((at, Moment::After)) if state.asked >= at) && state.books.last > last;
            if !after {
                return;
            }
            state.crash_at = None;
            state.world.as_ref().and_then(std::sync::Weak::upgrade)
        };
        if let Some(world) = world {
            world.crash("right after an append was durable");
        }
    }

    /// Reads what has become durable.
    fn read_on(&self) {
        let mut state = self.state();
        let Some(world) = state.world.as_ref().and_then(std::sync::Weak::upgrade) else { return };
        let new = self.0.journal.since(state.books.last);
        for record in &new {
            world.note(|| format!("journal: {}", public_line(record)));
            if let Err(wrong) = state.books.take(record) {
                world.violate(format!("the journal cannot be: {wrong}"));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulation's own clock")]
fn now() -> Instant {
    Instant::now()
}

/// Without the hook of a panic, which is for those that nobody has planned.
fn panic(world: &World) -> ! {
    world.inject_panic();
    std::panic::resume_unwind(Box::new("told to"))
}

impl Journal for Disk {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let mut state = self.state();
        let world = state.world.as_ref().and_then(std::sync::Weak::upgrade);
        let (true, Some(world)) = (state.alive, world) else { return Box::pin(std::future::pending()) };
        state.asked += 1;
        let asked = state.asked;
        if state.crash_at == Some((asked, Moment::Before)) {
            state.crash_at = None;
            drop(state);
            world.crash("right before an append");
            return Box::pin(std::future::pending());
        }
        let rebuilding = entries.iter().any(|entry| matches!(entry.fact, Fact::Rebuilt) || entry.terminal.is_none());
        let panics = state.panic_at.is_some_and(|(at, _)| asked >= at) && !rebuilding && !std::thread::panicking();
        let panics = if panics { state.panic_at.take().map(|(_, when)| when) } else { None };
        let what = entries.first().map(|entry| entry.fact.kind()).unwrap_or_default();
        if panics == Some(Moment::Before) {
            drop(state);
            world.note(|| format!("        PANIC in an actor that is about to append {what}"));
            panic(&world);
        }
        let plan = &world.plan.disk;
        let mut dice = world.dice();
        let mut wait = match plan.latency_millis {
            0 => Duration::ZERO,
            most => dice.millis(0, most),
        };
        if world.stormy() {
            if dice.chance(plan.slow) {
                wait = dice.millis(500, 20_000);
            }
            if dice.chance(plan.refuses) {
                let appends = dice.number(1, 6);
                world.note(|| format!("        the disk refuses the next {appends}"));
                self.0.journal.refuse_next(usize::try_from(appends).unwrap());
            }
        }
        drop(dice);
        let at_once = wait.is_zero() && state.due.is_empty();
        let due = now() + wait;
        let due = state.due.back().copied().map_or(due, |last| last.max(due));
        if !at_once {
            state.due.push_back(due);
        }
        drop(state);
        let pending = self.0.journal.append(entries);
        if at_once {
            self.answer_one();
        } else {
            self.0.wake.notify_one();
        }
        if panics.is_none() {
            return pending;
        }
        Box::pin(async move {
            let done = pending.await;
            if done.is_ok() && !std::thread::panicking() {
                world.note(|| format!("        PANIC in an actor that has appended {what}, and has told nobody"));
                panic(&world);
            }
            done
        })
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        self.0.journal.read(after, limit)
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.0.journal.around(terminal, from, to)
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        self.0.journal.select(of, after, until, limit)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.journal.newest()
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        self.0.journal.session(session)
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.0.journal.sessions(terminal, before, limit)
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.0.journal.reconciliations(terminal, limit)
    }

    fn health(&self) -> Health {
        self.0.journal.health()
    }
}
