//! A card flow: from Start Session or Read Card to what ends it. Its states are those of the picture in [`super`].

use std::time::Duration;

use super::{INCORRECT_MESSAGE, NO_TRANSACTION, Output, SimTerminal, UNKNOWN_CARD};
use crate::protocol::dol::Tag;
use crate::protocol::request::{PaymentMethods, ReadCard, StartSession};
use crate::protocol::response::{Reason, TerminalState, TransactionEvent};
use crate::protocol::{Family, Response};
use crate::sim::card::{SimCard, takes_payment};
use crate::sim::command::Command;
use crate::sim::display::CardScreen;
use crate::sim::quirks::{CardTimeout, Quirks};
use crate::sim::wire;
use crate::time::Timestamp;

/// PSP, Timeouts: with a card timeout above this, waiting for a card counts as idle.
const PATIENT_CARD_TIMEOUT: Duration = Duration::from_secs(300);

/// A card flow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) asked: Asked,
    pub(super) step: FlowStep,
}

/// What opened it.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Start(StartSession),
    Read(ReadCard),
}

impl Asked {
    const fn command(&self) -> Command {
        match self {
            Self::Start(_) => Command::Start,
            Self::Read(_) => Command::ReadCard,
        }
    }

    fn dol(&self) -> &[Tag] {
        match self {
            Self::Start(start) => &start.dol,
            Self::Read(read) => &read.dol,
        }
    }

