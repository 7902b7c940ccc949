//! The actor of a terminal: hands out its lanes and shows what becomes of it. What it does with its link is in `link`, with its
//! sessions in `children`; what people ask of it is in `requests`, what it compares with its own memory in `comparison`.

use std::time::Duration;

use actix::prelude::*;
use tracing::error;

use crate::id::{SessionId, TerminalId, TerminalSessionId};
use crate::journal::record::{Report, ReportResult};
use crate::link::Outcome;
use crate::money::{Amount, Currency};
use crate::protocol::Request;
use crate::protocol::response::{Response, TerminalState, Verdict};
use crate::session::actor::{FromSession, Lease, StopReason as SessionStop};
use crate::session::machine::Input;
use crate::session::{Session, State};
use crate::time::Timestamp;

use super::asking::{Asked, Reading};
use super::children::{Child, Children};
use super::comparison::Comparison;
use super::link::{Link, Purpose};
use super::machine::{self, Machine, Plan};
use super::scan::Scan;
use super::screen::{Display, Place};
use super::settings::{Screens, TerminalSettings};
use super::trouble::Trouble;
use super::turn::{Flow, Holder, Next, Turns};
use super::view::{Accepted, LinkState, View};
use super::world::{FromTerminal, OpenLink, Quarantined, StopReason, Surroundings};

/// Look up what time has brought: gauges, reconciliation.
const PULSE: Duration = Duration::from_secs(1);

/// A serial link has no idle close (PSP, Timeouts), but a terminal that was switched off should not stay unnoticed for longer.
const SERIAL_WATCH: Duration = Duration::from_secs(15);

/// So many messages may wait: link events come one by one, and each session has a handful of wishes. More means that the arbiter
/// is lost, and a sender that is refused says so.
const MAILBOX: usize = 1024;

/// See the module.
pub struct TerminalActor {
    pub(super) settings: TerminalSettings,
    pub(super) around: Surroundings,
    pub(super) lease: Lease,
    pub(super) machine: Machine,
    pub(super) turns: Turns,
    pub(super) scan: Scan,
    pub(super) display: Display,
    pub(super) asked: Asked,
    pub(super) reading: Option<Reading>,
    /// This session's Auth waits for the end of a request that is nobody's money.
    pub(super) authorise_later: Option<SessionId>,
    /// Which sessions were disposed of, under which number, while the present Auth, or the last one, was under way.
    pub(super) disposed_meanwhile: Vec<(TerminalSessionId, SessionId)>,
    /// A pressed button is being made durable.
    pub(super) button_appending: bool,
    pub(super) link: Link,
    pub(super) children: Children,
    restored: Vec<Session>,
    pub(super) comparison: Option<Comparison>,
    /// So many orphans' sessions are being made durable.
    pub(super) orphans_opening: usize,
    /// When holds were last compared, and how that went.
    pub(super) compared: Option<(Timestamp, ReportResult)>,
    /// The last report that is durable.
    pub(super) last_reconciliation: Option<(Timestamp, Report)>,
    pub(super) reconciled: bool,
    pub(super) draining: bool,
    pub(super) going_down: bool,
    /// It is configured no more, and ends when nothing is open; says why for a person.
    pub(super) leaving: Option<String>,
    /// So many sessions are being made durable.
    pub(super) opening: usize,
    /// What holds from the next link on.
    pub(super) next_settings: Option<Box<TerminalSettings>>,
    /// How much the open scan asks for.
    pub(super) scan_amount: Option<Amount>,
    /// The link is to be given up as soon as no money is under way on it; says why.
    pub(super) give_up_later: Option<(Trouble, &'static str)>,
    pub(super) last_error: Option<String>,
    published: Option<View>,
    reason: Option<StopReason>,
}

impl TerminalActor {
    /// An actor for a terminal with these sessions that have not ended, as the journal tells them.
    pub fn new(settings: TerminalSettings, around: Surroundings, sessions: Vec<Session>, draining: bool) -> Self {
        let machine = machine(&settings, around.clock.now());
        let display = display(&settings, around.currency);
        Self {
            settings,
            around,
            lease: Lease::default(),
            machine,
            turns: Turns::default(),
            scan: Scan::default(),
            display,
            asked: Asked::new(),
            reading: None,
            authorise_later: None,
            disposed_meanwhile: Vec::new(),
            button_appending: false,
            link: Link::none(),
            children: Children::new(),
            restored: sessions,
            comparison: None,
            orphans_opening: 0,
            compared: None,
            last_reconciliation: None,
            reconciled: false,
            draining,
            going_down: false,
            leaving: None,
            opening: 0,
            next_settings: None,
            scan_amount: None,
            give_up_later: None,
            last_error: None,
            published: None,
            reason: None,
        }
    }

