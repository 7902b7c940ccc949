//! Where a terminal stands between its bank, its wire and the hands of a test: the machine, the faults that are planned, what
//! waits to be sent, and the log. Everything happens under one lock, so that an observer never sees half of it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, watch};

use super::card::SimCard;
use super::chance::Dice;
use super::command::Command;
use super::display::Screen;
use super::fault::{Fault, Faults, corrupt};
use super::terminal::{Input, Output, SimTerminal};
use super::traffic::{Fate, Traffic};
use super::wire::{self, Heard, Style};
use crate::id::TerminalSessionId;
use crate::protocol::response::{TerminalState, Verdict};
use crate::protocol::{Family, Response};
use crate::time::{Clock, Timestamp};

/// So many frames are remembered for each terminal; a test that runs longer looks at the counts instead.
const TRAFFIC_MAX: usize = 10_000;

/// What an observer of a terminal sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The terminal's state.
    pub state: TerminalState,
    /// Whether a host is connected (TCP), or has the device open (pty, as far as that can be seen).
    pub connected: bool,
    /// Whether there is anything to connect to.
    pub plugged: bool,
    /// The sessions that the terminal remembers.
    pub sessions: Vec<TerminalSessionId>,
    /// What a driver sees; none before anything was shown.
    pub screen: Option<Screen>,
    /// How many requests of each kind have come, lost ones included.
    pub heard: HashMap<Command, u64>,
    /// How many frames have been sent.
    pub said: u64,
    /// How many frames wait to be sent.
    pub waiting: usize,
}

/// What the wire is to do next.
#[derive(Debug)]
pub enum Parcel {
    /// Write these.
    Bytes(Bytes),
    /// Drop the connection.
    Cut,
}

#[derive(Debug)]
enum Outgoing {
    Frame { bytes: Bytes, said: Option<Response>, to: Option<Command>, due: Timestamp },
    Cut,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    terminal: SimTerminal,
    /// A card that lies on the terminal.
    lying: Option<SimCard>,
    faults: Faults,
    silent: bool,
    answer_delay: Duration,
    /// How many frames may be sent; any number when none.
    permits: Option<u32>,
    outbox: VecDeque<Outgoing>,
    log: VecDeque<Traffic>,
    heard: HashMap<Command, u64>,
    said: u64,
    connected: bool,
    plugged: bool,
}

/// A terminal with everything around it.
#[derive(Debug)]
pub(super) struct Stage {
    inner: Mutex<Inner>,
    family: Family,
    /// Nobody tells it that a host has come or gone, and the wire stays up when it restarts.
    serial: bool,
    order: Arc<AtomicU64>,
    wake: Notify,
    board: watch::Sender<Snapshot>,
}

impl Stage {
    pub(super) fn new(terminal: SimTerminal, family: Family, serial: bool, clock: Clock, order: Arc<AtomicU64>) -> Self {
        let inner = Inner {
            clock,
            terminal,
            lying: None,
            faults: Faults::default(),
            silent: false,
            answer_delay: Duration::ZERO,
            permits: None,
            outbox: VecDeque::new(),
            log: VecDeque::new(),
            heard: HashMap::new(),
            said: 0,
            connected: false,
            plugged: true,
        };
        let board = watch::Sender::new(inner.snapshot());
        Self { inner: Mutex::new(inner), family, serial, order, wake: Notify::new(), board }
    }

    pub(super) const fn board(&self) -> &watch::Sender<Snapshot> {
        &self.board
    }

    // What the wire says and asks.

    /// Waits until somebody has changed something that the wire must look at.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether there is to be anything to connect to.
    pub(super) fn plugged(&self) -> bool {
        self.lock().plugged
    }

    /// Takes the next whole frame from what the host has sent; each may change how the next one is to be read.
    pub(super) fn take_frame(&self, buffer: &mut BytesMut) -> Option<(Heard, Bytes)> {
        let (style, codec) = {
            let inner = self.lock();
            (inner.terminal.style(), inner.terminal.quirks.codec(self.family))
        };
        wire::take_frame(buffer, style, &codec)
    }

    /// Whether a second host is turned away.
    pub(super) fn first_host_stays(&self) -> bool {
        self.lock().terminal.quirks.first_host_stays
    }

    /// A host has come. On TCP the terminal notices.
    pub(super) fn connected(&self) {
        self.act(|stage, inner, now| {
            inner.connected = true;
            if !stage.serial {
                inner.outbox.clear();
                stage.feed(inner, Input::LinkUp, now);
            }
        });
    }

    /// The host has gone. On TCP the terminal notices, and what waited to be sent is lost.
    pub(super) fn disconnected(&self) {
        self.act(|stage, inner, now| {
            inner.connected = false;
            if !stage.serial {
                stage.feed(inner, Input::LinkLost, now);
                inner.outbox.clear();
            }
        });
    }

