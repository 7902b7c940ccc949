//! What people ask of a terminal, through the fleet.

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::info;

use crate::id::{Connector, SessionId, SessionReference};
use crate::journal::record::{CancelledBy, Device, Idempotency, Origin, Trigger};
use crate::journal::{Entry, Fact, Record};
use crate::money::Amount;
use crate::session::actor::Deliver;
use crate::session::{Input, Refusal, Session, Wish};

use super::actor::TerminalActor;
use super::trouble::Trouble;
use super::view::View;
use super::world::FromTerminal;

/// Opens a card flow; answered when the session is durable.
#[derive(Message, Clone, Debug)]
#[rtype(result = "Result<Session, Refusal>")]
pub struct Open {
    /// Its name.
    pub session: SessionId,
    /// How much to hold.
    pub amount: Amount,
    /// Which plug; the first free one if not said.
    pub connector: Option<Connector>,
    /// The caller's own text.
    pub caller_reference: Option<String>,
    /// How to know a repetition.
    pub idempotency: Option<Idempotency>,
}

/// Does something to a session of this terminal; answered when that is durable.
#[derive(Message, Clone, Debug)]
#[rtype(result = "Result<Session, Refusal>")]
pub struct Instruct {
    /// Which.
    pub session: SessionId,
    /// What.
    pub wish: Wish,
}

/// Takes no new card flows, or takes them again; answered when that is durable.
#[derive(Message, Clone, Debug)]
#[rtype(result = "Result<View, Refusal>")]
pub struct Drain {
    /// `true`: no new card flows.
    pub on: bool,
    /// Whose token it was.
    pub by: String,
}

/// Compares our holds with the terminal's; answered with the record of it.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "Result<Record, Refusal>")]
pub struct Reconcile;

/// Closes the link and opens it again now, also out of quarantine; answered when that has begun.
#[derive(Message, Clone, Debug)]
#[rtype(result = "Result<View, Refusal>")]
pub struct Reconnect {
    /// Whose token it was.
    pub by: String,
}

/// The program is going down: card flows end, decided disposals are still delivered, and then the actor ends.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct GoDown;

/// The time for it is over: end now. What is not delivered is in the journal.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct EndNow;

impl TerminalActor {
    pub(super) fn not_ready(&self, why: impl Into<String>) -> Refusal {
        Refusal::TerminalNotReady { terminal: self.id().clone(), why: why.into() }
    }

    /// Whether a card flow may be opened now, and for which plug.
    fn admit(&self, open: &Open) -> Result<Connector, Refusal> {
        if self.closed()
            && let Some(refusal) = self.refusal()
        {
            return Err(refusal);
        }
        let max_hold = self.settings.policy.max_hold;
        if open.amount.is_zero() || open.amount > max_hold {
            let why =
                format!("a hold is between 1 and {max_hold} minor units here (policy.max_hold), but this is {}", open.amount);
            return Err(Refusal::AmountInvalid(why));
        }
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let connectors = self.settings.connectors;
        if let Some(connector) = open.connector.filter(|connector| connector.0 == 0 || connector.0 > connectors) {
            return Err(Refusal::NotSupported(format!("{} has connectors 1 to {connectors}, but not {connector}", self.id())));
        }
        let taken = self.taken_connectors();
        let open_sessions = taken.len();
        let full = || Refusal::TerminalFull { terminal: self.id().clone(), open: open_sessions, connectors };
        if !self.turns.admits() || self.children.values().any(|child| child.session.before_hold()) {
            return Err(Refusal::TerminalBusy(self.id().clone()));
        }
        let free = |connector: &Connector| !taken.contains(connector);
        let connector = match open.connector {
            Some(wanted) => Some(wanted).filter(free),
            None => self.free_connector(),
        };
        let connector = connector.ok_or_else(full)?;
        if !self.machine.is_up() {
            return Err(self.not_ready(format!("its link is {}", self.link.state.as_str())));
        }
        if !self.reconciled {
            return Err(self.not_ready("its holds are being compared with ours"));
        }
        Ok(connector)
    }

    /// A number that no session of this terminal carries.
    pub(super) fn free_reference(&self) -> SessionReference {
        let taken = |number: u32| self.children.values().any(|child| child.session.reference == Some(SessionReference(number)));
        loop {
            let number = self.around.random.number();
            if !taken(number) {
                return SessionReference(number);
            }
        }
    }

    /// Where a new session takes place.
    pub(super) fn device(&self) -> Device {
        Device::of(&self.settings, self.machine.identity())
    }

    /// The first fact of a new session.
    pub(super) fn opening(&self, session: SessionId, fact: Fact) -> Entry {
        Entry { at: self.now(), terminal: Some(self.id().clone()), session: Some(session), fact }
    }
}

/// A session from the record that opens it.
pub(super) fn opened(records: &[Record]) -> Result<Session, Refusal> {
    let record =
        records.first().ok_or_else(|| Refusal::JournalUnavailable("the journal answered with no record".to_owned()))?;
    Session::opened(&record.entry).map_err(|illegal| Refusal::JournalUnavailable(illegal.to_string()))
}

impl Handler<Open> for TerminalActor {
    type Result = ResponseActFuture<Self, Result<Session, Refusal>>;

