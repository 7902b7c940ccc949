//! The actor of a terminal: owns the link, its session children and the lanes, and carries out what the machines say. What people
//! ask of it is in `requests`, what it compares with its own memory in `comparison`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tracing::{debug, error, info, warn};

use crate::id::{SessionId, TerminalId};
use crate::journal::record::{Cause, Report, Trigger};
use crate::link::{self, Event, Order, Orders, Outcome, Ticket};
use crate::protocol::Request;
use crate::protocol::response::{Response, TerminalState};
use crate::session::actor::{
    Deliver, FromSession, Lease, Observer as SessionObserver, SessionActor, StopReason as SessionStop, World,
};
use crate::session::machine::{Effect, Input, Machine as SessionMachine, Rules};
use crate::session::{Session, State};
use crate::time::Timestamp;

use super::comparison::Comparison;
use super::machine::{self, Action, Machine, Plan};
use super::settings::TerminalSettings;
use super::turn::{Flow, Holder, Next, Turns};
use super::view::{LinkState, View};
use super::world::{FromTerminal, OpenLink, Quarantined, StopReason, Surroundings};

/// Look up what time has brought: gauges, reconciliation.
const PULSE: Duration = Duration::from_secs(1);

/// A serial link has no idle close (PSP, Timeouts), but a terminal that was switched off should not stay unnoticed for longer.
const SERIAL_WATCH: Duration = Duration::from_secs(15);

/// A link that was closed says so within this time.
const LAST_EVENT_WITHIN: Duration = Duration::from_secs(10);

/// So many messages may wait: link events come one by one, and each session has a handful of wishes. More means that the arbiter
/// is lost, and a sender that is refused says so.
const MAILBOX: usize = 1024;

/// A session that has not ended.
pub(super) struct Child {
    pub(super) actor: Addr<SessionActor>,
    pub(super) session: Session,
}

/// Who waits for the end of an exchange.
#[derive(Clone, Debug)]
enum Purpose {
    /// The terminal's own machine.
    Machine,
    /// A cancelled card flow.
    Cancel,
    /// A page of the terminal's list.
    Page,
    /// Start Session of this session.
    Start(SessionId),
    /// Auth of this session.
    Authorise(SessionId),
    /// Commit or Void of this session.
    Attempt(SessionId),
}

/// See the module.
pub struct TerminalActor {
    pub(super) settings: TerminalSettings,
    pub(super) around: Surroundings,
    pub(super) lease: Lease,
    pub(super) machine: Machine,
    pub(super) turns: Turns,
    pub(super) link: Option<Orders>,
    pub(super) link_state: LinkState,
    pub(super) children: BTreeMap<SessionId, Child>,
    restored: Vec<Session>,
    tickets: HashMap<Ticket, (Purpose, Request)>,
    next_ticket: u64,
    pub(super) comparison: Option<Comparison>,
    /// So many orphans' sessions are being made durable.
    pub(super) orphans_opening: usize,
    pub(super) compared_at: Option<Timestamp>,
    pub(super) last_reconciliation: Option<(Timestamp, Report)>,
    pub(super) reconciled: bool,
    pub(super) draining: bool,
    pub(super) going_down: bool,
    trouble: Option<&'static str>,
    /// The terminal must be set up again, as soon as no card is being authorised; says why.
    set_up_later: Option<&'static str>,
    /// When we closed the link ourselves and wait for its last event.
    closed_at: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    published: Option<View>,
    reason: Option<StopReason>,
}

impl TerminalActor {
    /// An actor for a terminal with these sessions that have not ended, as the journal tells them.
    pub fn new(settings: TerminalSettings, around: Surroundings, sessions: Vec<Session>, draining: bool) -> Self {
        let plan = Plan {
            family: settings.family,
            serial_number: settings.serial_number.clone(),
            setup: machine::setup(&settings.policy),
            keepalive: settings.keepalive.unwrap_or(SERIAL_WATCH),
        };
        let machine = Machine::new(plan, around.clock.now());
        Self {
            settings,
            around,
            lease: Lease::default(),
            machine,
            turns: Turns::default(),
            link: None,
            link_state: LinkState::Down,
            children: BTreeMap::new(),
            restored: sessions,
            tickets: HashMap::new(),
            next_ticket: 0,
            comparison: None,
            orphans_opening: 0,
            compared_at: None,
            last_reconciliation: None,
            reconciled: false,
            draining,
            going_down: false,
            trouble: None,
            set_up_later: None,
            closed_at: None,
            last_error: None,
            published: None,
            reason: None,
        }
    }

