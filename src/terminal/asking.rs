//! What integrators ask of a terminal beside money: any other message, one at a time in the command lane, and a card that is only
//! read. Nothing here can move money, and nothing is asked while a card is being authorised: a terminal that does not answer
//! costs its link, and with it the answer to Auth.

use std::collections::VecDeque;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::journal::{Entry, Fact};
use crate::link::Outcome;
use crate::protocol::Request;
use crate::protocol::request::{Control, ReadCard};
use crate::protocol::response::{Response, TerminalState, Verdict};
use crate::session::Refusal;
use crate::time::Timestamp;

use super::actor::TerminalActor;
use super::link::Purpose;
use super::trouble::Trouble;
use super::turn::{Flow, Holder, Owner};

/// How long a card that was only read can be spoken to (PSP, Timeouts: the terminal drops it after 30 s).
const CARD_FOR: Duration = Duration::from_secs(29);

/// So many requests may wait for one terminal: they are made by people and slow programs.
const WAITING_MAX: usize = 8;

/// A longer name of a button is cut: it comes from outside.
const BUTTON_MAX: usize = 64;

/// Sends a request that is about no money; answered with what the terminal says.
#[derive(Message, Clone, Debug)]
#[rtype(result = "Result<Response, Refusal>")]
pub struct Ask {
    /// What.
    pub request: Request,
    /// Whose token it was.
    pub by: String,
}

/// Who waits for an answer.
pub(super) type Reply = oneshot::Sender<Result<Response, Refusal>>;

/// Requests that wait for their turn.
pub(super) type Asked = VecDeque<(Request, Reply)>;

/// A card that is read for an integrator, and for no session.
#[derive(Debug)]
pub(super) struct Reading {
    request: ReadCard,
    /// Hears of the card.
    reply: Option<Reply>,
    /// Hears of the end.
    ended: Vec<Reply>,
    /// The card can be spoken to until then.
    until: Option<Timestamp>,
}

fn answer(reply: Reply, result: Result<Response, Refusal>) {
    // Whoever asked may have gone.
    drop(reply.send(result));
}

impl TerminalActor {
    /// Takes a request, or says why not.
    fn take_request(&mut self, request: Request, reply: Reply) -> Result<(), (Reply, Refusal)> {
        let refusal = match self.permit(&request) {
            Err(refusal) => refusal,
            Ok(()) => match request {
                Request::ReadCard(request) => {
                    self.reading = Some(Reading { request, reply: Some(reply), ended: Vec::new(), until: None });
                    self.turns.want_reader();
                    return Ok(());
                }
                Request::CancelSession => {
                    self.turns.cancel_reader();
                    match &mut self.reading {
                        Some(reading) => reading.ended.push(reply),
                        None => answer(reply, Ok(Response::Cancelled)),
                    }
                    return Ok(());
                }
                request => {
                    self.asked.push_back((request, reply));
                    self.turns.ask = true;
                    return Ok(());
                }
            },
        };
        Err((reply, refusal))
    }

    /// Whether this can be asked now.
    fn permit(&self, request: &Request) -> Result<(), Refusal> {
        if !is_askable(request) {
            let why = format!("{} is about money or the set-up, and is not sent on request", request.name());
            return Err(Refusal::NotSupported(why));
        }
        request.supported_by(self.settings.family).map_err(|error| Refusal::NotSupported(error.to_string()))?;
        if !self.machine.is_up() {
            return Err(self.not_ready(format!("its link is {}", self.link.state.as_str())));
        }
        if self.going_down {
            return Err(Refusal::Draining(self.id().to_string()));
        }
        let with_card = self.reading.as_ref().and_then(|reading| reading.until).is_some_and(|until| self.now() < until);
        match request {
            Request::ReadCard(_) if self.closed() => Err(Refusal::Draining(self.id().to_string())),
            Request::ReadCard(_) if !self.turns.admits() || self.children.values().any(|child| child.session.before_hold()) => {
                Err(Refusal::TerminalBusy(self.id().clone()))
            }
            Request::ReadCard(_) if !self.reconciled => Err(self.not_ready("its holds are being compared with ours")),
            Request::ProprietaryExchange(_) | Request::MiFare(_) if !with_card => {
                Err(self.not_ready("no card was read with read_card in the last 30 s"))
            }
            Request::CancelSession if self.reading.is_none() => Err(self.not_ready("no card is being read with read_card")),
            // It would throw out whoever stands before the terminal.
            Request::Control(_) if self.card_is_wanted() => Err(Refusal::TerminalBusy(self.id().clone())),
            _ if self.turns.money_flows() => Err(Refusal::TerminalBusy(self.id().clone())),
            _ if self.asked.len() >= WAITING_MAX => Err(self.not_ready("too many requests wait for it")),
            _ => Ok(()),
        }
    }

    /// A card flow is open, or is about to be.
    fn card_is_wanted(&self) -> bool {
        self.turns.flow != Flow::None || self.children.values().any(|child| child.session.before_hold())
    }

    /// The turn for requests has come.
    pub(super) fn ask_next(&mut self) {
        let next = self.asked.pop_front();
        self.turns.ask = !self.asked.is_empty();
        match next {
            // A card flow may have been opened since this was asked for.
            Some((Request::Control(_), reply)) if self.card_is_wanted() => {
                self.release(Holder::Asked);
                answer(reply, Err(Refusal::TerminalBusy(self.id().clone())));
            }
            Some((request, reply)) => {
                self.ask(Purpose::Asked(reply), request);
            }
            None => self.release(Holder::Asked),
        }
    }

