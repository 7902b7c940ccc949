//! A simulated terminal: a machine that hears requests and cards, asks its bank, and answers. It follows PSP, States, and
//! where the pages are silent, the assumptions of [`super`]. It does no I/O and knows no clock.
//!
//! ```text
//!   OFFLINE ──Synchronize──► ONLINE ──Setup──► DISABLED ──Enable──► ENABLED ◄──────────────────────┐
//!      ▲                                          ▲ └──────────Disable─┘ │ Start Session           │
//!      └── Reset, link lost (TCP), power cycle                           ▼ Read Card               │
//!          from every state                                         WAIT_CARD ──Cancel, no card──► ┤
//!                                                                        │ card                    │
//!                                                                        ▼                         │
//!                                                                   WAIT_AUTH ──Cancel, 30 s, ───► ┘
//!                                                                            bank's answer to Auth
//! ```

mod apollo;
mod flow;
mod holds;
mod setup;

use std::time::Duration;

use super::bank::{Bank, Demand};
use super::card::SimCard;
use super::command::Command;
use super::display::{Display, Screen};
use super::memory::Memory;
use super::papers::{Paper, Papers};
use super::quirks::{Occasion, Quirks};
use super::wire::{Heard, Style};
use crate::id::{TerminalId, TerminalSessionId};
use crate::protocol::request::{Control, Options, Setup};
use crate::protocol::response::{Reason, Status, TerminalState, TransactionEvent, Verdict};
use crate::protocol::{Family, Request, Response};
use crate::time::Timestamp;
use flow::Flow;
use holds::Underway;

/// PSP, Timeouts: after so long without a request an Apollo closes the connection.
const IDLE_CLOSE: Duration = Duration::from_secs(20);

/// So many session ids fit into a page of List Sessions (assumption 11): L = 255 = magic, code, total, and four bytes each.
pub(super) const SESSIONS_PER_PAGE: usize = 63;

/// PSP, Errors.
const UNKNOWN_COMMAND: Reason = Reason(0x02);
const INCORRECT_MESSAGE: Reason = Reason(0x03);
const UNKNOWN_CARD: Reason = Reason(0x06);
const INCORRECT_SCREEN: Reason = Reason(0x08);
const NO_TRANSACTION: Reason = Reason(0x0A);
const NOT_SUPPORTED: Reason = Reason(0x0D);
const OVERFLOW: Reason = Reason(0x0F);

/// What happens to a terminal.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame came from the host.
    Heard(Heard),
    /// A host has connected (TCP only: a P6X does not notice).
    LinkUp,
    /// The connection is gone (TCP only).
    LinkLost,
    /// Somebody presents a card.
    Tap(SimCard),
    /// Somebody presses a button of the screen.
    Press(String),
    /// The power fails and comes back.
    PowerCycle,
    /// The terminal loses its sessions; the bank does not.
    ForgetSessions,
    /// Time has passed.
    Tick,
}

/// What a terminal does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It says something.
    Say {
        /// What.
        response: Response,
        /// Which request this answers; none when nobody asked.
        to: Option<Command>,
        /// In which block format, and with or without reasons.
        style: Style,
    },
    /// It closes the connection, as nothing has come for too long.
    Close,
}

/// A simulated terminal.
#[derive(Clone, Debug)]
pub struct SimTerminal {
    id: TerminalId,
    family: Family,
    bank: Bank,
    pub(super) quirks: Quirks,
    pub(super) serial_number: String,
    state: TerminalState,
    style: Style,
    options: Options,
    setup: Option<Setup>,
    flow: Option<Flow>,
    underway: Vec<Underway>,
    /// Counts how often it has gone OFFLINE.
    dialogue: u32,
    /// Answers of the bank to Update, on their way back.
    updated: Vec<(Timestamp, Response)>,
    memory: Memory,
    display: Display,
    pub(super) papers: Papers,
    /// What Select Language has said last.
    language: Option<Vec<u8>>,
    /// TCP only: when something was last heard or said, while a host is connected.
    active_at: Option<Timestamp>,
}