    pub(super) fn id(&self) -> &TerminalId {
        &self.settings.id
    }

    pub(super) fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    /// The terminal takes cards and disposals: set up and compared.
    pub(super) fn ready(&self) -> bool {
        self.machine.is_up() && self.reconciled
    }

    // ── sessions ──

    pub(super) fn adopt(&mut self, ctx: &mut Context<Self>, session: Session, first: Input) {
        let id = session.id;
        let rules = Rules {
            policy: self.settings.policy.clone(),
            family: self.settings.family,
            authorise_timeout: self.settings.link.timeouts.authorise,
        };
        let world = World {
            journal: Arc::clone(&self.around.journal),
            clock: self.around.clock,
            observer: Arc::clone(&self.around.observer) as Arc<dyn SessionObserver>,
            lease: self.lease.clone(),
        };
        let actor = SessionActor::new(SessionMachine::new(session.clone(), rules), world, ctx.address().recipient()).start();
        self.children.insert(id, Child { actor, session });
        self.deliver(id, first);
        if self.ready() {
            self.deliver(id, Input::Ready);
        }
    }

    /// Tells a session what happened.
    #[expect(
        clippy::disallowed_methods,
        reason = "each of these answers a wish of the session's, so they are few, and a dead \
        session says that it is gone"
    )]
    pub(super) fn deliver(&self, session: SessionId, input: Input) {
        if let Some(child) = self.children.get(&session) {
            child.actor.do_send(Deliver { input, reply: None });
        }
    }

    fn deliver_to_all(&self, input: &Input) {
        for session in self.children.keys() {
            self.deliver(*session, input.clone());
        }
    }

    fn wanted(&mut self, ctx: &mut Context<Self>, session: SessionId, effect: Effect) {
        match effect {
            Effect::StartFlow if self.turns.flow == Flow::None && self.ready() => self.turns.flow = Flow::Wanted(session),
            Effect::StartFlow => self.deliver(session, Input::FlowEnded(Outcome::Unsent)),
            Effect::Authorise => {
                if self.turns.flow == Flow::CardRead(session) && self.ask(Purpose::Authorise(session), Request::AuthSession) {
                    self.turns.flow = Flow::Authorising(session);
                } else {
                    self.turns.cancel |= self.turns.flow == Flow::CardRead(session);
                    self.deliver(session, Input::Authorised(Outcome::Unsent));
                }
            }
            Effect::CancelFlow if self.turns.flow_session() == Some(session) => self.turns.cancel = true,
            Effect::CancelFlow => {}
            Effect::AskTurn => self.turns.want(session),
            Effect::Attempt(request) => {
                let ours = self.turns.holder == Holder::Session(session);
                if !(ours && self.ask(Purpose::Attempt(session), request)) {
                    self.release(Holder::Session(session));
                    self.deliver(session, Input::Attempted(Outcome::Unsent));
                }
            }
            Effect::ReleaseTurn => self.release(Holder::Session(session)),
            Effect::SetUpAgain(why) => self.set_up_later = Some(why),
        }
        self.go_on(ctx);
    }

    /// A session has ended: what it had asked for before it did must not keep others waiting.
    fn child_gone(&mut self, session: SessionId) {
        self.children.remove(&session);
        self.turns.forget(session);
        let attempting = |(purpose, _): &(Purpose, Request)| matches!(purpose, Purpose::Attempt(of) if *of == session);
        // An exchange that is under way keeps the lane until its own end.
        if !self.tickets.values().any(attempting) {
            self.release(Holder::Session(session));
        }
    }

    fn release(&mut self, holder: Holder) {
        if self.turns.holder == holder {
            self.turns.release();
        }
    }

    // ── the link ──

    /// Sends a request; `false` when there is no link to send it on, and then nothing has left.
    fn ask(&mut self, purpose: Purpose, request: Request) -> bool {
        let Some(link) = &self.link else { return false };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        if link.ask(Order { ticket, request: request.clone() }).is_err() {
            return false;
        }
        self.tickets.insert(ticket, (purpose, request));
        true
    }

    /// Closes the link; that it is gone is told by its last event. One that is closed or gone already has nothing left to close:
    /// a wish that comes late must not hit the link after it.
    pub(super) fn reopen(&mut self, reason: &'static str, why: String) {
        if self.link.take().is_none() {
            return;
        }
        warn!(terminal = %self.id(), reason, why, "closing the link");
        self.trouble = Some(reason);
        self.last_error = Some(why);
        self.closed_at = Some(self.now());
    }

    fn perform(&mut self, ctx: &mut Context<Self>, action: Action) {
        match action {
            Action::Ask(request) => {
                self.turns.holder = Holder::Terminal;
                if !self.ask(Purpose::Machine, request) {
                    self.reopen("closed", "the link is gone".to_owned());
                }
            }
            Action::SetUp => {
                info!(terminal = %self.id(), "set up");
                self.link_state = LinkState::Up;
                self.release(Holder::Terminal);
                self.compare_on_connect(ctx);
            }
            Action::Reopen(trouble) => self.reopen(trouble.reason, trouble.why),
            Action::WrongTerminal(why) => self.reopen("identity", why),
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
            Event::Unasked(Response::TransactionEvent(_)) => {}
            Event::Unasked(response) => {
                // An approval that nobody waits for is money: say so loudly. A P6X lists it; an Apollo's session is in doubt.
                error!(terminal = %self.id(), response = response.name(), "the terminal said something that nobody asked for");
                self.around.observer.frame_error(&self.settings.id, "unasked");
            }
            Event::FrameError(kind) => self.around.observer.frame_error(&self.settings.id, kind),
            Event::Lost(loss) => self.lost(ctx, &loss),
        }
        self.go_on(ctx);
    }

    fn lost(&mut self, ctx: &mut Context<Self>, loss: &link::Loss) {
        let reason = self.trouble.take().unwrap_or(loss.reason());
        if !matches!(loss, link::Loss::Dropped) {
            self.last_error = Some(loss.to_string());
        }
        warn!(terminal = %self.id(), reason, error = self.last_error.as_deref().unwrap_or_default(), "the link is gone");
        self.link = None;
        self.closed_at = None;
        self.link_state = LinkState::Down;
        self.reconciled = false;
        self.machine.lost();
        // Every exchange has had its end already, unless the link's task has crashed: then its request may have arrived.
        let unended: Vec<Purpose> = self.tickets.drain().map(|(_, (purpose, _))| purpose).collect();
        for purpose in unended {
            let outcome = Outcome::Unanswered(Cause::LinkLost);
            match purpose {
                Purpose::Start(session) => self.deliver(session, Input::FlowEnded(outcome)),
                Purpose::Authorise(session) => self.deliver(session, Input::Authorised(outcome)),
                Purpose::Attempt(session) => self.deliver(session, Input::Attempted(outcome)),
                Purpose::Machine | Purpose::Cancel | Purpose::Page => {}
            }
        }
        // What was only wanted will not be started any more.
        let wanted = self.turns.flow_session();
        self.turns.lost();
        self.set_up_later = None;
        self.comparison_lost();
        self.deliver_to_all(&Input::NotReady);
        if let Some(session) = wanted {
            let input = match self.children.get(&session).map(|child| &child.session.state) {
                Some(State::Authorising(_)) => Input::Authorised(Outcome::Unsent),
                _ => Input::FlowEnded(Outcome::Unsent),
            };
            // Answered exchanges have been delivered before and make this one fall on deaf ears.
            self.deliver(session, input);
        }
        let lost = FromTerminal::LinkLost { terminal: self.id().clone(), reason };
        self.tell_fleet(ctx, lost);
    }

    pub(super) fn tell_fleet(&mut self, ctx: &mut Context<Self>, message: FromTerminal) {
        if self.around.fleet.try_send(message).is_err() {
            error!(terminal = %self.id(), "the fleet does not listen");
            ctx.stop();
        }
    }

    fn exchange_ended(&mut self, ctx: &mut Context<Self>, ticket: Ticket, outcome: &Outcome, took: Duration) {
        let Some((purpose, request)) = self.tickets.remove(&ticket) else { return };
        self.around.observer.exchanged(&self.settings.id, &request, outcome, took);
        let now = self.now();
        if matches!(outcome, Outcome::Answered(_)) {
            self.machine.spoke(now);
        }
        match purpose {
            Purpose::Machine => {
                let action = self.machine.answered(outcome, now);
                self.release(Holder::Terminal);
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
            Purpose::Page => self.page_ended(ctx, outcome),
            Purpose::Start(session) => self.start_ended(session, outcome),
            Purpose::Authorise(session) => {
                self.flow_over();
                self.deliver(session, Input::Authorised(outcome.clone()));
            }
            Purpose::Attempt(session) => {
                self.release(Holder::Session(session));
                self.deliver(session, Input::Attempted(outcome.clone()));
            }
        }
    }

    // ── turns ──

    /// Hands out turns for as long as there are any, then shows what has become of the terminal.
    pub(super) fn go_on(&mut self, ctx: &mut Context<Self>) {
        // Set-up begins with Reset, and an Auth whose answer is lost leaves somebody's money in doubt: that one comes first.
        if !matches!(self.turns.flow, Flow::CardRead(_) | Flow::Authorising(_))
            && let Some(why) = self.set_up_later.take()
        {
            self.reopen("set_up_again", why.to_owned());
        }
        while self.machine.is_up() && self.link.is_some() {
            let now = self.now();
            let status_due = self.machine.status_due_at().is_some_and(|due| due <= now);
            let Some(next) = self.turns.next(status_due) else { break };
            self.take(ctx, next);
        }
        self.publish();
    }

    fn take(&mut self, ctx: &mut Context<Self>, next: Next) {
        let sent = match next {
            Next::Cancel => self.ask(Purpose::Cancel, Request::CancelSession),
            Next::Dispose(session) => {
                self.deliver(session, Input::Turn);
                if !self.children.contains_key(&session) {
                    self.release(Holder::Session(session));
                }
                true
            }
            Next::List => self.begin_lists(ctx),
            Next::Status => {
                let request = self.machine.ask_status();
                self.ask(Purpose::Machine, request)
            }
            Next::Start(session) => match self.start_request(session) {
                Some(request) => {
                    let sent = self.ask(Purpose::Start(session), request);
                    self.machine.moved(TerminalState::WaitCard);
                    sent
                }
                None => {
                    self.flow_over();
                    true
                }
            },
        };
        if !sent {
            self.reopen("closed", "the link is gone".to_owned());
        }
    }

    pub(super) fn ask_page(&mut self, offset: u8) -> bool {
        self.ask(Purpose::Page, Request::ListSessions { offset })
    }

    // ── the view ──

    pub(super) fn view(&self) -> View {
        View {
            id: self.id().clone(),
            family: self.settings.family,
            state: self.machine.state_name(),
            link: self.link_state,
            draining: self.draining || self.going_down,
            connectors: self.settings.connectors,
            undisposed: self.children.values().filter(|child| child.session.undisposed()).count(),
            identity: self.machine.identity().cloned(),
            last_reconciliation: self.last_reconciliation.clone(),
            last_error: self.last_error.clone(),
            timer_in_question: self.machine.timer_in_question(),
            reconciled: self.reconciled,
        }
    }

    fn publish(&mut self) {
        let view = self.view();
        if self.published.as_ref() != Some(&view) {
            self.published = Some(view.clone());
            self.around.observer.terminal_changed(view);
        }
    }

    fn show_holds(&self) {
        let mut sessions = self.children.values().map(|child| &child.session);
        self.around.observer.holds(&self.settings.id, &mut sessions, self.now());
    }

    fn pulse(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        self.show_holds();
        self.compare_when_due(now);
        if self.link.as_ref().is_some_and(Orders::is_gone) && self.closed_at.is_none() {
            self.closed_at = Some(now);
        }
        if self.closed_at.is_some_and(|at| now.since(at) >= LAST_EVENT_WITHIN) {
            // A link whose task has crashed has no last event.
            self.lost(ctx, &link::Loss::Dropped);
        }
        if self.going_down && self.nothing_to_deliver() {
            return self.stop(ctx);
        }
        self.go_on(ctx);
    }

    /// No card flow is open and no disposal that was decided waits for a terminal that could take it.
    pub(super) fn nothing_to_deliver(&self) -> bool {
        let deliverable = self.children.values().any(|child| child.session.state == State::Disposing) && self.link.is_some();
        self.turns.flow == Flow::None
            && !deliverable
            && !self.children.values().any(|child| child.session.state == State::Opened)
    }

    pub(super) fn stop(&mut self, ctx: &mut Context<Self>) {
        self.reason = Some(StopReason::Drained);
        ctx.stop();
    }
}

