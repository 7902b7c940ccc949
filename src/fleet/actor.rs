//! The supervisor: says when a lost link may be opened again, builds crashed terminals anew from the journal, and brings the
//! fleet down in order. It never waits for a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::id::TerminalId;
use crate::journal::{Entry, Fact};
use crate::session::Session;
use crate::terminal::TerminalActor;
use crate::terminal::requests::{EndNow, GoDown};
use crate::terminal::settings::TerminalSettings;
use crate::terminal::trouble::Ending;
use crate::terminal::view::{LinkState, View};
use crate::terminal::world::{FromTerminal, OpenLink, Quarantined, Surroundings};

use super::Inner;
use super::recall::open_sessions;
use super::reconfigure::by_name;
use super::restart::{History, Reason, Verdict};
use super::supervision::Supervision;

/// So many messages may wait: a terminal says something when its link is lost or set up, and a depot has some hundred terminals.
const MAILBOX: usize = 4096;

/// The fleet goes down; answered when every terminal has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct GoDownAll {
    pub(super) within: Duration,
    pub(super) done: oneshot::Sender<()>,
}

/// When a link may be opened again.
#[derive(Clone, Copy, Debug, Default)]
struct Reopen {
    after: Duration,
    quarantined: bool,
}

/// A terminal, as the supervisor sees it.
pub(super) struct Member {
    pub(super) settings: TerminalSettings,
    arbiter: ArbiterHandle,
    history: History,
    pub(super) actor: Option<Addr<TerminalActor>>,
    /// It goes when nothing is open on it; says why it takes no cards until then.
    pub(super) leaving: Option<String>,
}

/// See the module.
pub(super) struct FleetActor {
    pub(super) inner: Arc<Inner>,
    pub(super) supervision: Supervision,
    /// What is configured, whether it runs already or not.
    pub(super) configured: BTreeMap<TerminalId, TerminalSettings>,
    pub(super) members: BTreeMap<TerminalId, Member>,
    /// Terminals, or settings of terminals that run, that are to hold as soon as nobody is in their way.
    pub(super) waiting: BTreeMap<TerminalId, TerminalSettings>,
    /// When those who wait are looked at again.
    pub(super) settling: Option<SpawnHandle>,
    /// Terminals that take no new card flows when they begin, by somebody's wish.
    pub(super) drained: BTreeSet<TerminalId>,
    /// Terminals that run as they were when the program was last stopped, since something is open on them.
    leavers: Vec<TerminalSettings>,
    arbiters: Vec<ArbiterHandle>,
    dealt: usize,
    pub(super) going_down: Option<oneshot::Sender<()>>,
}

impl FleetActor {
    pub(super) fn new(
        inner: Arc<Inner>,
        supervision: Supervision,
        terminals: Vec<TerminalSettings>,
        leavers: Vec<TerminalSettings>,
        drained: BTreeSet<TerminalId>,
        arbiters: Vec<ArbiterHandle>,
    ) -> Self {
        let configured = by_name(terminals);
        let waiting = configured.clone();
        let members = BTreeMap::new();
        Self {
            inner,
            supervision,
            configured,
            members,
            waiting,
            settling: None,
            drained,
            leavers,
            arbiters,
            dealt: 0,
            going_down: None,
        }
    }

