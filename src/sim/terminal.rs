//! A simulated terminal: a machine that hears requests and cards, asks its bank, and answers. It follows PSP, States, and
//! where the pages are silent, PSP 18 "Assumed until Payter answers". It does no I/O and knows no clock.
//!
//! ```text
//!   OFFLINE ──Synchronize──► ONLINE ──Setup──► DISABLED ──Enable──► ENABLED ◄──────────────────────┐
//!      ▲                                          ▲ └──────────Disable─┘ │ Start Session           │
//!      └── Reset, link lost (TCP), power cycle                           ▼                         │
//!          from every state                                         WAIT_CARD ──Cancel, no card──► ┤
//!                                                                        │ card                    │
//!                                                                        ▼                         │
//!                                                                   WAIT_AUTH ──Cancel, 30 s, ───► ┘
//!                                                                            bank's answer to Auth
//! ```

use std::time::Duration;

use super::bank::{Bank, Decision, Demand, Question, Refusal};
use super::card::SimCard;
use super::command::Command;
use super::memory::Memory;
use super::quirks::{CardTimeout, Quirks};
use super::wire::{Heard, Style};
use crate::id::{TerminalId, TerminalSessionId};
use crate::protocol::request::{Options, Protocol, Setup, StartSession};
use crate::protocol::response::{Ids, Reason, SessionList, Status, TerminalState, TransactionEvent, Verdict};
use crate::protocol::{Family, Request, Response};
use crate::time::Timestamp;

/// PSP, Timeouts: so long does a terminal wait for Auth or Cancel after Card Read.
const AUTH_WAIT: Duration = Duration::from_secs(30);

/// PSP, Timeouts: after so long without a request an Apollo closes the connection.
const IDLE_CLOSE: Duration = Duration::from_secs(20);

/// PSP, Timeouts: with a card timeout above this, waiting for a card counts as idle.
const PATIENT_CARD_TIMEOUT: Duration = Duration::from_secs(300);

/// So many session ids fit into a page of List Sessions (PSP 18, point 11): L = 255 = magic, code, total, and four bytes each.
pub(super) const SESSIONS_PER_PAGE: usize = 63;

/// PSP, Errors.
const UNKNOWN_COMMAND: Reason = Reason(0x02);
const INCORRECT_MESSAGE: Reason = Reason(0x03);

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

/// A card flow.
#[derive(Clone, Debug)]
struct Flow {
    start: StartSession,
    step: FlowStep,
}

#[derive(Clone, Debug)]
enum FlowStep {
    WaitCard {
        until: Timestamp,
    },
    WaitAuth {
        card: SimCard,
        until: Timestamp,
    },
    /// Auth has been taken; still WAIT_AUTH to the host.
    Asking {
        answer: Option<(Timestamp, Response)>,
    },
}

/// A question on its way to the bank. It arrives even when the flow that asked it is gone (PSP 18, point 8).
#[derive(Clone, Debug)]
struct Underway {
    arrives: Timestamp,
    answers_after: Duration,
    session: TerminalSessionId,
    start: StartSession,
    card: SimCard,
    setup: Setup,
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
    memory: Memory,
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

    /// When it next wants an [`Input::Tick`].
    pub fn next_tick(&self) -> Option<Timestamp> {
        let flow = match self.flow.as_ref().map(|flow| &flow.step) {
            Some(FlowStep::WaitCard { until } | FlowStep::WaitAuth { until, .. }) => Some(*until),
            Some(FlowStep::Asking { answer }) => answer.as_ref().map(|(at, _)| *at),
            None => None,
        };
        let underway = self.underway.iter().map(|question| question.arrives).min();
        [flow, underway, self.memory.next_end(), self.idle_until()].into_iter().flatten().min()
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
                self.go_offline();
                self.active_at = Some(now);
            }
            Input::LinkLost => {
                self.go_offline();
                self.active_at = None;
            }
            Input::Tap(card) => self.read_card(card, now, &mut out),
            Input::PowerCycle => {
                self.go_offline();
                self.setup = None;
                self.active_at = None;
            }
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