impl SimTerminal {
    /// A terminal that has just been switched on.
    pub fn new(id: TerminalId, family: Family, serial_number: String, quirks: Quirks, bank: Bank) -> Self {
        Self {
            memory: Memory::new(id.clone(), bank.clone(), quirks.first_session_id),
            id,
            family,
            bank,
            quirks,
            serial_number,
            state: TerminalState::Offline,
            style: Style::default(),
            options: Options::default(),
            setup: None,
            flow: None,
            underway: Vec::new(),
            dialogue: 0,
            updated: Vec::new(),
            display: Display::default(),
            papers: Papers::default(),
            language: None,
            active_at: None,
        }
    }

    /// Its state.
    pub const fn state(&self) -> TerminalState {
        self.state
    }

    /// The block format and the wordiness in force: how the next frame from the host is to be read.
    pub const fn style(&self) -> Style {
        self.style
    }

    /// The sessions that it remembers, oldest first.
    pub fn sessions(&self) -> Vec<TerminalSessionId> {
        self.memory.ids().collect()
    }

    /// What a driver sees; none before anything was shown.
    pub fn screen(&self) -> Option<Screen> {
        self.display.screen()
    }

    /// The payload of the last Select Language that it took.
    pub fn language(&self) -> Option<&[u8]> {
        self.language.as_deref()
    }