    /// A frame has come.
    pub(super) fn receive(&self, heard: Heard, bytes: Bytes) {
        self.act(|stage, inner, now| {
            let command = Command::heard(&heard);
            *inner.heard.entry(command).or_default() += 1;
            let fault = if inner.silent { None } else { inner.faults.for_request(command) };
            let ignored = inner.silent || matches!(fault, Some(Fault::LoseRequest | Fault::CutBefore));
            let fate = if ignored { Fate::Ignored } else { Fate::Processed };
            let entry =
                Traffic { order: 0, at: now, command: Some(command), heard: Some(heard.clone()), said: None, fate, bytes };
            stage.note(inner, entry);
            match fault {
                Some(Fault::CutBefore) => inner.outbox.push_back(Outgoing::Cut),
                Some(Fault::Refuse(reason)) => {
                    let style = inner.terminal.style();
                    let verdict = Verdict::NotOk(style.detailed.then_some(reason));
                    stage.say(inner, Response::Result(verdict), Some(command), style, now);
                }
                _ if ignored => {}
                _ => stage.feed(inner, Input::Heard(heard), now),
            }
        });
    }

    /// Time has passed.
    pub(super) fn tick(&self) {
        let due = {
            let inner = self.lock();
            let now = inner.clock.now();
            inner.terminal.next_tick().is_some_and(|at| at <= now)
        };
        if due {
            self.act(|stage, inner, now| stage.feed(inner, Input::Tick, now));
        }
    }

    /// What the wire is to do now; `heeded` is false when nobody listens.
    pub(super) fn next_parcel(&self, heeded: bool) -> Option<Parcel> {
        let mut inner = self.lock();
        let now = inner.clock.now();
        let parcel = match inner.outbox.front()? {
            Outgoing::Cut => {
                inner.outbox.pop_front();
                Parcel::Cut
            }
            Outgoing::Frame { due, .. } if *due > now || inner.permits == Some(0) => return None,
            Outgoing::Frame { .. } => {
                let Some(Outgoing::Frame { bytes, said, to, .. }) = inner.outbox.pop_front() else { return None };
                inner.permits = inner.permits.map(|permits| permits.saturating_sub(1));
                inner.said += u64::from(heeded);
                let fate = if heeded { Fate::Sent } else { Fate::Lost };
                let entry = Traffic { order: 0, at: now, command: to, heard: None, said, fate, bytes: bytes.clone() };
                self.note(&mut inner, entry);
                Parcel::Bytes(bytes)
            }
        };
        self.publish(&inner);
        Some(parcel)
    }

    /// When the wire must look again even if nothing happens.
    pub(super) fn next_wake(&self) -> Option<tokio::time::Instant> {
        let inner = self.lock();
        let due = match inner.outbox.front() {
            Some(Outgoing::Frame { due, .. }) if inner.permits != Some(0) => Some(*due),
            _ => None,
        };
        [due, inner.terminal.next_tick()].into_iter().flatten().min().map(|at| inner.clock.instant_of(at))
    }