    fn hear(&mut self, heard: Heard, now: Timestamp, out: &mut Vec<Output>) {
        let command = Command::heard(&heard);
        if command == Command::ListSessions && self.family == Family::Apollo {
            return self.refuse(command, UNKNOWN_COMMAND, out);
        }
        if !command.allowed_in(self.state) {
            return self.refuse(command, Reason::WRONG_STATE, out);
        }
        let request = match heard {
            Heard::Request(request) => request,
            Heard::RemoveSessions => {
                // PSP 18, point 11: it only forgets; the bank keeps the holds.
                self.memory.forget();
                return self.say(Response::Result(Verdict::Ok), command, out);
            }
            Heard::Unknown(_) => return self.refuse(command, UNKNOWN_COMMAND, out),
            Heard::Incorrect(_) => return self.refuse(command, INCORRECT_MESSAGE, out),
            Heard::Damaged if self.quirks.ignore_damaged => return,
            Heard::Damaged => return self.refuse(command, Reason::INCORRECT_CHECKSUM, out),
        };
        match request {
            Request::Reset => {
                // PSP 18, point 2: answered in the format that was in force.
                self.say(Response::Result(Verdict::Ok), command, out);
                self.go_offline();
                if self.quirks.reset_forgets {
                    self.memory.forget();
                }
            }
            Request::Synchronize => {
                self.flow = None;
                self.state = TerminalState::Online;
                self.say(Response::Synchronize, command, out);
            }
            Request::Protocol(wanted) => self.negotiate(wanted, out),
            Request::Setup(setup) => {
                self.setup = Some(setup);
                if self.quirks.setup_rearms {
                    self.memory.rearm(setup, now);
                }
                self.state = TerminalState::Disabled;
                self.say(Response::Result(Verdict::Ok), command, out);
            }
            Request::Enable => {
                if self.state == TerminalState::Disabled {
                    self.state = TerminalState::Enabled;
                }
                self.say(Response::Result(Verdict::Ok), command, out);
            }
            Request::Disable => {
                self.state = TerminalState::Disabled;
                self.say(Response::Result(Verdict::Ok), command, out);
            }
            Request::GetStatus => {
                let running = self.state == TerminalState::WaitCard;
                self.say(Response::Status(Status { state: self.state, running }), command, out);
            }
            Request::RequestIds => self.say(Response::Ids(self.ids()), command, out),
            Request::StartSession(start) => self.start(start, now, out),
            Request::AuthSession => self.authorise(now, out),
            Request::CancelSession => self.cancel(out),
            Request::CommitSession { session, amount } => self.dispose(session, Demand::Commit(amount), now, out),
            Request::VoidSession { session } => self.dispose(session, Demand::Void, now, out),
            Request::ListSessions { offset } => {
                let total = u8::try_from(self.memory.len()).unwrap_or(u8::MAX);
                let page = self.memory.ids().skip(usize::from(offset));
                let sessions = page.take(self.quirks.sessions_per_page).collect();
                self.say(Response::SessionList(SessionList { total, sessions }), command, out);
            }
            _ => self.refuse(command, UNKNOWN_COMMAND, out),
        }
    }

    /// PSP 18, points 2 and 3: no card flow, default block, no options. Sessions stay.
    fn go_offline(&mut self) {
        self.state = TerminalState::Offline;
        self.style = Style::default();
        self.options = Options::default();
        self.flow = None;
    }

    fn negotiate(&mut self, wanted: Protocol, out: &mut Vec<Output>) {
        if !(1..=3).contains(&wanted.version) {
            return self.refuse(Command::Protocol, INCORRECT_MESSAGE, out);
        }
        let both = Options::EVENTS.with(Options::AUTHORIZATION_DOL);
        let known = match self.family {
            Family::P6x => both,
            Family::Apollo => both.with(Options::EXTENDED_BLOCK).with(Options::DETAILED_CODES).with(Options::DECLINED_DOL),
        };
        // PSP 18, point 12: options of the other family are left out of the echo.
        let options = Options(wanted.options.0 & known.0 & self.quirks.accepted_options.0);
        self.say(Response::Protocol(Protocol { version: wanted.version, options }), Command::Protocol, out);
        // PSP, Extended block: the answer itself still has the old format.
        self.options = options;
        self.style =
            Style { extended: options.contains(Options::EXTENDED_BLOCK), detailed: options.contains(Options::DETAILED_CODES) };
    }