impl Drop for TerminalActor {
    fn drop(&mut self) {
        self.lease.revoke();
    }
}

impl Actor for TerminalActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        for session in std::mem::take(&mut self.restored) {
            self.adopt(ctx, session, Input::Recover);
        }
        ctx.run_interval(PULSE, Self::pulse);
        self.publish();
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.lease.revoke();
        // "I am going": the one message that must not be refused for a full mailbox.
        self.around.fleet.do_send(FromTerminal::Gone(self.id().clone(), self.reason));
    }
}

impl Handler<OpenLink> for TerminalActor {
    type Result = ();

    fn handle(&mut self, open: OpenLink, ctx: &mut Self::Context) {
        // A link that is still closing says so when it is gone, and then this order is given again.
        if self.link.is_some() || self.machine.is_up() || self.closed_at.is_some() {
            return;
        }
        self.link_state = if open.quarantined { LinkState::Quarantined } else { LinkState::Down };
        self.trouble = None;
        self.link = Some(link::open(self.settings.link.clone(), self.around.clock, ctx.address().recipient()));
        self.publish();
    }
}

impl Handler<Quarantined> for TerminalActor {
    type Result = ();

    fn handle(&mut self, _: Quarantined, _: &mut Self::Context) {
        if self.link.is_none() {
            self.link_state = LinkState::Quarantined;
            self.publish();
        }
    }
}

