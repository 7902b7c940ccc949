//! Everything that outlives the orchestrator: the terminals, the bank, the journal, and what people have been told.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use quittance::id::{SessionId, SessionReference, TerminalId};
use quittance::journal::record::{Decision, Outcome};
use quittance::journal::{Entry, Health, Journal, MemoryJournal, Pending, Record, Selection};
use quittance::money::Amount;
use quittance::protocol::Family;
use quittance::sim::{Bank, Depot, Hold, Listen, Parcel, Port, SimCard, SimConfig, SimHandle};
use quittance::time::{Clock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc, watch};

use super::script::Script;

/// When every scenario begins: the morning of 2027-01-15.
const BEGINNING: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

/// How long the orchestrator is dead.
const DEAD: Duration = Duration::from_secs(1);

/// The process ends here, counted in appends from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// The append is asked for, and nothing of it is on the disk.
    Before(usize),
    /// It is on the disk, and nobody has heard of that.
    After(usize),
}

pub(super) struct World {
    pub(super) script: Script,
    pub(super) ended: Notify,
    depot: Depot,
    state: Mutex<State>,
}

struct State {
    journal: MemoryJournal,
    lost: bool,
    /// All appends so far, over all lives.
    appends: usize,
    crashes: Vec<Crash>,
    /// Those that have happened.
    died: Vec<Crash>,
    alive: bool,
    /// The time at which the present life began.
    began: Timestamp,
    clock: Option<Clock>,
    lines: BTreeMap<String, mpsc::UnboundedSender<DuplexStream>>,
    people: BTreeMap<String, Person>,
    next: usize,
    story: Vec<String>,
}

/// What somebody has done and was told.
#[derive(Clone, Default)]
pub(super) struct Person {
    pub(super) session: Option<SessionId>,
    /// The number that came with Start Session, by which the bank's holds find him.
    pub(super) reference: Option<SessionReference>,
    pub(super) tapped: bool,
    /// The running total that was last sent; whether it was heard is not known.
    pub(super) sent: Option<Amount>,
    /// The running total that was last acknowledged.
    pub(super) charged: Option<Amount>,
    /// Every decision that was ever sent.
    pub(super) asked: Vec<Decision>,
    /// What was decided, and taken.
    pub(super) decided: Option<Decision>,
    /// How it ended, as a person says.
    pub(super) said: Option<Outcome>,
    /// That was taken.
    pub(super) settled: bool,
}