    /// An integrator's request has ended.
    pub(super) fn asked_ended(&mut self, request: &Request, reply: Reply, outcome: Outcome) {
        self.release(Holder::Asked);
        if let (Request::Control(Control::Reboot), Outcome::Answered(Response::Result(Verdict::Ok))) = (request, &outcome) {
            self.give_up_later = Some((Trouble::Asked, "the terminal reboots, as somebody has asked for"));
        }
        answer(reply, self.result_of(request, outcome));
    }

    pub(super) fn read_request(&self) -> Option<Request> {
        self.reading.as_ref().map(|reading| Request::ReadCard(reading.request.clone()))
    }

    /// Read Card has ended, with a card or without one.
    pub(super) fn read_ended(&mut self, outcome: Outcome) {
        let has_card = matches!(outcome, Outcome::Answered(Response::CardRead(_) | Response::ProprietaryCardRead(_)));
        let until = self.now().after(CARD_FOR);
        let Some(reading) = &mut self.reading else { return self.flow_over() };
        let request = Request::ReadCard(reading.request.clone());
        let reply = reading.reply.take();
        reading.until = has_card.then_some(until);
        if let Some(reply) = reply {
            let result = self.result_of(&request, outcome);
            answer(reply, result);
        }
        if has_card {
            self.turns.flow = Flow::CardRead(Owner::Reader);
            self.machine.moved(TerminalState::WaitAuth);
        } else {
            self.flow_over();
        }
    }

    /// A card that was only read is dropped when its time is over: the next driver may be waiting.
    pub(super) fn drop_read_card(&mut self, now: Timestamp) {
        if self.reading.as_ref().and_then(|reading| reading.until).is_some_and(|until| until <= now) {
            self.turns.cancel_reader();
        }
    }

    /// The flow in which a card was only read is over.
    pub(super) fn reading_over(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        for reply in reading.reply.into_iter().chain(reading.ended) {
            answer(reply, Ok(Response::Cancelled));
        }
    }

    /// The link is gone: nobody's request will be sent any more.
    pub(super) fn asked_lost(&mut self) {
        let waiting: Vec<Reply> = self.asked.drain(..).map(|(_, reply)| reply).collect();
        for reply in waiting {
            answer(reply, Err(self.not_ready("the link was lost before this could be sent")));
        }
        if let Some(reading) = self.reading.take() {
            for reply in reading.reply.into_iter().chain(reading.ended) {
                answer(reply, Err(self.not_ready("the link was lost meanwhile")));
            }
        }
    }

    /// A button of a screen: listeners of the journal hear of it.
    pub(super) fn button_pressed(&mut self, ctx: &mut Context<Self>, button: String) {
        // One at a time, and none before the terminal is set up: a button that is stuck must not fill the journal's queue, which all share.
        if self.button_appending || !self.machine.is_up() {
            return debug!(terminal = %self.id(), "a button was pressed, too soon after the one before");
        }
        self.button_appending = true;
        let button: String = button.chars().filter(|c| !c.is_control()).take(BUTTON_MAX).collect();
        info!(terminal = %self.id(), button, "a button was pressed");
        let fact = Fact::ButtonPressed { button };
        let entry = Entry { at: self.now(), terminal: Some(self.id().clone()), session: None, fact };
        let appended = self.around.journal.append(vec![entry]);
        ctx.spawn(appended.into_actor(self).map(|result, this, _| {
            this.button_appending = false;
            if let Err(error) = result {
                warn!(terminal = %this.id(), %error, "a pressed button could not be journaled");
            }
        }));
    }

    pub(super) fn result_of(&self, request: &Request, outcome: Outcome) -> Result<Response, Refusal> {
        match outcome {
            Outcome::Answered(response) => Ok(response),
            Outcome::FlowEnded => Ok(Response::Cancelled),
            Outcome::Unsent => Err(self.not_ready("the link was lost before this could be sent")),
            Outcome::Unanswered(_) => Err(Refusal::TerminalUnanswered { terminal: self.id().clone(), request: request.name() }),
        }
    }
}

/// What may be asked for: everything that is neither money nor set-up. Remove Sessions makes a terminal forget holds, so it is
/// never sent.
const fn is_askable(request: &Request) -> bool {
    match request {
        Request::GetStatus
        | Request::RequestIds
        | Request::ReadCard(_)
        | Request::CancelSession
        | Request::UiRequest(_)
        | Request::SelectLanguage(_)
        | Request::ProprietaryExchange(_)
        | Request::MiFare(_)
        | Request::ReadFile(_)
        | Request::GetConnectionInfo(_)
        | Request::GetReceipt(_)
        | Request::GetTransactionRecord(_)
        | Request::Control(_) => true,
        Request::Reset
        | Request::Synchronize
        | Request::Protocol(_)
        | Request::Setup(_)
        | Request::Enable
        | Request::Disable
        | Request::StartSession(_)
        | Request::AuthSession
        | Request::CommitSession { .. }
        | Request::VoidSession { .. }
        | Request::UpdateSession { .. }
        | Request::ListSessions { .. }
        | Request::RemoveSessions(_) => false,
    }
}

impl Handler<Ask> for TerminalActor {
    type Result = ResponseFuture<Result<Response, Refusal>>;

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answered) = oneshot::channel();
        info!(terminal = %self.id(), request = ask.request.name(), by = ask.by, "asked for");
        match self.take_request(ask.request, reply) {
            Ok(()) => self.go_on(ctx),
            Err((reply, refusal)) => answer(reply, Err(refusal)),
        }
        let gone = self.not_ready("the link was lost before this could be sent");
        Box::pin(async move { answered.await.unwrap_or(Err(gone)) })
    }
}
