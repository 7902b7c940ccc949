//! The link as its terminal has it: one after the other, with the exchanges that are under way, and what comes of each.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use tracing::{debug, error, info, warn};

use crate::id::SessionId;
use crate::journal::record::Cause;
use crate::link::{self, Event, Generation, Loss, Order, Orders, Outcome, Ticket, Told};
use crate::protocol::response::Response;
use crate::protocol::{BlockFormat, Request};
use crate::recorder::Tap;
use crate::session::State;
use crate::session::machine::Input;
use crate::time::{Clock, Timestamp};

use super::actor::TerminalActor;
use super::asking::Reply;
use super::machine::Action;
use super::scan::End;
use super::trouble::{Ending, Trouble};
use super::turn::{Flow, Holder, Owner};
use super::view::LinkState;
use super::world::FromTerminal;

/// A link that was closed says so within this time.
const LAST_EVENT_WITHIN: Duration = Duration::from_secs(10);

/// Who waits for the end of an exchange.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The terminal's own machine.
    Machine,
    /// A cancelled card flow.
    Cancel,
    /// A page of the terminal's list.
    Page,
    /// Start Session of this card flow.
    Start(Owner),
    /// Auth of this session.
    Authorise(SessionId),
    /// Commit or Void of this session.
    Attempt(SessionId),
    /// Update Session of this session.
    Update(SessionId),
    /// A screen.
    Screen,
    /// What an integrator has asked for.
    Asked(Reply),
}

/// The present link, if there is one, and what is known of it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: LinkState,
    /// What it was opened as: only its own events are heard.
    generation: Generation,
    orders: Option<Orders>,
    tickets: BTreeMap<Ticket, (Purpose, Request)>,
    next_ticket: u64,
    /// Why we closed it ourselves.
    trouble: Option<Trouble>,
    /// When we closed it and began to wait for its last event.
    closed_at: Option<Timestamp>,
}

impl Link {
    /// None yet.
    pub(super) fn none() -> Self {
        Self {
            state: LinkState::Down,
            generation: Generation(0),
            orders: None,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            trouble: None,
            closed_at: None,
        }
    }

    /// Orders can be given.
    pub(super) fn is_open(&self) -> bool {
        self.orders.is_some()
    }

    /// There is none, and none that still closes: another one can be opened.
    pub(super) fn is_gone(&self) -> bool {
        self.orders.is_none() && self.closed_at.is_none()
    }

    /// Opens the next one.
    pub(super) fn open(
        &mut self,
        settings: link::Settings,
        format: BlockFormat,
        clock: Clock,
        events: Recipient<Told>,
        tap: Option<Tap>,
    ) {
        self.generation = self.generation.next();
        self.trouble = None;
        self.orders = Some(link::open(settings, format, self.generation, clock, events, tap));
    }

    /// Asks for an exchange; `false` when there is no link to send it on, and then nothing has left.
    fn ask(&mut self, purpose: Purpose, request: Request) -> bool {
        let Some(orders) = &self.orders else { return false };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        if orders.ask(Order { ticket, request: request.clone() }).is_err() {
            return false;
        }
        self.tickets.insert(ticket, (purpose, request));
        true
    }

    /// Closes it; that it is gone is told by its last event. `false` when it is closed or gone already: a wish that comes late must
    /// not hit the link after it.
    fn close(&mut self, trouble: Option<Trouble>, now: Timestamp) -> bool {
        if self.orders.take().is_none() {
            return false;
        }
        self.trouble = trouble;
        self.closed_at = Some(now);
        true
    }

    /// It is being closed, and somebody wants the next one at once.
    pub(super) fn wanted_again(&mut self) {
        self.trouble = Some(Trouble::Asked);
    }

    /// It is gone: why, and whose exchanges it has left without an end.
    fn forget(&mut self, loss: &Loss) -> (Ending, Vec<(Purpose, Request)>) {
        let ending = self.trouble.take().map_or_else(|| Ending::Lost(loss.clone()), Ending::GivenUp);
        self.orders = None;
        self.closed_at = None;
        self.state = LinkState::Down;
        (ending, std::mem::take(&mut self.tickets).into_values().collect())
    }