    fn ids(&self) -> Ids {
        let serial_number = self.serial_number.clone();
        match self.family {
            Family::Apollo => {
                let software = ["platform", "2.4.1", "2025-11", "psp", "3.1.0"].map(str::to_owned).to_vec();
                Ids { serial_number, model: Some("Apollo".to_owned()), software }
            }
            Family::P6x => Ids { serial_number, model: None, software: vec!["P6X-PSP-4.7.0".to_owned()] },
        }
    }

    fn start(&mut self, start: StartSession, now: Timestamp, out: &mut Vec<Output>) {
        let command = Command::Start;
        let foreign = start.reference_text.is_some() && self.family == Family::P6x;
        if start.amount.is_zero() || foreign {
            return self.refuse(command, INCORRECT_MESSAGE, out);
        }
        // PSP 18, point 6. A question that is still underway may yet become a session.
        let open = self.memory.has_reference(start.reference)
            || self.underway.iter().any(|question| question.start.reference == start.reference);
        if open {
            return self.refuse(command, Reason::DUPLICATE_SESSION, out);
        }
        self.state = TerminalState::WaitCard;
        self.flow = Some(Flow { start, step: FlowStep::WaitCard { until: now.after(self.quirks.card_timeout) } });
        // PSP 18, point 6: no immediate OK.
        self.tell(TransactionEvent::Started, out);
    }

    fn read_card(&mut self, card: SimCard, now: Timestamp, out: &mut Vec<Output>) {
        let style = self.style;
        let Some(Flow { start, step: step @ FlowStep::WaitCard { .. } }) = self.flow.as_mut() else {
            return;
        };
        let dol = super::wire::card_dol(&card, &start.dol);
        *step = FlowStep::WaitAuth { card, until: now.after(AUTH_WAIT) };
        self.state = TerminalState::WaitAuth;
        self.tell(TransactionEvent::ReadingCard, out);
        self.tell(TransactionEvent::CardReadComplete, out);
        out.push(Output::Say { response: Response::CardRead(dol), to: Some(Command::Start), style });
    }

    fn authorise(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Some((flow, setup)) = self.flow.as_mut().zip(self.setup) else {
            return self.refuse(Command::Auth, Reason::WRONG_STATE, out);
        };
        let FlowStep::WaitAuth { card, .. } = &flow.step else {
            return self.refuse(Command::Auth, Reason::INVALID_STATE, out);
        };
        let card = card.clone();
        let policy = self.bank.policy(&card);
        let session = self.memory.number(&self.quirks);
        self.underway.push(Underway {
            arrives: now.after(policy.reaches_after),
            answers_after: policy.answers_after,
            session,
            start: flow.start.clone(),
            card,
            setup,
        });
        flow.step = FlowStep::Asking { answer: None };
    }

    fn cancel(&mut self, out: &mut Vec<Output>) {
        if let Some(Flow { step: FlowStep::Asking { .. }, .. }) = self.flow {
            // The bank has been asked: too late to take it back.
            return self.refuse(Command::Cancel, Reason::INVALID_STATE, out);
        }
        self.end_flow(out);
        self.say(Response::Cancelled, Command::Cancel, out);
    }

    fn dispose(&mut self, id: TerminalSessionId, demand: Demand, now: Timestamp, out: &mut Vec<Output>) {
        let command = if demand == Demand::Void { Command::Void } else { Command::Commit };
        match self.memory.end(id, demand, &self.quirks, now) {
            Ok(()) => self.say(Response::Result(Verdict::Ok), command, out),
            Err(Refusal::Amount) => self.refuse(command, INCORRECT_MESSAGE, out),
            Err(Refusal::Unknown | Refusal::Ended) => self.refuse(command, Reason::SESSION_NOT_FOUND, out),
        }
    }