    /// A terminal begins, with what is open on it; `leaving` says why it is to go again.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>, settings: TerminalSettings, leaving: Option<String>) {
        let terminal = settings.id.clone();
        self.inner.metrics.begin_terminal(&terminal, settings.family);
        self.inner.watch.begin(&terminal);
        self.inner.places.put(settings.clone());
        let arbiter = self.arbiters.get(self.dealt % self.arbiters.len().max(1)).cloned().unwrap_or_else(Arbiter::current);
        self.dealt = self.dealt.wrapping_add(1);
        let history = History::new(self.supervision.clone());
        self.members.insert(terminal.clone(), Member { settings, arbiter, history, actor: None, leaving });
        let (sessions, draining) = (self.open_on_board(&terminal), self.drained.contains(&terminal));
        self.build(ctx, &terminal, sessions, draining);
        self.open_link(&terminal, false);
    }

    /// Failures are met in this way from now on.
    pub(super) fn supervise(&mut self, supervision: Supervision) {
        self.members.values_mut().for_each(|member| member.history.supervise(supervision.clone()));
        self.supervision = supervision;
    }

    /// What of a terminal has not ended.
    pub(super) fn open_on_board(&self, terminal: &TerminalId) -> Vec<Session> {
        self.inner.board.open(terminal)
    }

    pub(super) fn build(&mut self, ctx: &mut Context<Self>, terminal: &TerminalId, sessions: Vec<Session>, draining: bool) {
        let Some(member) = self.members.get_mut(terminal) else { return };
        let around = Surroundings {
            journal: Arc::clone(&self.inner.journal),
            past_unsure: self.inner.past_unsure(),
            clock: self.inner.clock,
            random: self.inner.random.clone(),
            observer: self.inner.observer(),
            currency: self.inner.currency,
            recorders: Arc::clone(&self.inner.recorders),
            fleet: ctx.address().recipient(),
        };
        let (settings, leaving) = (member.settings.clone(), member.leaving.clone());
        let actor = TerminalActor::start_in_arbiter(&member.arbiter, move |_| {
            TerminalActor::new(settings, around, sessions, draining).leaving(leaving)
        });
        member.actor = Some(actor.clone());
        self.inner.roster.insert(terminal.clone(), actor);
    }

    pub(super) fn open_link(&self, terminal: &TerminalId, quarantined: bool) {
        let actor = self.members.get(terminal).and_then(|member| member.actor.as_ref());
        if actor.is_some_and(|actor| actor.try_send(OpenLink { quarantined }).is_err()) {
            warn!(%terminal, "the terminal's actor does not listen; it is rebuilt when it says that it is gone");
        }
    }

    fn judge(&mut self, terminal: &TerminalId, reason: &Reason) -> Option<Reopen> {
        let member = self.members.get_mut(terminal)?;
        if let Some(metrics) = self.inner.metrics.terminal(terminal) {
            metrics.link_restart(reason.label());
        }
        Some(match member.history.failed(reason, self.inner.clock.now(), self.inner.random.jitter()) {
            Verdict::Again { after } => Reopen { after, quarantined: false },
            Verdict::Quarantine { after } => {
                error!(%terminal, reason = reason.label(), "failed too often: quarantined, and tried slowly from now on");
                Reopen { after, quarantined: true }
            }
        })
    }

    fn link_lost(&mut self, ctx: &mut Context<Self>, terminal: TerminalId, ending: Ending) {
        let reason = Reason::Link(ending);
        let Some(Reopen { after, quarantined }) = self.judge(&terminal, &reason) else { return };
        info!(%terminal, reason = reason.label(), quarantined, after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX), "the link will be opened again");
        if quarantined {
            self.show_quarantined(&terminal);
        }
        ctx.run_later(after, move |this, _| this.open_link(&terminal, quarantined));
    }

    fn show_quarantined(&self, terminal: &TerminalId) {
        let actor = self.members.get(terminal).and_then(|member| member.actor.as_ref());
        if actor.is_some_and(|actor| actor.try_send(Quarantined).is_err()) {
            warn!(%terminal, "the terminal's actor does not listen");
        }
    }

    fn gone(&mut self, ctx: &mut Context<Self>, terminal: TerminalId, crashed: bool) {
        self.inner.roster.remove(&terminal);
        if let Some(member) = self.members.get_mut(&terminal) {
            member.actor = None;
        }
        if self.going_down.is_some() {
            return self.all_gone();
        }
        if !crashed {
            // Who was told to stay when it was gone already is built again.
            return match self.members.get(&terminal).map(|member| member.leaving.is_some()) {
                Some(true) => self.forget(ctx, terminal),
                Some(false) => self.rebuild(ctx, terminal, Reopen::default()),
                None => {}
            };
        }
        error!(%terminal, "the terminal's actor crashed; it is rebuilt from the journal");
        let Some(Reopen { after, quarantined }) = self.judge(&terminal, &Reason::Panic) else { return };
        self.show_crashed(&terminal, quarantined);
        // Quarantine is for links: deadlines, and whoever hands over a decision, do not wait so long for an actor.
        let soon = after.min(self.supervision.backoff_max);
        let link = Reopen { after: after.saturating_sub(soon), quarantined };
        ctx.run_later(soon, move |this, ctx| this.rebuild(ctx, terminal, link));
    }

    /// What it has shown last is not so any more, and it cannot say so itself.
    fn show_crashed(&self, terminal: &TerminalId, quarantined: bool) {
        let Some(shown) = self.inner.board.terminal(terminal) else { return };
        let link = if quarantined { LinkState::Quarantined } else { LinkState::Down };
        let why = "its part of this program has crashed, and is built anew from the journal; the log says where".to_owned();
        let view = View { state: "unreachable", link, reconciled: false, last_error: Some(why), ..shown };
        self.inner.observer().terminal_changed(view);
    }

    /// Reads the terminal's sessions again and starts another actor.
    fn rebuild(&mut self, ctx: &mut Context<Self>, terminal: TerminalId, link: Reopen) {
        if self.going_down.is_some() {
            return;
        }
        // An append that was under way when the actor crashed is answered before this one: after it nothing is missing.
        let entry = Entry { at: self.inner.clock.now(), terminal: Some(terminal.clone()), session: None, fact: Fact::Rebuilt };
        let read = open_sessions(Arc::clone(&self.inner), terminal.clone(), entry);
        ctx.spawn(read.into_actor(self).map(move |sessions, this, ctx| match sessions {
            // Nobody begins any more; what is open stands in the journal.
            _ if this.going_down.is_some() => this.all_gone(),
            Ok(sessions) => {
                let draining = this.inner.board.terminal(&terminal).is_some_and(|view| view.draining);
                this.build(ctx, &terminal, sessions, draining);
                if link.after.is_zero() {
                    return this.open_link(&terminal, link.quarantined);
                }
                this.show_quarantined(&terminal);
                ctx.run_later(link.after, move |this, _| this.open_link(&terminal, link.quarantined));
            }
            Err(error) => {
                warn!(%terminal, %error, "the terminal cannot be rebuilt yet");
                let again = this.supervision.backoff_max;
                ctx.run_later(again, move |this, ctx| this.rebuild(ctx, terminal, link));
            }
        }));
    }

    pub(super) fn all_gone(&mut self) {
        let all_gone = self.members.values().all(|member| member.actor.is_none());
        if let Some(done) = self.going_down.take_if(|_| all_gone) {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }

    fn tell_all<M>(&self, message: M)
    where
        M: Message<Result = ()> + Copy + Send + 'static,
        TerminalActor: Handler<M>,
    {
        for (terminal, member) in &self.members {
            if member.actor.as_ref().is_some_and(|actor| actor.try_send(message).is_err()) {
                warn!(%terminal, "the terminal's actor does not listen");
            }
        }
    }
}