impl Handler<Event> for TerminalActor {
    type Result = ();

    fn handle(&mut self, event: Event, ctx: &mut Self::Context) {
        self.event(ctx, event);
    }
}

impl Handler<FromSession> for TerminalActor {
    type Result = ();

    fn handle(&mut self, message: FromSession, ctx: &mut Self::Context) {
        match message {
            FromSession::Wants(session, effect) => self.wanted(ctx, session, effect),
            FromSession::Changed(session) => {
                if matches!(session.state, State::InDoubt(_)) && self.settings.family.lists_sessions() && self.ready() {
                    // The link came up before the doubt was durable, so it was not looked into yet.
                    self.compare(Trigger::Connect, None);
                }
                if let Some(child) = self.children.get_mut(&session.id) {
                    child.session = *session;
                }
                self.show_holds();
                self.go_on(ctx);
            }
            FromSession::Gone(session, Some(SessionStop::Done)) => {
                self.child_gone(session);
                self.go_on(ctx);
            }
            // One that took us for gone has left a session that nobody carries on, just as one that crashed.
            FromSession::Gone(session, reason @ (Some(SessionStop::Orphaned) | None)) => {
                error!(terminal = %self.id(), %session, ?reason, "a session's actor is gone; the terminal is rebuilt from the journal");
                ctx.stop();
            }
        }
    }
}

/// A bug, for tests of the supervisor.
#[cfg(test)]
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(crate) struct Crash;

#[cfg(test)]
impl Handler<Crash> for TerminalActor {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("told to");
    }
}