    /// Everything that is due.
    fn pass_time(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.reach_bank(now);
        let Some(flow) = &self.flow else {
            return self.pass_idle_time(now, out);
        };
        match &flow.step {
            FlowStep::WaitCard { until } if *until <= now => {
                // PSP 18, point 7.
                self.end_flow(out);
                match self.quirks.on_card_timeout {
                    CardTimeout::Cancelled => self.say(Response::Cancelled, Command::Start, out),
                    CardTimeout::NotOk => self.refuse(Command::Start, Reason::CANCELLED, out),
                    CardTimeout::Silent => {}
                }
            }
            FlowStep::WaitAuth { until, .. } if *until <= now => {
                // PSP 18, point 7: silently.
                self.flow = None;
                self.state = TerminalState::Enabled;
            }
            FlowStep::Asking { answer: Some((at, response)) } if *at <= now => {
                let response = response.clone();
                self.end_flow(out);
                self.say(response, Command::Auth, out);
            }
            _ => self.pass_idle_time(now, out),
        }
    }

    fn pass_idle_time(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if self.idle_until().is_some_and(|until| until <= now) {
            self.go_offline();
            self.active_at = None;
            out.push(Output::Close);
        }
    }

    fn reach_bank(&mut self, now: Timestamp) {
        let underway = std::mem::take(&mut self.underway);
        let (arrived, underway): (Vec<_>, Vec<_>) = underway.into_iter().partition(|question| question.arrives <= now);
        self.underway = underway;
        for question in arrived {
            let answers_at = question.arrives.after(question.answers_after);
            let (session, response) = (question.session, self.ask_bank(&question));
            // The flow that asked may be gone, or be another one by now.
            if let Some(Flow { start, step: FlowStep::Asking { answer: answer @ None } }) = self.flow.as_mut()
                && start.reference == question.start.reference
            {
                *answer = Some((answers_at, response));
            } else {
                tracing::debug!(terminal = %self.id, %session, "the bank has answered, but nobody waits for it any more");
            }
        }
        self.memory.end_old(now);
    }

    fn ask_bank(&mut self, question: &Underway) -> Response {
        let asked = Question {
            terminal: &self.id,
            session: question.session,
            reference: question.start.reference,
            card: &question.card,
            amount: question.start.amount,
            partial: self.family == Family::Apollo,
        };
        let detailed = self.style.detailed;
        let held = match self.memory.hold(&asked, question.setup, question.arrives) {
            Decision::Declined(reason) => return Response::declined(detailed.then_some(reason)),
            Decision::Held(held) => held,
        };
        let dol = if self.options.contains(Options::AUTHORIZATION_DOL) {
            super::wire::card_dol(&question.card, &question.start.dol)
        } else {
            crate::protocol::Dol::default()
        };
        if held == question.start.amount {
            Response::Approved { session: question.session, dol }
        } else {
            Response::PartiallyApproved { session: question.session, amount: held, dol }
        }
    }

    /// TCP only (PSP, Timeouts): idle is a connection on which no request is outstanding.
    fn idle_until(&self) -> Option<Timestamp> {
        let outstanding = match self.flow.as_ref().map(|flow| &flow.step) {
            Some(FlowStep::WaitCard { .. }) => self.quirks.card_timeout <= PATIENT_CARD_TIMEOUT,
            Some(FlowStep::Asking { .. }) => true,
            Some(FlowStep::WaitAuth { .. }) | None => false,
        };
        let since = self.active_at.filter(|_| self.quirks.idle_close && !outstanding)?;
        Some(since.after(IDLE_CLOSE))
    }

    fn end_flow(&mut self, out: &mut Vec<Output>) {
        self.flow = None;
        self.state = TerminalState::Enabled;
        self.tell(TransactionEvent::TransactionComplete, out);
    }

    fn tell(&self, event: TransactionEvent, out: &mut Vec<Output>) {
        if self.options.contains(Options::EVENTS) {
            out.push(Output::Say { response: Response::TransactionEvent(event), to: None, style: self.style });
        }
    }

    fn say(&self, response: Response, to: Command, out: &mut Vec<Output>) {
        out.push(Output::Say { response, to: Some(to), style: self.style });
    }

    fn refuse(&self, command: Command, reason: Reason, out: &mut Vec<Output>) {
        let verdict = Verdict::NotOk(self.style.detailed.then_some(reason));
        self.say(Response::Result(verdict), command, out);
    }
}