impl Actor for FleetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        for settings in std::mem::take(&mut self.leavers) {
            self.go_on_as_before(ctx, settings);
        }
        self.settle(ctx);
    }
}

impl Handler<FromTerminal> for FleetActor {
    type Result = ();

    fn handle(&mut self, message: FromTerminal, ctx: &mut Self::Context) {
        match message {
            FromTerminal::LinkLost { terminal, ending } => self.link_lost(ctx, terminal, ending),
            FromTerminal::LinkWanted(terminal) => {
                if let Some(member) = self.members.get_mut(&terminal) {
                    member.history.forgive();
                }
                self.open_link(&terminal, false);
            }
            FromTerminal::Settled(terminal) => {
                if let Some(member) = self.members.get_mut(&terminal) {
                    member.history.settled(self.inner.clock.now());
                }
            }
            FromTerminal::Gone(terminal, reason) => self.gone(ctx, terminal, reason.is_none()),
        }
    }
}

impl Handler<GoDownAll> for FleetActor {
    type Result = ();

    fn handle(&mut self, order: GoDownAll, ctx: &mut Self::Context) {
        self.going_down = Some(order.done);
        self.tell_all(GoDown);
        ctx.run_later(order.within, |this, _| this.tell_all(EndNow));
        self.all_gone();
    }
}
