//! Carries a session out: asks the machine, appends, and only then performs. Its parent is a terminal, which it knows only as
//! a recipient of [`FromSession`]; its readers are an [`Observer`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::id::SessionId;
use crate::journal::{Entry, Journal, JournalError, Record};
use crate::time::Clock;

use super::machine::{Effect, Input, Machine, Rules, Step};
use super::refusal::Refusal;
use super::state::{Illegal, Session};

/// Whoever wants to see every change of a session, right after it is durable and before anybody is answered.
pub trait Observer: Send + Sync {
    /// A session has changed by these records; `before` is none when it was just opened.
    fn session_changed(&self, before: Option<&Session>, session: &Session, records: &[Record]);
}

/// Speech to the parent.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub enum FromSession {
    /// It wants something.
    Wants(SessionId, Effect),
    /// It has changed.
    Changed(Box<Session>),
    /// Its actor is gone.
    Gone(SessionId, Option<StopReason>),
}

/// Why a session's actor ended; no reason at all means that it crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Nothing can happen to the session any more.
    Done,
    /// Its terminal's actor is gone; another one is built from the journal.
    Orphaned,
}

/// Other rules from now on: the configuration was read again. What a session's records say stays as it is.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct NewRules(pub Rules);

/// The right to speak for a terminal's sessions. A terminal's actor that ends for whatever reason takes it back, so that what
/// is left of its sessions cannot append beside the ones that are rebuilt.
#[derive(Clone, Debug, Default)]
pub struct Lease(Arc<AtomicBool>);

impl Lease {
    /// Takes the right back.
    pub fn revoke(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn revoked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How long to wait before a failed append of what the terminal has told us is tried again.
const APPEND_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// So many inputs may wait for the journal. A session has one errand at a time, so more than a handful are requests of people.
const INBOX: usize = 64;

/// An input, and who waits for what comes of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// What happens.
    pub input: Input,
    /// Hears of it when it is durable.
    pub reply: Option<oneshot::Sender<Result<Session, Refusal>>>,
}

/// What a session needs of the world.
#[derive(Clone)]
pub struct World {
    /// Where facts go.
    pub journal: Arc<dyn Journal>,
    /// What time it is.
    pub clock: Clock,
    /// Who reads along.
    pub observer: Arc<dyn Observer>,
    /// Whether we may still speak.
    pub lease: Lease,
}

/// The actor of a session.
pub struct SessionActor {
    machine: Machine,
    world: World,
    parent: Recipient<FromSession>,
    inbox: VecDeque<Deliver>,
    appending: bool,
    /// The journal failed to take what must not be lost; it is tried again by a timer.
    stuck: bool,
    timer: Option<SpawnHandle>,
    reason: Option<StopReason>,
}

impl SessionActor {
    /// An actor for a session that is durable.
    pub fn new(machine: Machine, world: World, parent: Recipient<FromSession>) -> Self {
        Self { machine, world, parent, inbox: VecDeque::new(), appending: false, stuck: false, timer: None, reason: None }
    }

    fn id(&self) -> SessionId {
        self.machine.session().id
    }