    const fn payment_methods(&self) -> PaymentMethods {
        match self {
            Self::Start(start) => start.payment_methods,
            Self::Read(read) => read.payment_methods,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum FlowStep {
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

impl Flow {
    pub(super) const fn waits_for_card(&self) -> bool {
        matches!(self.step, FlowStep::WaitCard { .. })
    }

    /// Whether the host waits for an answer.
    pub(super) fn is_outstanding(&self, quirks: &Quirks) -> bool {
        match self.step {
            FlowStep::WaitCard { .. } => quirks.card_timeout <= PATIENT_CARD_TIMEOUT,
            FlowStep::Asking { .. } => true,
            FlowStep::WaitAuth { .. } => false,
        }
    }

    pub(super) fn next_tick(&self) -> Option<Timestamp> {
        match &self.step {
            FlowStep::WaitCard { until } | FlowStep::WaitAuth { until, .. } => Some(*until),
            FlowStep::Asking { answer } => answer.as_ref().map(|(at, _)| *at),
        }
    }
}

impl SimTerminal {
    pub(super) fn start(&mut self, start: StartSession, now: Timestamp, out: &mut Vec<Output>) {
        let command = Command::Start;
        if start.amount.is_zero() {
            return self.refuse(command, INCORRECT_MESSAGE, out);
        }
        // Assumption 6. A question that is still underway may yet become a session.
        let open =
            self.memory.has_reference(start.reference) || self.underway.iter().any(|question| question.is_for(start.reference));
        if open && !self.quirks.takes_duplicates {
            return self.refuse(command, Reason::DUPLICATE_SESSION, out);
        }
        // Assumption 6: no immediate OK.
        if self.quirks.start_says_ok {
            self.ok(command, out);
        }
        self.display.take(CardScreen::of_start(&start));
        self.wait_for_card(Asked::Start(start), now, out);
    }

    /// PSP, Read Card: as Start Session, without an amount.
    pub(super) fn start_reading(&mut self, read: ReadCard, now: Timestamp, out: &mut Vec<Output>) {
        self.display.take(CardScreen::of_read(&read));
        self.wait_for_card(Asked::Read(read), now, out);
    }

    fn wait_for_card(&mut self, asked: Asked, now: Timestamp, out: &mut Vec<Output>) {
        self.state = TerminalState::WaitCard;
        self.flow = Some(Flow { asked, step: FlowStep::WaitCard { until: now.after(self.quirks.card_timeout) } });
        self.tell(TransactionEvent::Started, out);
    }

    /// Whether this flow takes such a card.
    pub(super) fn takes(&self, card: &SimCard, flow: &Flow) -> bool {
        if card.can_pay() {
            takes_payment(flow.asked.payment_methods())
        } else {
            self.family == Family::Apollo && self.quirks.reads_badges
        }
    }

    pub(super) fn read_card(&mut self, card: SimCard, now: Timestamp, out: &mut Vec<Output>) {
        if !self.would_read(&card) {
            return;
        }
        let Some(flow) = self.flow.as_mut() else { return };
        let dol = wire::card_dol(&card, flow.asked.dol());
        let response = if card.can_pay() { Response::CardRead(dol) } else { Response::ProprietaryCardRead(dol) };
        let command = flow.asked.command();
        flow.step = FlowStep::WaitAuth { card, until: now.after(self.quirks.auth_wait) };
        self.state = TerminalState::WaitAuth;
        self.tell(TransactionEvent::ReadingCard, out);
        self.tell(TransactionEvent::CardReadComplete, out);
        self.say(response, command, out);
    }

    pub(super) fn authorise(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Some((flow, setup)) = self.flow.as_mut().zip(self.setup) else {
            return self.refuse(Command::Auth, Reason::WRONG_STATE, out);
        };
        let FlowStep::WaitAuth { card, .. } = &flow.step else {
            return self.refuse(Command::Auth, Reason::INVALID_STATE, out);
        };
        if !card.can_pay() {
            return self.refuse(Command::Auth, UNKNOWN_CARD, out);
        }
        let Asked::Start(start) = &flow.asked else {
            // Read Card names no amount that could be held.
            return self.refuse(Command::Auth, NO_TRANSACTION, out);
        };
        let (start, card) = (start.clone(), card.clone());
        flow.step = FlowStep::Asking { answer: None };
        self.ask_for_hold(start, card, setup, now);
    }

    pub(super) fn cancel(&mut self, out: &mut Vec<Output>) {
        if let Some(Flow { step: FlowStep::Asking { .. }, .. }) = self.flow {
            // The bank has been asked: too late to take it back.
            return self.refuse(Command::Cancel, Reason::INVALID_STATE, out);
        }
        self.end_flow(out);
        self.say(Response::Cancelled, Command::Cancel, out);
    }

    /// Whether anything was due.
    pub(super) fn pass_flow_time(&mut self, now: Timestamp, out: &mut Vec<Output>) -> bool {
        let Some(flow) = self.flow.as_ref().filter(|flow| flow.next_tick().is_some_and(|at| at <= now)) else {
            return false;
        };
        let command = flow.asked.command();
        match &flow.step {
            FlowStep::WaitCard { .. } => {
                self.end_flow(out);
                self.tell_timeout(self.quirks.on_card_timeout, command, out);
            }
            FlowStep::WaitAuth { .. } => {
                // Assumption 7: silently, as far as events go.
                self.drop_flow();
                self.state = TerminalState::Enabled;
                self.tell_timeout(self.quirks.on_auth_timeout, command, out);
            }
            FlowStep::Asking { answer } => {
                let answer = answer.clone();
                self.end_flow(out);
                if let Some((_, response)) = answer {
                    self.say(response, Command::Auth, out);
                }
            }
        }
        true
    }

    fn tell_timeout(&self, how: CardTimeout, command: Command, out: &mut Vec<Output>) {
        match how {
            CardTimeout::Cancelled => self.say(Response::Cancelled, command, out),
            CardTimeout::NotOk => self.refuse(command, Reason::CANCELLED, out),
            CardTimeout::Silent => {}
        }
    }

    pub(super) fn drop_flow(&mut self) {
        self.flow = None;
        self.display.give_up();
    }

    fn end_flow(&mut self, out: &mut Vec<Output>) {
        self.drop_flow();
        self.state = TerminalState::Enabled;
        self.tell(TransactionEvent::TransactionComplete, out);
    }
}