    /// Whether its last event is overdue: a link whose task has crashed has none.
    fn has_crashed(&mut self, now: Timestamp) -> bool {
        if self.closed_at.is_none() && self.orders.as_ref().is_some_and(Orders::is_gone) {
            self.closed_at = Some(now);
        }
        self.closed_at.is_some_and(|at| now.since(at) >= LAST_EVENT_WITHIN)
    }

    /// Whether Commit, Void or Update of this session is under way.
    pub(super) fn attempting(&self, session: SessionId) -> bool {
        self.tickets
            .values()
            .any(|(purpose, _)| matches!(purpose, Purpose::Attempt(of) | Purpose::Update(of) if *of == session))
    }
}

impl TerminalActor {
    /// Sends a request; `false` when there is no link to send it on, and then nothing has left. A link that takes no more orders is gone:
    /// its last event, which says why, is on its way, or it has crashed.
    pub(super) fn ask(&mut self, purpose: Purpose, request: Request) -> bool {
        let sent = self.link.ask(purpose, request);
        if !sent {
            let now = self.now();
            self.link.close(None, now);
        }
        sent
    }

    /// Gives the link up.
    pub(super) fn give_up(&mut self, trouble: Trouble, why: String) {
        if self.link.close(Some(trouble), self.now()) {
            warn!(terminal = %self.id(), reason = trouble.label(), why, "closing the link");
            self.last_error = Some(why);
        }
    }

    pub(super) fn look_for_a_crashed_link(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        if self.link.has_crashed(now) {
            self.lost(ctx, &Loss::Dropped);
        }
    }

    pub(super) fn perform(&mut self, ctx: &mut Context<Self>, action: Action) {
        match action {
            Action::Ask(request) => {
                self.turns.holder = Holder::Terminal;
                self.ask(Purpose::Machine, request);
            }
            Action::SetUp => {
                match self.machine.disagreement() {
                    Some(disagreement) => {
                        warn!(terminal = %self.id(), disagreement, "set up, but not with all Protocol options")
                    }
                    None => info!(terminal = %self.id(), "set up"),
                }
                self.link.state = LinkState::Up;
                self.display.forget();
                self.release(Holder::Terminal);
                self.compare_on_connect(ctx);
            }
            Action::GiveUp(trouble, why) => self.give_up(trouble, why),
        }
    }

    fn event(&mut self, ctx: &mut Context<Self>, event: Event) {
        match event {
            Event::Opened => {
                debug!(terminal = %self.id(), "the wire is open");
                let action = self.machine.opened(self.now());
                self.perform(ctx, action);
            }
            Event::Ended { ticket, outcome, took } => self.exchange_ended(ctx, ticket, &outcome, took),
            Event::Unasked(Response::TransactionEvent(event)) => debug!(terminal = %self.id(), ?event, "in the card flow"),
            Event::Unasked(Response::UiEvent { button }) => self.button_pressed(ctx, button),
            Event::Unasked(response) => {
                // An approval that nobody waits for is money: say so loudly. A P6X lists it; an Apollo's session is in doubt.
                error!(terminal = %self.id(), response = response.name(), "the terminal said something that nobody asked for");
                self.around.observer.frame_error(&self.settings.id, "unasked");
            }
            Event::Certificate { whose, expires } => self.around.observer.certificate(&self.settings.id, whose, expires),
            Event::FrameError(kind) => self.around.observer.frame_error(&self.settings.id, kind),
            Event::Lost(loss) => self.lost(ctx, &loss),
        }
        self.go_on(ctx);
    }