    // What the hands of a test do.

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().snapshot()
    }

    pub(super) fn traffic(&self) -> Vec<Traffic> {
        self.lock().log.iter().cloned().collect()
    }

    pub(super) fn input(&self, input: Input) {
        self.act(|stage, inner, now| stage.feed(inner, input, now));
    }

    /// Whether the card was read.
    pub(super) fn tap(&self, card: SimCard) -> bool {
        let mut read = false;
        self.act(|stage, inner, now| {
            read = inner.terminal.would_read(&card);
            stage.feed(inner, Input::Tap(card), now);
        });
        read
    }

    /// Whether there was such a button.
    pub(super) fn press(&self, button: &str) -> bool {
        let mut pressed = false;
        self.act(|stage, inner, now| {
            pressed = inner.terminal.screen().is_some_and(|screen| screen.has_button(button));
            stage.feed(inner, Input::Press(button.to_owned()), now);
        });
        pressed
    }

    pub(super) fn language(&self) -> Option<Vec<u8>> {
        self.lock().terminal.language().map(<[u8]>::to_vec)
    }

    pub(super) fn lay(&self, card: Option<SimCard>) {
        self.act(|stage, inner, now| {
            inner.lying = card;
            stage.feed(inner, Input::Tick, now);
        });
    }

    pub(super) fn power_cycle(&self, forget: bool) {
        self.act(|stage, inner, now| {
            inner.outbox.clear();
            stage.feed(inner, Input::PowerCycle, now);
            if forget {
                stage.feed(inner, Input::ForgetSessions, now);
            }
            // A serial line stays up when the terminal on it restarts.
            if !stage.serial {
                inner.outbox.push_back(Outgoing::Cut);
            }
        });
    }

    pub(super) fn plan(&self, command: Option<Command>, fault: Fault) {
        self.lock().faults.plan(command, fault);
    }

    pub(super) fn set_dice(&self, dice: Dice) {
        self.lock().faults.set_dice(dice);
    }

    pub(super) fn clear_faults(&self) {
        self.act(|_, inner, _| {
            inner.faults.clear();
            inner.silent = false;
            inner.answer_delay = Duration::ZERO;
            inner.permits = None;
        });
    }

    pub(super) fn set_silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    pub(super) fn set_answer_delay(&self, delay: Duration) {
        self.lock().answer_delay = delay;
    }

    pub(super) fn set_permits(&self, change: impl FnOnce(Option<u32>) -> Option<u32>) {
        self.act(|_, inner, _| inner.permits = change(inner.permits));
    }

    pub(super) fn set_clock(&self, clock: Clock) {
        self.act(|_, inner, _| inner.clock = clock);
    }

    pub(super) fn set_plugged(&self, plugged: bool) {
        self.act(|_, inner, _| inner.plugged = plugged);
    }

    pub(super) fn cut(&self) {
        self.act(|_, inner, _| inner.outbox.push_front(Outgoing::Cut));
    }

    pub(super) fn configure(&self, change: impl FnOnce(&mut SimTerminal)) {
        self.act(|_, inner, _| change(&mut inner.terminal));
    }

    pub(super) fn send_bytes(&self, bytes: Bytes) {
        self.act(|_, inner, now| inner.outbox.push_back(Outgoing::Frame { bytes, said: None, to: None, due: now }));
    }

    pub(super) fn send(&self, response: Response) {
        self.act(|stage, inner, now| {
            let style = inner.terminal.style();
            stage.say(inner, response, None, style, now);
        });
    }

    // Machinery.

    fn act(&self, change: impl FnOnce(&Self, &mut Inner, Timestamp)) {
        let mut inner = self.lock();
        let now = inner.clock.now();
        change(self, &mut inner, now);
        self.publish(&inner);
        drop(inner);
        self.wake.notify_one();
    }

    fn feed(&self, inner: &mut Inner, input: Input, now: Timestamp) {
        let mut outputs = inner.terminal.on(input, now);
        if inner.terminal.state() == TerminalState::WaitCard
            && let Some(card) = inner.lying.clone()
        {
            outputs.extend(inner.terminal.on(Input::Tap(card), now));
        }
        for output in outputs {
            match output {
                Output::Say { response, to, style } => self.say(inner, response, to, style, now),
                Output::Close => inner.outbox.push_back(Outgoing::Cut),
            }
        }
    }

    fn say(&self, inner: &mut Inner, response: Response, to: Option<Command>, style: Style, now: Timestamp) {
        let bytes = match wire::write(&response, style, self.family, &inner.terminal.quirks) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(%error, "a simulated terminal cannot say what it wants to"),
        };
        let mut delay = inner.answer_delay;
        let mut times = 1;
        let mut bytes = bytes;
        match inner.faults.for_answer(to) {
            Some(Fault::LoseAnswer) => times = 0,
            Some(Fault::CutAfter) => {
                times = 0;
                inner.outbox.push_back(Outgoing::Cut);
            }
            Some(Fault::Duplicate) => times = 2,
            Some(Fault::Corrupt) => bytes = corrupt(&bytes, false),
            Some(Fault::CorruptUnseen) => bytes = corrupt(&bytes, true),
            Some(Fault::Delay(longer)) => delay += longer,
            Some(Fault::LoseRequest | Fault::CutBefore | Fault::Refuse(_)) | None => {}
        }
        if times == 0 {
            let said = Some(response.clone());
            let entry = Traffic { order: 0, at: now, command: to, heard: None, said, fate: Fate::Lost, bytes: bytes.clone() };
            self.note(inner, entry);
        }
        for _ in 0..times {
            let said = Some(response.clone());
            inner.outbox.push_back(Outgoing::Frame { bytes: bytes.clone(), said, to, due: now.after(delay) });
        }
    }

    fn note(&self, inner: &mut Inner, mut entry: Traffic) {
        entry.order = self.order.fetch_add(1, Ordering::Relaxed);
        if inner.log.len() == TRAFFIC_MAX {
            inner.log.pop_front();
        }
        inner.log.push_back(entry);
    }

    fn publish(&self, inner: &Inner) {
        self.board.send_replace(inner.snapshot());
    }

    /// A poisoned lock means that a test has panicked elsewhere; the stage goes on as well as it can.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.terminal.state(),
            connected: self.connected,
            plugged: self.plugged,
            sessions: self.terminal.sessions(),
            screen: self.terminal.screen(),
            heard: self.heard.clone(),
            said: self.said,
            waiting: self.outbox.len(),
        }
    }
}