    /// Whether no new card flows are taken, by somebody's wish.
    pub(super) fn closed(&self) -> bool {
        self.draining || self.going_down || self.leaving.is_some()
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

    pub(super) fn tell_fleet(&mut self, ctx: &mut Context<Self>, message: FromTerminal) {
        if self.around.fleet.try_send(message).is_err() {
            error!(terminal = %self.id(), "the fleet does not listen");
            ctx.stop();
        }
    }

    // ── turns ──

    /// Hands out turns for as long as there are any, then shows what has become of the terminal.
    pub(super) fn go_on(&mut self, ctx: &mut Context<Self>) {
        // Set-up begins with Reset, and an Auth whose answer is lost leaves somebody's money in doubt: that one comes first, and so
        // does a disposal.
        if !matches!(self.turns.flow, Flow::CardRead(_) | Flow::Authorising(_))
            && !matches!(self.turns.holder, Holder::Session(_))
            && let Some((trouble, why)) = self.give_up_later.take()
        {
            self.give_up(trouble, why.to_owned());
        }
        self.compare_without_lists(ctx);
        self.authorise_when_alone();
        while self.machine.is_up() && self.link.is_open() {
            self.keep_scanning();
            let now = self.now();
            let status_due = self.machine.status_due_at().is_some_and(|due| due <= now);
            let Some(next) = self.turns.next(status_due) else { break };
            self.take(next);
        }
        self.show();
        if self.reading.is_some() && !self.turns.reads() {
            self.reading_over();
        }
        self.publish();
        if self.may_leave() {
            self.stop(ctx);
        }
    }

    fn take(&mut self, next: Next) {
        match next {
            Next::Cancel => {
                self.ask(Purpose::Cancel, Request::CancelSession);
            }
            Next::Dispose(session) => {
                self.deliver(session, Input::Turn);
                if !self.children.contains_key(&session) {
                    self.release(Holder::Session(session));
                }
            }
            Next::List => self.begin_lists(),
            Next::Status => {
                let request = self.machine.ask_status();
                self.ask(Purpose::Machine, request);
            }
            Next::Ask => self.ask_next(),
            Next::Start(owner) => match self.start_request(owner) {
                Some(request) => {
                    self.ask(Purpose::Start(owner), request);
                    self.machine.moved(TerminalState::WaitCard);
                }
                None => self.flow_over(),
            },
        }
    }

    /// A terminal that was switched off and on refuses both Start Session and List Sessions, and says why only in its status.
    pub(super) fn doubt_if_refused(&mut self, outcome: &Outcome) {
        if let Outcome::Answered(Response::Result(Verdict::NotOk(_))) = outcome {
            self.machine.doubt();
        }
    }

    pub(super) fn release(&mut self, holder: Holder) {
        if self.turns.holder == holder {
            self.turns.release();
        }
    }

    pub(super) fn ask_page(&mut self, offset: u8) {
        self.ask(Purpose::Page, Request::ListSessions { offset });
    }

    // ── the view ──

    pub(super) fn view(&self) -> View {
        View {
            id: self.id().clone(),
            family: self.settings.family,
            state: self.machine.state_name(),
            link: self.link.state,
            draining: self.draining || self.going_down,
            leaving: self.leaving.is_some(),
            refuses_cards: self.refuses_cards(),
            connectors: self.settings.connectors,
            undisposed: self.children.values().filter(|child| child.session.undisposed()).count(),
            identity: self.machine.identity().cloned(),
            protocol: self.machine.accepted().map(|accepted| Accepted::of(self.settings.options, accepted)),
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
        self.around.observer.holds(&self.settings.id, &mut sessions, self.settings.policy.settle_within, self.now());
    }

    fn pulse(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        self.show_holds();
        self.compare_when_due(now);
        self.drop_read_card(now);
        self.look_for_a_crashed_link(ctx);
        if self.going_down && self.nothing_to_deliver() {
            return self.stop(ctx);
        }
        self.go_on(ctx);
    }

    /// No card flow is open and no disposal that was decided waits for a terminal that could take it.
    pub(super) fn nothing_to_deliver(&self) -> bool {
        // An update without an answer would leave a doubt about its hold.
        let wanted = |child: &Child| child.session.state == State::Disposing || child.session.updating();
        let deliverable = self.children.values().any(wanted) && self.link.is_open();
        self.turns.flow == Flow::None && !deliverable && !self.children.values().any(|child| child.session.before_hold())
    }

    pub(super) fn stop(&mut self, ctx: &mut Context<Self>) {
        self.reason = Some(StopReason::Drained);
        ctx.stop();
    }
}

/// The way to a terminal that is set up, as these settings want it.
pub(super) fn machine(settings: &TerminalSettings, now: Timestamp) -> Machine {
    let plan = Plan {
        family: settings.family,
        serial: settings.link.address.is_serial(),
        serial_number: settings.serial_number.clone(),
        options: settings.options,
        setup: machine::setup(&settings.policy),
        keepalive: settings.keepalive.unwrap_or(SERIAL_WATCH),
    };
    Machine::new(plan, now)
}

/// What it shows, as these settings want it.
pub(super) fn display(settings: &TerminalSettings, currency: Currency) -> Display {
    let Screens { site, templates } = settings.screens.clone();
    Display::new(templates, Place { site, terminal: settings.id.clone(), currency })
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
        self.numbers_given_again();
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
        if !self.link.is_gone() {
            return;
        }
        self.link.state = if open.quarantined { LinkState::Quarantined } else { LinkState::Down };
        let TerminalSettings { id, family, link, record, .. } = &self.settings;
        let tap = record.as_ref().and_then(|record| self.around.recorders.tap(id, *family, link.quirks, record));
        self.link.open(link.clone(), self.machine.format(), self.around.clock, ctx.address().recipient(), tap);
        self.publish();
    }
}

impl Handler<Quarantined> for TerminalActor {
    type Result = ();

    fn handle(&mut self, _: Quarantined, _: &mut Self::Context) {
        if !self.link.is_open() {
            self.link.state = LinkState::Quarantined;
            self.publish();
        }
    }
}

impl Handler<FromSession> for TerminalActor {
    type Result = ();

    fn handle(&mut self, message: FromSession, ctx: &mut Self::Context) {
        match message {
            FromSession::Wants(session, effect) => self.wanted(ctx, session, effect),
            FromSession::Changed(session) => {
                // The link may have come up before a doubt was durable, so that it was not looked into yet.
                self.compare_for(&session);
                self.session_news(&session);
                if let Some(child) = self.children.get_mut(&session.id) {
                    let placed = child.session.hold.is_none() && session.hold.is_some();
                    child.session = *session;
                    if placed {
                        self.numbers_given_again();
                    }
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