    fn lost(&mut self, ctx: &mut Context<Self>, loss: &Loss) {
        // Every exchange has had its end already, unless the link's task has crashed: then its request may have arrived.
        let (ending, unended) = self.link.forget(loss);
        if !matches!(loss, Loss::Dropped) {
            self.last_error = Some(loss.to_string());
        }
        let reason = ending.label();
        warn!(terminal = %self.id(), reason, error = self.last_error.as_deref().unwrap_or_default(), "the link is gone");
        self.reconciled = false;
        self.machine.lost();
        for (purpose, request) in unended {
            let outcome = Outcome::Unanswered(Cause::LinkLost);
            match purpose {
                Purpose::Start(Owner::Session(session)) => self.deliver(session, Input::FlowEnded(outcome)),
                Purpose::Authorise(session) => self.deliver(session, Input::Authorised(outcome)),
                Purpose::Attempt(session) => self.deliver(session, Input::Attempted(outcome)),
                Purpose::Update(session) => self.deliver(session, Input::Updated(outcome)),
                Purpose::Asked(reply) => self.asked_ended(&request, reply, outcome),
                Purpose::Start(Owner::Scan | Owner::Reader)
                | Purpose::Machine
                | Purpose::Cancel
                | Purpose::Page
                | Purpose::Screen => {}
            }
        }
        self.authorise_later = None;
        // What was only wanted will not be started any more.
        let wanted = self.turns.flow_sessions();
        self.turns.lost();
        self.scan.ended(End::Ours, self.now(), 0.0);
        self.give_up_later = None;
        self.comparison_lost();
        self.asked_lost();
        self.deliver_to_all(&Input::NotReady);
        for session in wanted {
            let input = match self.children.get(&session).map(|child| &child.session.state) {
                Some(State::Authorising(_)) => Input::Authorised(Outcome::Unsent),
                _ => Input::FlowEnded(Outcome::Unsent),
            };
            // Answered exchanges have been delivered before and make this one fall on deaf ears.
            self.deliver(session, input);
        }
        self.configure_before_next_link();
        let lost = FromTerminal::LinkLost { terminal: self.id().clone(), ending };
        self.tell_fleet(ctx, lost);
    }

    fn exchange_ended(&mut self, ctx: &mut Context<Self>, ticket: Ticket, outcome: &Outcome, took: Duration) {
        let Some((purpose, request)) = self.link.tickets.remove(&ticket) else { return };
        self.around.observer.exchanged(&self.settings.id, &request, outcome, took);
        let now = self.now();
        if matches!(outcome, Outcome::Answered(_)) {
            self.machine.spoke(now);
        }
        match purpose {
            Purpose::Machine => {
                let action = self.machine.answered(outcome, now);
                self.release(Holder::Terminal);
                self.look_after_card(outcome);
                if let Some(action) = action {
                    self.perform(ctx, action);
                }
            }
            Purpose::Cancel => {
                self.release(Holder::Terminal);
                if matches!(self.turns.flow, Flow::CardRead(_)) {
                    self.flow_over();
                }
            }
            Purpose::Screen => self.screen_ended(outcome),
            Purpose::Page => {
                self.doubt_if_refused(outcome);
                self.page_ended(ctx, outcome);
            }
            Purpose::Start(owner) => {
                self.doubt_if_refused(outcome);
                self.start_ended(ctx, owner, outcome);
            }
            Purpose::Authorise(session) => {
                if matches!(outcome, Outcome::Answered(Response::Result(_))) {
                    // The card may wait there still, and whoever comes next before it.
                    self.turns.drop_card(session);
                } else {
                    self.flow_over();
                }
                let number = match outcome {
                    Outcome::Answered(
                        Response::Approved { session: number, .. } | Response::PartiallyApproved { session: number, .. },
                    ) => Some(*number),
                    _ => None,
                };
                if let Some(number) = number {
                    self.number_given(number, session, false);
                }
                self.deliver(session, Input::Authorised(outcome.clone()));
                if let Some(number) = number {
                    self.number_shared(number, session);
                }
            }
            Purpose::Asked(reply) => self.asked_ended(&request, reply, outcome.clone()),
            Purpose::Attempt(session) => {
                self.release(Holder::Session(session));
                self.number_ended(session, outcome);
                self.deliver(session, Input::Attempted(outcome.clone()));
            }
            Purpose::Update(session) => {
                self.release(Holder::Session(session));
                self.deliver(session, Input::Updated(outcome.clone()));
            }
        }
    }
}

impl Handler<Told> for TerminalActor {
    type Result = ();

    fn handle(&mut self, told: Told, ctx: &mut Self::Context) {
        // What a former link still has to say is about exchanges that have had their ends.
        if told.link == self.link.generation {
            self.event(ctx, told.event);
        }
    }
}
