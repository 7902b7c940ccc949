//! Everything that outlives the orchestrator: terminals, bank, disk, people's wishes, the time, and what was seen to be wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quittance::id::{SessionId, TerminalId};
use quittance::sim::{Bank, Depot, Port, SimHandle};
use quittance::time::{Clock, Timestamp};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc};

use super::dice::Dice;
use super::disk::{Disk, Moment};
use super::people::People;
use super::plan::Plan;

/// When every simulation begins.
const BEGINNING: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

/// The world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) disk: Disk,
    pub(crate) ended: Notify,
    names: Vec<TerminalId>,
    depot: Depot,
    dice: Mutex<Dice>,
    people: Mutex<People>,
    state: Mutex<State>,
}

struct State {
    /// The true time at which the present life began.
    began: Timestamp,
    /// The true time, while somebody lives.
    clock: Option<Clock>,
    /// How much the orchestrator's clock is ahead of the true time, in milliseconds.
    skew: i64,
    jumped: bool,
    alive: bool,
    calm: bool,
    storm_ends: Timestamp,
    crashes_left: u32,
    panics_left: u32,
    /// When the present life was told to end.
    told_to_end: Option<Timestamp>,
    /// The present life ends with the money frame of this number.
    crash_at_frame: Option<u32>,
    lines: Vec<Option<mpsc::UnboundedSender<DuplexStream>>>,
    forgot: Vec<bool>,
    lied: Vec<bool>,
    /// Another device answers there.
    another: Vec<bool>,
    /// How many panics were injected into this life.
    panics_injected: u32,
    violations: Vec<String>,
    story: Option<Vec<String>>,
    lives: u32,
}

impl World {
    pub(crate) fn new(seed: u64, with_story: bool) -> Arc<Self> {
        let plan = Plan::draw(seed);
        let clock = Clock::starting_at(BEGINNING);
        // Nothing in it waits: no terminal of ours listens anywhere.
        let depot = futures_util::FutureExt::now_or_never(Depot::start_with(plan.sims.clone(), Bank::new(), clock));
        let depot = depot.expect("it waits for nothing").expect("nothing is opened");
        let names: Vec<TerminalId> = plan.terminals.iter().map(|terminal| terminal.id.clone()).collect();
        let count = names.len();
        let state = State {
            began: BEGINNING,
            clock: None,
            skew: 0,
            jumped: false,
            alive: false,
            calm: false,
            storm_ends: BEGINNING.after(plan.storm),
            crashes_left: plan.crashes,
            panics_left: plan.panics,
            told_to_end: None,
            crash_at_frame: None,
            lines: (0..count).map(|_| None).collect(),
            forgot: plan.sims.iter().map(|sim| !sim.quirks.forgets_at.is_empty()).collect(),
            lied: vec![false; count],
            another: vec![false; count],
            panics_injected: 0,
            violations: Vec::new(),
            story: with_story.then(Vec::new),
            lives: 0,
        };
        let listing = plan.terminals.iter().filter(|terminal| terminal.family.lists_sessions());
        let world = Self {
            disk: Disk::new(listing.map(|terminal| terminal.id.clone()).collect()),
            ended: Notify::new(),
            people: Mutex::new(People::new(&plan)),
            names,
            depot,
            dice: Mutex::new(Dice::new(seed, 2)),
            state: Mutex::new(state),
            plan,
        };
        Arc::new(world)
    }