    /// Whether it would read this card now.
    pub fn would_read(&self, card: &SimCard) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.waits_for_card() && self.takes(card, flow))
    }

    /// When it next wants an [`Input::Tick`].
    pub fn next_tick(&self) -> Option<Timestamp> {
        let flow = self.flow.as_ref().and_then(Flow::next_tick);
        let underway = self.underway.iter().map(Underway::next_tick).min();
        let updated = self.updated.iter().map(|(at, _)| *at).min();
        [flow, underway, updated, self.memory.next_end(), self.idle_until()].into_iter().flatten().min()
    }

    /// The one way in.
    pub fn on(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        // What was due before this happens before this.
        self.pass_time(now, &mut out);
        match input {
            Input::Heard(heard) => {
                self.active_at = self.active_at.map(|_| now);
                self.hear(heard, now, &mut out);
            }
            Input::LinkUp => {
                self.lose_host();
                self.forget_at(Occasion::Connection);
                self.active_at = Some(now);
            }
            Input::LinkLost => {
                self.lose_host();
                self.active_at = None;
            }
            Input::Tap(card) => self.read_card(card, now, &mut out),
            Input::Press(button) => self.press(&button, &mut out),
            Input::PowerCycle => self.power_cycle(),
            Input::ForgetSessions => self.memory.forget(),
            Input::Tick => {}
        }
        // A bank that answers at once answers now.
        self.pass_time(now, &mut out);
        if !out.is_empty() {
            self.active_at = self.active_at.map(|_| now);
        }
        out
    }

    fn power_cycle(&mut self) {
        self.go_offline();
        self.setup = None;
        self.language = None;
        self.active_at = None;
        self.forget_at(Occasion::PowerCycle);
    }

    fn hear(&mut self, heard: Heard, now: Timestamp, out: &mut Vec<Output>) {
        let command = Command::heard(&heard);
        let unknown = |heard: &Heard| matches!(heard, Heard::Request(request) if !request.kind().known_to(self.family));
        if unknown(&heard) {
            return self.refuse(command, UNKNOWN_COMMAND, out);
        }
        let ends_flow = command == Command::Disable && self.quirks.disable_ends_flow && self.flow.is_some();
        if !command.allowed_in(self.state) && !ends_flow {
            return self.refuse(command, Reason::WRONG_STATE, out);
        }
        let request = match heard {
            Heard::Request(request) => request,
            Heard::Unknown(_) => return self.refuse(command, UNKNOWN_COMMAND, out),
            Heard::Incorrect(_) => return self.refuse(command, INCORRECT_MESSAGE, out),
            Heard::Damaged if self.quirks.ignore_damaged => return,
            Heard::Damaged => return self.refuse(command, Reason::INCORRECT_CHECKSUM, out),
        };
        // Assumption 12: options of the other family are no fault.
        if command != Command::Protocol && request.supported_by(self.family).is_err() {
            return self.refuse(command, INCORRECT_MESSAGE, out);
        }
        match request {
            Request::Reset => self.reset(out),
            Request::Synchronize => self.synchronize(out),
            Request::Protocol(wanted) => self.negotiate(wanted, out),
            Request::Setup(setup) => self.set_up(setup, now, out),
            Request::Enable => {
                if self.state == TerminalState::Disabled {
                    self.state = TerminalState::Enabled;
                }
                self.ok(command, out);
            }
            Request::Disable => {
                self.drop_flow();
                self.state = TerminalState::Disabled;
                self.ok(command, out);
            }
            Request::GetStatus => {
                let running = self.state == TerminalState::WaitCard
                    || self.quirks.running_in_wait_auth && self.state == TerminalState::WaitAuth;
                self.say(Response::Status(Status { state: self.state, running }), command, out);
            }
            Request::RequestIds => self.say(Response::Ids(self.ids()), command, out),
            Request::StartSession(start) => self.start(start, now, out),
            Request::ReadCard(read) => self.start_reading(read, now, out),
            Request::AuthSession => self.authorise(now, out),
            Request::CancelSession => self.cancel(out),
            Request::CommitSession { session, amount } => self.dispose(session, Demand::Commit(amount), now, out),
            Request::VoidSession { session } => self.dispose(session, Demand::Void, now, out),
            Request::UpdateSession { session, amount } => self.ask_for_update(session, amount, now, out),
            Request::ListSessions { offset } => self.list_sessions(offset, out),
            Request::RemoveSessions(_) => self.remove_sessions(now, out),
            Request::UiRequest(ui) => self.show(ui, out),
            Request::SelectLanguage(language) => {
                self.language = Some(language.reveal().to_vec());
                self.ok(command, out);
            }
            Request::ProprietaryExchange(told) => self.talk_to_badge(command, told.reveal(), out),
            Request::MiFare(told) => self.talk_to_badge(command, told.reveal(), out),
            Request::GetConnectionInfo(_) => self.give(Paper::ConnectionInfo, command, out),
            Request::GetReceipt(_) => self.give(Paper::Receipt, command, out),
            Request::GetTransactionRecord(_) => self.give(Paper::TransactionRecord, command, out),
            Request::ReadFile(_) => self.give(Paper::File, command, out),
            Request::Control(Control::Reboot) => {
                // PSP, Control: the Result, then at once the reboot.
                self.ok(command, out);
                self.power_cycle();
                out.push(Output::Close);
            }
        }
    }

    /// Everything that is due.
    fn pass_time(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.reach_bank(now, out);
        self.memory.end_old(now);
        if !self.pass_flow_time(now, out) && self.idle_until().is_some_and(|until| until <= now) {
            self.lose_host();
            self.active_at = None;
            out.push(Output::Close);
        }
    }

    /// TCP only (PSP, Timeouts): idle is a connection on which no request is outstanding.
    fn idle_until(&self) -> Option<Timestamp> {
        let outstanding = self.flow.as_ref().is_some_and(|flow| flow.is_outstanding(&self.quirks));
        let since = self.active_at.filter(|_| self.quirks.idle_close && !outstanding)?;
        Some(since.after(IDLE_CLOSE))
    }

    fn forget_at(&mut self, occasion: Occasion) {
        if self.quirks.forgets_at.contains(&occasion) {
            self.memory.forget();
        }
    }

    fn tell(&self, event: TransactionEvent, out: &mut Vec<Output>) {
        if self.options.contains(Options::EVENTS) {
            out.push(Output::Say { response: Response::TransactionEvent(event), to: None, style: self.style });
        }
    }

    fn say(&self, response: Response, to: Command, out: &mut Vec<Output>) {
        out.push(Output::Say { response, to: Some(to), style: self.style });
    }

    fn ok(&self, command: Command, out: &mut Vec<Output>) {
        self.say(Response::Result(Verdict::Ok), command, out);
    }

    fn refuse(&self, command: Command, reason: Reason, out: &mut Vec<Output>) {
        self.say(self.not_ok(reason), command, out);
    }

    fn not_ok(&self, reason: Reason) -> Response {
        Response::Result(Verdict::NotOk(self.style.detailed.then_some(reason)))
    }
}