    fn handle(&mut self, open: Open, _: &mut Self::Context) -> Self::Result {
        let connector = match self.admit(&open) {
            Ok(connector) => connector,
            Err(refusal) => return Box::pin(fut::ready(Err(refusal))),
        };
        let id = open.session;
        let entry = self.opening(
            id,
            Fact::Opened {
                origin: Origin::Api,
                connector: Some(connector),
                reference: Some(self.free_reference()),
                caller_reference: open.caller_reference,
                amount: Some(open.amount),
                currency: self.around.currency,
                idempotency: open.idempotency,
                device: Some(self.device()),
            },
        );
        // The flow is taken before the journal answers, so that nobody else gets it meanwhile.
        self.turns.reserve(id);
        self.opening = self.opening.saturating_add(1);
        let appended = self.around.journal.append(vec![entry]);
        Box::pin(appended.into_actor(self).map(move |result, this, ctx| {
            this.opening = this.opening.saturating_sub(1);
            let appended = result
                .map_err(|error| Refusal::JournalUnavailable(error.to_string()))
                .and_then(|records| opened(&records).map(|session| (session, records)));
            if appended.is_err() {
                this.turns.cancel(id);
                this.go_on(ctx);
            }
            let (session, records) = appended?;
            info!(terminal = %session.terminal, session = %session.id, amount = %open.amount, to = session.state_name(), "session opened");
            this.around.observer.session_changed(None, &session, &records);
            let first = if this.going_down || this.leaving.is_some() { Input::StopFlow(CancelledBy::Shutdown) } else { Input::Begin };
            this.adopt(ctx, session.clone(), first);
            Ok(session)
        }))
    }
}

impl Handler<Instruct> for TerminalActor {
    type Result = ResponseFuture<Result<Session, Refusal>>;

    fn handle(&mut self, instruct: Instruct, _: &mut Self::Context) -> Self::Result {
        let Some(child) = self.children.get(&instruct.session) else {
            return Box::pin(std::future::ready(Err(Refusal::SessionUnknown(instruct.session.to_string()))));
        };
        let (reply, answer) = oneshot::channel();
        let sent = child.actor.try_send(Deliver { input: Input::Wish(instruct.wish), reply: Some(reply) });
        let busy = self.not_ready("too many requests for one session at once");
        let gone = self.not_ready("the session's actor is being rebuilt; ask again");
        Box::pin(async move {
            sent.map_err(|_| busy)?;
            answer.await.unwrap_or(Err(gone))
        })
    }
}

impl Handler<Drain> for TerminalActor {
    type Result = ResponseActFuture<Self, Result<View, Refusal>>;

    fn handle(&mut self, drain: Drain, _: &mut Self::Context) -> Self::Result {
        if self.draining == drain.on {
            return Box::pin(fut::ready(Ok(self.view())));
        }
        let by = drain.by;
        let fact = if drain.on { Fact::Drained { by } } else { Fact::Resumed { by } };
        let entry = Entry { at: self.now(), terminal: Some(self.id().clone()), session: None, fact };
        let appended = self.around.journal.append(vec![entry]);
        Box::pin(appended.into_actor(self).map(move |result, this, ctx| {
            result.map_err(|error| Refusal::JournalUnavailable(error.to_string()))?;
            info!(terminal = %this.id(), draining = drain.on, "drain changed");
            this.draining = drain.on;
            this.go_on(ctx);
            Ok(this.view())
        }))
    }
}

impl Handler<Reconcile> for TerminalActor {
    type Result = ResponseFuture<Result<Record, Refusal>>;

    fn handle(&mut self, _: Reconcile, ctx: &mut Self::Context) -> Self::Result {
        if !self.machine.is_up() {
            let refusal = self.not_ready(format!("its link is {}", self.link.state.as_str()));
            return Box::pin(std::future::ready(Err(refusal)));
        }
        let (reply, answer) = oneshot::channel();
        self.compare(Trigger::Demand, Some(reply));
        self.go_on(ctx);
        let lost = self.not_ready("the link was lost meanwhile");
        Box::pin(async move { answer.await.unwrap_or(Err(lost)) })
    }
}

impl Handler<Reconnect> for TerminalActor {
    type Result = Result<View, Refusal>;

    fn handle(&mut self, reconnect: Reconnect, ctx: &mut Self::Context) -> Self::Result {
        info!(terminal = %self.id(), by = reconnect.by, "asked to reconnect");
        if self.link.is_open() {
            self.give_up_later = Some((Trouble::Asked, "somebody asked for another link"));
            self.go_on(ctx);
        } else if self.link.is_gone() {
            let wanted = FromTerminal::LinkWanted(self.id().clone());
            self.tell_fleet(ctx, wanted);
        } else {
            self.link.wanted_again();
        }
        Ok(self.view())
    }
}

impl Handler<GoDown> for TerminalActor {
    type Result = ();

    fn handle(&mut self, _: GoDown, ctx: &mut Self::Context) {
        self.going_down = true;
        self.turns.cancel_reader();
        self.stop_flows();
        if self.nothing_to_deliver() {
            return self.stop(ctx);
        }
        self.go_on(ctx);
    }
}

impl Handler<EndNow> for TerminalActor {
    type Result = ();

    fn handle(&mut self, _: EndNow, ctx: &mut Self::Context) {
        self.stop(ctx);
    }
}