    // The time.

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        let state = self.state();
        state.clock.map_or(state.began, |clock| clock.now())
    }

    /// A life begins: its own clock, which may be wrong, is the answer.
    pub(crate) fn begin(self: &Arc<Self>) -> Clock {
        let (truth, ours, crash, panic) = {
            let mut state = self.state();
            let truth = Clock::starting_at(state.began);
            state.clock = Some(truth);
            state.alive = true;
            state.lives += 1;
            let mut dice = self.dice();
            let mut crash = None;
            (state.told_to_end, state.crash_at_frame, state.panics_injected) = (None, None, 0);
            if state.crashes_left > 0 && !state.calm {
                match dice.weighted(&[4, 3, 3]) {
                    0 => crash = Some((u64::from(dice.number(1, 60)), dice.pick(&[Moment::Before, Moment::After]))),
                    1 => state.crash_at_frame = Some(dice.number(1, 8)),
                    _ => {}
                }
            }
            let panics = state.panics_left > 0 && !state.calm;
            let panic = panics.then(|| (u64::from(dice.number(1, 80)), dice.pick(&[Moment::Before, Moment::After])));
            state.panics_left = state.panics_left.saturating_sub(u32::from(panics));
            let ours = Timestamp::from_unix_millis(state.began.unix_millis() + state.skew);
            (truth, Clock::starting_at(ours), crash, panic)
        };
        self.depot.terminals().for_each(|terminal| terminal.set_clock(truth));
        self.disk.begin(self, crash, panic);
        self.note(|| format!("        THE ORCHESTRATOR STARTS, life {}", self.state().lives));
        ours
    }

    /// The process is gone, in this instant.
    pub(crate) fn crash(&self, when: &str) {
        {
            let mut state = self.state();
            if !state.alive {
                return;
            }
            state.alive = false;
            state.crashes_left = state.crashes_left.saturating_sub(1);
            state.lines.iter_mut().for_each(|line| *line = None);
        }
        let kept = self.dice().index(self.disk.waiting() + 1);
        self.note(|| format!("        THE ORCHESTRATOR IS KILLED {when}"));
        self.disk.crash(kept);
        self.ended.notify_one();
    }

    /// The process is asked to end, and does so by itself.
    pub(crate) fn told_to_end(&self, within: Duration) {
        self.note(|| format!("        THE ORCHESTRATOR IS TOLD TO END within {within:?}"));
        let now = self.now();
        self.state().told_to_end = Some(now);
    }

    /// Card flows may begin. One that was with the link already, behind its Get Status, still leaves when it is told to end.
    pub(crate) fn takes_cards(&self, terminal: usize) -> bool {
        let under_way = self.plan.terminals[terminal].link.timeouts.command;
        let now = self.now();
        self.state().told_to_end.is_none_or(|told| now <= told.after(under_way))
    }

    /// Everything is over: what the actors still do while they go is nobody's business.
    pub(crate) fn finish(&self) {
        let now = self.now();
        let mut state = self.state();
        state.began = now;
        state.clock = None;
        state.alive = false;
        drop(state);
        self.disk.finish();
    }

    /// The time at which a life has ended. Its clock means nothing outside its runtime.
    pub(crate) fn died(&self) {
        let now = self.now();
        let mut state = self.state();
        (state.began, state.clock) = (now, None);
    }

    /// After a life; the time goes on without anybody.
    pub(crate) fn lie_dead(&self) {
        let mut dice = self.dice();
        let long = if dice.chance(0.1) { dice.millis(60_000, 900_000) } else { dice.millis(10, 10_000) };
        let jump = (self.plan.clock_jumps && dice.chance(0.5)).then(|| i64::from(dice.number(0, 600_000)) - 300_000);
        drop(dice);
        let mut state = self.state();
        state.began = state.began.after(long);
        state.storm_ends = state.storm_ends.after(long);
        if let Some(jump) = jump {
            state.skew += jump;
            state.jumped = true;
        }
    }

    pub(crate) fn alive(&self) -> bool {
        self.state().alive
    }

    /// Faults may happen.
    pub(crate) fn stormy(&self) -> bool {
        !self.state().calm
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.state().calm = true;
        self.note(|| "        THE STORM IS OVER".to_owned());
        for (place, terminal) in self.depot.terminals().enumerate() {
            terminal.clear_faults();
            terminal.plug();
            terminal.set_serial_number(&self.plan.sims[place].serial_number);
            self.set_another(place, false);
        }
        self.bank().set_default_policy(quittance::sim::Policy::APPROVE);
        self.disk.calm_down();
    }

    pub(crate) fn storm_ends(&self) -> Timestamp {
        self.state().storm_ends
    }

    pub(crate) fn crashes_left(&self) -> u32 {
        self.state().crashes_left
    }

    /// The next money frame is the one with which this life ends.
    pub(crate) fn crashes_at_frame(&self) -> bool {
        let mut state = self.state();
        if state.calm {
            return false;
        }
        match &mut state.crash_at_frame {
            Some(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            None => false,
        }
    }

    // Terminals.

    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn id(&self, terminal: usize) -> &TerminalId {
        &self.names[terminal]
    }

    pub(crate) fn name(&self, terminal: usize) -> &str {
        self.names[terminal].as_str()
    }

    pub(crate) fn place(&self, name: &TerminalId) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(crate) fn terminal(&self, terminal: usize) -> &SimHandle {
        self.depot.terminal(&self.names[terminal]).expect("every name has its terminal")
    }

    pub(crate) fn port(&self, terminal: usize) -> Port {
        self.terminal(terminal).port()
    }

    pub(crate) const fn bank(&self) -> &Bank {
        self.depot.bank()
    }

    pub(crate) fn cut(&self, terminal: usize) {
        self.terminal(terminal).cut();
    }

    /// Wires to this terminal go here from now on.
    pub(crate) fn listen(&self, terminal: usize) -> mpsc::UnboundedReceiver<DuplexStream> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().lines[terminal] = Some(sender);
        receiver
    }

    /// A host has connected. Says whether anybody is there.
    pub(crate) fn arrive(&self, terminal: usize, stream: DuplexStream) -> bool {
        self.state().lines[terminal].as_ref().is_some_and(|line| line.send(stream).is_ok())
    }

    /// The terminal has lost sessions, so that it does not know holds of the bank's.
    pub(crate) fn note_forgot(&self, terminal: usize) {
        self.state().forgot[terminal] = true;
    }

    pub(crate) fn forgot(&self, terminal: usize) -> bool {
        self.state().forgot[terminal]
    }

    /// The terminal's answers were changed so that nobody can see it.
    pub(crate) fn note_lied(&self, terminal: usize) {
        self.state().lied[terminal] = true;
    }

    pub(crate) fn lied(&self, terminal: usize) -> bool {
        self.state().lied[terminal]
    }

    /// Another device answers at this terminal's place, or its own again.
    pub(crate) fn set_another(&self, terminal: usize, another: bool) {
        self.state().another[terminal] = another;
    }

    /// Another device answers, and the orchestrator has been told whom to expect.
    pub(crate) fn is_wrong(&self, terminal: usize) -> bool {
        self.state().another[terminal] && self.plan.terminals[terminal].serial_number.is_some()
    }

    /// A part of the program is told to panic.
    pub(crate) fn inject_panic(&self) {
        self.state().panics_injected += 1;
    }

    /// How many panics were injected into this life.
    pub(crate) fn panics_injected(&self) -> u32 {
        self.state().panics_injected
    }

    pub(crate) fn jumped(&self) -> bool {
        self.state().jumped
    }

    pub(crate) fn lives(&self) -> u32 {
        self.state().lives
    }

    // Everything else.

    pub(crate) fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the story, if somebody wants to read it.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.state().story.is_none() {
            return;
        }
        let (now, line) = (self.now(), line());
        let since = now.since(BEGINNING);
        let line = format!("{:>10.3} {line}", since.as_secs_f64());
        if let Some(story) = &mut self.state().story {
            story.push(line);
        }
    }

    /// Something is wrong.
    pub(crate) fn violate(&self, what: String) {
        self.note(|| format!("        VIOLATION: {what}"));
        let mut state = self.state();
        // The first few say it all.
        if state.violations.len() < 8 && !state.violations.contains(&what) {
            state.violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub(crate) fn take_story(&self) -> Vec<String> {
        self.state().story.take().unwrap_or_default()
    }

    /// How long all of it took, in simulated time.
    pub(crate) fn lasted(&self) -> Duration {
        self.now().since(BEGINNING)
    }

    /// Session names in the story are long; this is none of them.
    pub(crate) fn short(session: SessionId) -> String {
        let name = session.to_string();
        name[name.len().saturating_sub(6)..].to_owned()
    }
}

/// A map by session.
pub(crate) type BySession<T> = BTreeMap<SessionId, T>;