    /// Works off what has come in, until the journal has to be waited for.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        while !self.appending && !self.stuck {
            let Some(deliver) = self.inbox.pop_front() else { break };
            if self.world.lease.revoked() {
                return self.stop(ctx, StopReason::Orphaned);
            }
            let now = self.world.clock.now();
            match self.machine.on(deliver.input.clone(), now) {
                Err(refusal) => answer(deliver.reply, Err(refusal)),
                Ok(step) if step.append.is_empty() => self.happened(ctx, step, &[], deliver.reply),
                Ok(step) => self.append(ctx, step, deliver),
            }
        }
        self.rest(ctx);
    }

    fn append(&mut self, ctx: &mut Context<Self>, step: Step, deliver: Deliver) {
        let at = self.world.clock.now();
        let session = self.machine.session();
        let entry = |fact| Entry { at, terminal: Some(session.terminal.clone()), session: Some(session.id), fact };
        let entries: Vec<Entry> = step.append.iter().cloned().map(entry).collect();
        if let Err(illegal) = self.machine.session_after(&entries) {
            return self.broken(ctx, &illegal);
        }
        self.appending = true;
        let pending = self.world.journal.append(entries);
        ctx.spawn(pending.into_actor(self).map(move |result, this, ctx| {
            this.appending = false;
            match result {
                Ok(records) => this.happened(ctx, step, &records, deliver.reply),
                Err(error) => this.not_appended(ctx, error, deliver),
            }
            this.pump(ctx);
        }));
    }

    fn happened(
        &mut self,
        ctx: &mut Context<Self>,
        step: Step,
        records: &[Record],
        reply: Option<oneshot::Sender<Result<Session, Refusal>>>,
    ) {
        let entries: Vec<Entry> = records.iter().map(|record| record.entry.clone()).collect();
        let before = self.machine.session().clone();
        if let Err(illegal) = self.machine.done(&step, &entries) {
            return self.broken(ctx, &illegal);
        }
        let session = self.machine.session();
        if !records.is_empty() {
            if before.state_name() != session.state_name() {
                let card = session.card.as_ref();
                info!(terminal = %session.terminal, session = %session.id, from = before.state_name(), to = session.state_name(),
                    card = ?card.and_then(|card| card.masked_pan.as_ref()), "session changed");
            }
            // The terminal first: whoever learns that a session has ended may ask for the next one at once.
            let after = session.clone();
            self.tell(ctx, FromSession::Changed(Box::new(after.clone())));
            self.world.observer.session_changed(Some(&before), &after, records);
        }
        answer(reply, Ok(self.machine.session().clone()));
        for effect in step.then {
            self.tell(ctx, FromSession::Wants(self.id(), effect));
        }
    }

    /// The machine asked for what the session's own rules refuse: our bug. The parent rebuilds us from the journal.
    fn broken(&mut self, ctx: &mut Context<Self>, illegal: &Illegal) {
        error!(session = %self.id(), terminal = %self.machine.session().terminal, error = %illegal, "a step broke the session's rules");
        self.inbox.clear();
        ctx.stop();
    }

    fn not_appended(&mut self, ctx: &mut Context<Self>, error: JournalError, deliver: Deliver) {
        let session = self.machine.session();
        warn!(terminal = %session.terminal, session = %session.id, %error, "a fact could not be appended");
        answer(deliver.reply, Err(Refusal::JournalUnavailable(error.to_string())));
        let (effects, again) =
            self.machine.when_unwritable(&deliver.input).unwrap_or_else(|| (Vec::new(), Some(deliver.input)));
        self.machine.forget_turn();
        for effect in effects {
            self.tell(ctx, FromSession::Wants(self.id(), effect));
        }
        self.stuck = true;
        if let Some(input) = again {
            self.inbox.push_front(Deliver { input, reply: None });
        }
        ctx.run_later(APPEND_AGAIN_AFTER, |this, ctx| {
            this.stuck = false;
            this.pump(ctx);
        });
    }

    /// Nothing is left to do for now: end, or set the timer.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if self.appending || self.stuck {
            return;
        }
        if self.machine.session().ended() {
            return self.stop(ctx, StopReason::Done);
        }
        if let Some(due) = self.machine.next_tick() {
            let wait = due.since(self.world.clock.now()).max(Duration::from_millis(1));
            self.timer = Some(ctx.run_later(wait, |this, ctx| {
                this.timer = None;
                this.inbox.push_back(Deliver { input: Input::Tick, reply: None });
                this.pump(ctx);
            }));
        }
    }

    fn tell(&mut self, ctx: &mut Context<Self>, message: FromSession) {
        if let Err(refused) = self.parent.try_send(message) {
            // A parent that does not listen is gone or lost. Whoever rebuilds it rebuilds us from the journal.
            warn!(session = %self.id(), error = %refused, "the terminal's actor does not listen");
            self.stop(ctx, StopReason::Orphaned);
        }
    }

    fn stop(&mut self, ctx: &mut Context<Self>, reason: StopReason) {
        self.reason = Some(reason);
        ctx.stop();
    }
}

fn answer(reply: Option<oneshot::Sender<Result<Session, Refusal>>>, result: Result<Session, Refusal>) {
    if let Some(reply) = reply {
        // Whoever asked may have gone; the journal has it all the same.
        drop(reply.send(result));
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        // "I am going": the one message that must not be refused for a full mailbox.
        self.parent.do_send(FromSession::Gone(self.id(), self.reason));
    }
}

impl Handler<Deliver> for SessionActor {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        let waits_for_person = deliver.reply.is_some();
        if waits_for_person && (self.stuck || self.inbox.len() >= INBOX) {
            let why = "earlier facts of this session are waiting for it".to_owned();
            return answer(deliver.reply, Err(Refusal::JournalUnavailable(why)));
        }
        self.inbox.push_back(deliver);
        self.pump(ctx);
    }
}

impl Handler<NewRules> for SessionActor {
    type Result = ();

    fn handle(&mut self, NewRules(rules): NewRules, ctx: &mut Self::Context) {
        self.machine.set_rules(rules);
        // A timer may be due at another time now.
        self.rest(ctx);
    }
}