impl World {
    pub(super) fn new(script: Script, crashes: Vec<Crash>) -> Arc<Self> {
        let configs = script.terminals.iter().map(|terminal| {
            let id: TerminalId = terminal.name.parse().unwrap();
            let config = match terminal.family {
                Family::Apollo => SimConfig::apollo(id),
                Family::P6x => SimConfig::p6x(id, "nowhere"),
            };
            SimConfig { listen: Listen::Port, ..config }
        });
        let clock = Clock::starting_at(BEGINNING);
        let depot = Depot::start_with(configs.collect(), Bank::new(), clock).now_or_never().unwrap().unwrap();
        let state = State {
            journal: MemoryJournal::new(),
            lost: false,
            appends: 0,
            crashes,
            died: Vec::new(),
            alive: false,
            began: BEGINNING,
            clock: None,
            lines: BTreeMap::new(),
            people: BTreeMap::new(),
            next: 0,
            story: Vec::new(),
        };
        Arc::new(Self { script, ended: Notify::new(), depot, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A life begins; its clock.
    pub(super) fn begin(&self) -> Clock {
        let mut state = self.state();
        let clock = Clock::starting_at(state.began);
        (state.clock, state.alive) = (Some(clock), true);
        self.depot.terminals().for_each(|terminal| terminal.set_clock(clock));
        drop(state);
        self.note("the orchestrator starts");
        clock
    }

    /// The process is gone, in this instant.
    pub(super) fn die(&self, why: &str) {
        self.note(why);
        let mut state = self.state();
        // Its time ends with its runtime, so it is read here.
        if let Some(clock) = state.clock {
            state.began = clock.now().after(DEAD);
        }
        state.alive = false;
        state.lines.clear();
        state.journal.crash();
        drop(state);
        self.ended.notify_one();
    }

    /// After a life.
    pub(super) fn lie_dead(&self) {
        self.state().clock = None;
        self.depot.terminals().for_each(|terminal| terminal.port().disconnected());
    }

    /// The crashes that have happened.
    pub(super) fn died(&self) -> Vec<Crash> {
        self.state().died.clone()
    }

    pub(super) fn alive(&self) -> bool {
        self.state().alive
    }

    /// Everything that anybody wrote down.
    pub(super) fn records(&self) -> Vec<Record> {
        self.state().journal.records()
    }

    pub(super) fn appends(&self) -> usize {
        self.state().appends
    }

    pub(super) fn refuse(&self, appends: usize) {
        self.state().journal.refuse_next(appends);
    }

    pub(super) fn lose_journal(&self) {
        let mut state = self.state();
        (state.journal, state.lost) = (MemoryJournal::new(), true);
    }

    pub(super) fn journal_lost(&self) -> bool {
        self.state().lost
    }

    pub(super) const fn bank(&self) -> &Bank {
        self.depot.bank()
    }

    pub(super) fn terminal(&self, name: &str) -> &SimHandle {
        self.depot.terminal(&name.parse().unwrap()).unwrap()
    }

    pub(super) fn terminals(&self) -> impl Iterator<Item = &SimHandle> {
        self.depot.terminals()
    }

    /// Every person has a card of his own, or somebody else's.
    pub(super) fn card(&self, who: &str) -> SimCard {
        let mut number = 0;
        for byte in self.script.owner(who).bytes() {
            number = number * 31 % 1_000_003 + u32::from(byte);
        }
        SimCard::numbered(number)
    }

    pub(super) fn holds(&self, who: &str) -> Vec<Hold> {
        let (card, reference) = (self.card(who), self.person(who).reference);
        let his = |hold: &Hold| hold.card == card.hash().short() && Some(hold.reference) == reference;
        self.bank().holds().into_iter().filter(his).collect()
    }

    pub(super) fn person(&self, who: &str) -> Person {
        self.state().people.get(who).cloned().unwrap_or_default()
    }

    pub(super) fn change(&self, who: &str, change: impl FnOnce(&mut Person)) {
        change(self.state().people.entry(who.to_owned()).or_default());
    }

    pub(super) fn people(&self) -> BTreeMap<String, Person> {
        self.state().people.clone()
    }

    /// The line to go on with.
    pub(super) fn next(&self) -> usize {
        self.state().next
    }

    pub(super) fn done(&self, line: usize) {
        self.state().next = line + 1;
    }

    pub(super) fn back_to(&self, line: usize) {
        self.state().next = line;
    }

    pub(super) fn note(&self, what: impl Into<String>) {
        let mut state = self.state();
        let now = state.clock.map_or(state.began, |clock| clock.now());
        state.story.push(format!("{now}  {}", what.into()));
    }

    pub(super) fn story(&self) -> String {
        self.state().story.join("\n")
    }

    /// The orchestrator connects to this terminal.
    pub(super) fn connect(self: &Arc<Self>, name: &str) -> Pin<Box<dyn Future<Output = io::Result<DuplexStream>>>> {
        let (world, name) = (Arc::clone(self), name.to_owned());
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if !world.terminal(&name).port().plugged() {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let sent = world.state().lines.get(&name).is_some_and(|line| line.send(theirs).is_ok());
            if sent { Ok(ours) } else { std::future::pending().await }
        })
    }

    /// Where wires to this terminal arrive.
    pub(super) fn listen(&self, name: &str) -> mpsc::UnboundedReceiver<DuplexStream> {
        let (sender, arrivals) = mpsc::unbounded_channel();
        self.state().lines.insert(name.to_owned(), sender);
        arrivals
    }
}

/// The terminal's end of its wires, for as long as the orchestrator lives.
pub(super) async fn serve(world: Arc<World>, port: Port, mut arrivals: mpsc::UnboundedReceiver<DuplexStream>) {
    let mut guest: Option<DuplexStream> = None;
    let (mut heard, mut read) = (BytesMut::new(), BytesMut::new());
    while world.alive() {
        port.tick();
        if !port.plugged() && guest.take().is_some() {
            port.disconnected();
        }
        while let Some(parcel) = port.next_parcel(guest.is_some()) {
            match (parcel, guest.as_mut()) {
                (Parcel::Bytes(bytes), Some(stream)) => drop(stream.write_all(&bytes).await),
                (Parcel::Bytes(_), None) => {}
                (Parcel::Cut, _) => {
                    guest = None;
                    port.disconnected();
                }
            }
        }
        let next = port.next_wake();
        let came = tokio::select! {
            biased;
            arrived = arrivals.recv() => {
                let Some(stream) = arrived else { return };
                if guest.replace(stream).is_some() {
                    port.disconnected();
                }
                heard.clear();
                port.connected();
                None
            }
            came = receive(guest.as_mut(), &mut read) => Some(came),
            () = port.woken() => None,
            () = until(next) => None,
        };
        match came {
            // What was written by somebody who is dead by now has not left.
            Some(Ok(1..)) if world.alive() => {
                heard.extend_from_slice(&read.split());
                while let Some((request, bytes)) = port.take_frame(&mut heard) {
                    port.receive(request, bytes);
                }
            }
            Some(_) => {
                guest = None;
                port.disconnected();
            }
            None => {}
        }
    }
}

async fn receive(stream: Option<&mut DuplexStream>, buffer: &mut BytesMut) -> io::Result<usize> {
    match stream {
        Some(stream) => stream.read_buf(buffer).await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The journal, as the orchestrator sees it.
pub(super) struct Paper(pub(super) Arc<World>);

impl Journal for Paper {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let mut state = self.0.state();
        if !state.alive {
            return Box::pin(std::future::pending());
        }
        state.appends += 1;
        let number = state.appends;
        let what: Vec<&str> = entries.iter().map(|entry| entry.fact.kind()).collect();
        let what = what.join(", ");
        if state.crashes.contains(&Crash::Before(number)) {
            state.died.push(Crash::Before(number));
            drop(state);
            self.0.die(&format!("KILLED before append {number}: {what}"));
            return Box::pin(std::future::pending());
        }
        let answer = state.journal.append(entries);
        if state.crashes.contains(&Crash::After(number)) {
            state.died.push(Crash::After(number));
            drop(state);
            self.0.die(&format!("KILLED after append {number}: {what}"));
            return Box::pin(std::future::pending());
        }
        drop(state);
        self.0.note(format!("append {number}: {what}"));
        answer
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        self.0.state().journal.read(after, limit)
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        self.0.state().journal.select(of, after, until, limit)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.state().journal.newest()
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.0.state().journal.around(terminal, from, to)
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        self.0.state().journal.session(session)
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.0.state().journal.sessions(terminal, before, limit)
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.0.state().journal.reconciliations(terminal, limit)
    }

    fn health(&self) -> Health {
        self.0.state().journal.health()
    }
}
