//! The fleet follows another configuration while it runs. Nothing that is not different is touched, and nobody who holds money is let go:
//!
//! ```text
//!  added ───► waiting ──────────────────────────────► runs ──────────► leaves ───────────────────────────► gone
//!                 │  nobody who leaves has its name     │  removed, or   no new cards; disposals go on       its series end,
//!                 │  or its link, and nothing is open   │  another device   until nothing is open            its name and link
//!                 ▼  behind a link that moves           ▼                                                    are free
//!            until that is so                  changed: other settings, and another link only if they need it
//! ```
//!
//! What is open on a device can be disposed of on that device alone. So a link that leads elsewhere is followed only when nothing is
//! open behind the old one, or when the serial number says that the same device answers there. When the program begins, those on which
//! something is open run as they were, and what is configured waits in the same way: a restart follows nothing that a reload would not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tracing::{debug, error, info, warn};

use crate::id::TerminalId;
use crate::journal::record::{DeadManAction, Device};
use crate::journal::{Entry, Fact};
use crate::session::{Refusal, Session};
use crate::terminal::change::Change;
use crate::terminal::configure::{Configure, Leave};
use crate::terminal::view::{LinkState, View};
use crate::terminal::{Reason, Refusing, TerminalSettings};

use super::actor::{FleetActor, Member};
use super::difference::{Difference, exclude_each_other};
use super::recall::open_sessions;
use super::supervision::Supervision;

/// A terminal's actor says at once what is open; one that does not is asked no longer than this, and the board tells instead.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How often those who wait are looked at.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// Why a terminal that is configured no more takes no cards.
const TAKEN_OUT: &str = "it was taken out of the configuration, and goes when nothing is open on it";

/// Why a terminal that is configured as another device takes no cards.
const ANOTHER_DEVICE: &str = "it is another device now, which follows when nothing is open on the one before";

/// What became of another configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// New terminals.
    pub added: Vec<TerminalId>,
    /// Terminals that are configured no more and had nothing open.
    pub removed: Vec<TerminalId>,
    /// Terminals that leave as soon as nothing is open on them, whichever configuration they are no longer in, and how much is.
    pub draining: Vec<(TerminalId, usize)>,
    /// Terminals with other settings.
    pub changed: Vec<(TerminalId, Change)>,
    /// Terminals to which nothing has happened.
    pub unchanged: Vec<TerminalId>,
    /// Those of the added and the changed ones that must wait for one that leaves; says why.
    pub waiting: Vec<(TerminalId, String)>,
    /// What the operator should know.
    pub warnings: Vec<(TerminalId, String)>,
}

/// Follow this configuration.
#[derive(Message)]
#[rtype(result = "Result<Applied, Refusal>")]
pub(super) struct Reconfigure {
    pub(super) terminals: Vec<TerminalSettings>,
    pub(super) supervision: Supervision,
}

pub(super) fn by_name(terminals: Vec<TerminalSettings>) -> BTreeMap<TerminalId, TerminalSettings> {
    terminals.into_iter().map(|settings| (settings.id.clone(), settings)).collect()
}

impl FleetActor {
    /// The program begins, and something is open on a terminal that is not configured like this any more.
    pub(super) fn go_on_as_before(&mut self, ctx: &mut Context<Self>, settings: TerminalSettings) {
        let terminal = settings.id.clone();
        let wanted = self.configured.get(&terminal).cloned();
        let leaving = match &wanted {
            None => Some(TAKEN_OUT),
            Some(wanted) => Change::between(&settings, wanted).replaces.then_some(ANOTHER_DEVICE),
        };
        self.begin(ctx, settings, leaving.map(str::to_owned));
        let why = wanted.map_or_else(|| leaving.map(str::to_owned), |wanted| self.waits_for(&wanted));
        warn!(%terminal, why, "it is not configured as it was, and something is open on it: it goes on as it was until nothing is");
    }

    /// Lets everybody begin, or change, who waits for nobody.
    pub(super) fn settle(&mut self, ctx: &mut Context<Self>) {
        for terminal in self.waiting.keys().cloned().collect::<Vec<_>>() {
            let Some(wanted) = self.waiting.get(&terminal) else { continue };
            if let Some(why) = self.waits_for(wanted) {
                let wanted = wanted.clone();
                self.keep_waiting(&wanted, why);
                continue;
            }
            let Some(wanted) = self.waiting.remove(&terminal) else { continue };
            match self.members.get_mut(&terminal) {
                Some(member) => {
                    member.leaving = None;
                    member.settings = wanted.clone();
                    self.inner.places.put(wanted.clone());
                    // One that has just gone is built again with these settings.
                    if member.actor.as_ref().is_some_and(|actor| actor.try_send(Configure(Box::new(wanted))).is_err()) {
                        warn!(%terminal, "the terminal's actor does not listen; it is rebuilt when it says that it is gone");
                    }
                }
                None => self.begin(ctx, wanted, None),
            }
        }
        // What is open on one that waits, and whose own device nobody knows how to reach, is nobody's.
        self.inner.watch.strand(&self.members.keys().cloned().collect::<Vec<_>>());
        // Who waits for sessions of somebody who stays is told by nobody that they are over.
        if let Some(before) = self.settling.take() {
            ctx.cancel_future(before);
        }
        if !self.waiting.is_empty() && self.going_down.is_none() {
            self.settling = Some(ctx.run_later(SETTLE_AGAIN, Self::settle));
        }
    }

    /// Why a terminal cannot run yet, or not yet with its new settings.
    fn waits_for(&self, wanted: &TerminalSettings) -> Option<String> {
        if self.members.get(&wanted.id).is_some_and(|member| Change::between(&member.settings, wanted).replaces) {
            return Some(ANOTHER_DEVICE.to_owned());
        }
        let open = self.open_on_board(&wanted.id);
        if let Some(device) =
            open.iter().filter_map(|session| self.device(session)).find(|device| device.may_be_another(wanted))
        {
            let proof =
                device.serial_number.map(|own| format!(", or at once with serial_number = {own:?}")).unwrap_or_default();
            return Some(format!(
                "{} sessions are open on the device at {}, and another one may answer with its new settings: it follows when they are \
                 over{proof}",
                open.len(),
                device.place
            ));
        }
        let in_the_way = |member: &&Member| {
            let settings = &member.settings;
            let stays = || member.leaving.is_some() || !self.open_on_board(&settings.id).is_empty();
            settings.id != wanted.id && exclude_each_other(settings, wanted) && stays()
        };
        let other = self.members.values().find(in_the_way)?;
        let configured = if other.leaving.is_some() { ", which is configured no more but" } else { ", which" };
        Some(format!("it has the link of {}{configured} still has something open", other.settings.id))
    }

    /// On which device a session is open; of what an earlier version has opened, the one to which its terminal is linked.
    fn device(&self, session: &Session) -> Option<Device> {
        let linked = || {
            let identity = self.inner.board.terminal(&session.terminal).and_then(|view| view.identity);
            self.members.get(&session.terminal).map(|member| Device::of(&member.settings, identity.as_ref()))
        };
        session.device.clone().or_else(linked)
    }

    fn keep_waiting(&mut self, wanted: &TerminalSettings, why: String) {
        self.inner.places.announce(wanted);
        match self.members.get_mut(&wanted.id) {
            Some(member) if Change::between(&member.settings, wanted).replaces => member.leaving = Some(why),
            // Whoever asked for them was told; it is looked at again and again.
            Some(_) => debug!(terminal = %wanted.id, why, "its new settings must wait"),
            None if self.inner.board.terminal(&wanted.id).is_some_and(|shown| shown.last_error.as_ref() == Some(&why)) => {}
            None => {
                info!(terminal = %wanted.id, why, "the terminal must wait");
                self.inner.metrics.begin_terminal(&wanted.id, wanted.family);
                self.inner.watch.begin(&wanted.id);
                self.inner.observer().terminal_changed(View {
                    id: wanted.id.clone(),
                    family: wanted.family,
                    state: "unreachable",
                    link: LinkState::Down,
                    draining: false,
                    leaving: false,
                    refuses_cards: Some(Refusing { reason: Reason::Waiting, why: why.clone() }),
                    connectors: wanted.connectors,
                    undisposed: 0,
                    identity: None,
                    protocol: None,
                    last_reconciliation: None,
                    last_error: Some(why),
                    timer_in_question: false,
                    reconciled: false,
                });
            }
        }
    }

    /// A terminal that leaves has ended. Before it is forgotten the journal is asked whether anything of it is open.
    pub(super) fn forget(&mut self, ctx: &mut Context<Self>, terminal: TerminalId) {
        let entry = Entry { at: self.inner.clock.now(), terminal: Some(terminal.clone()), session: None, fact: Fact::Removed };
        let read = open_sessions(Arc::clone(&self.inner), terminal.clone(), entry);
        ctx.spawn(read.into_actor(self).map(move |sessions, this, ctx| {
            if this.going_down.is_some() {
                // Nobody begins any more; what is open stands in the journal.
                return this.all_gone();
            }
            let Some(member) = this.members.get(&terminal) else { return };
            match sessions {
                Ok(sessions) if sessions.is_empty() && member.leaving.is_some() => {
                    let family = member.settings.family;
                    if this.inner.board.terminal(&terminal).is_some_and(|view| view.draining) {
                        this.drained.insert(terminal.clone());
                    } else {
                        this.drained.remove(&terminal);
                    }
                    this.members.remove(&terminal);
                    this.inner.board.forget_terminal(&terminal);
                    this.inner.metrics.end_terminal(&terminal, family);
                    this.inner.places.remove(&terminal);
                    info!(%terminal, "nothing is open on it any more: gone");
                    this.settle(ctx);
                }
                Ok(sessions) => {
                    let draining = this.inner.board.terminal(&terminal).is_some_and(|view| view.draining);
                    this.build(ctx, &terminal, sessions, draining);
                    this.open_link(&terminal, false);
                }
                Err(error) => {
                    warn!(%terminal, %error, "the terminal cannot be forgotten yet");
                    let again = this.supervision.backoff_max;
                    ctx.run_later(again, move |this, ctx| this.forget(ctx, terminal));
                }
            }
        }));
    }

    /// What a configuration changes that is dangerous while something is open.
    fn dangers(&self, changed: &[(TerminalId, Change)]) -> Vec<(TerminalId, String)> {
        let acts = |settings: &TerminalSettings| settings.policy.terminal_timeout_action;
        let mut dangers = Vec::new();
        for (terminal, _) in changed {
            let (Some(member), Some(after)) = (self.members.get(terminal), self.configured.get(terminal)) else { continue };
            let open = self.open_on_board(terminal).len();
            if open > 0 && member.settings.policy.terminal_timeout > after.policy.terminal_timeout {
                let why = format!("{open} sessions are open on it, and its own timer may end them before their deadlines");
                dangers.push((terminal.clone(), why));
            }
            if open > 0 && acts(&member.settings) != acts(after) {
                let now = match acts(after) {
                    DeadManAction::Void => "void",
                    DeadManAction::Commit => "commit",
                };
                let why = format!("{open} sessions are open on it, and its own timer will {now} what it holds from now on");
                dangers.push((terminal.clone(), why));
            }
        }
        dangers
    }
}

impl Handler<Reconfigure> for FleetActor {
    type Result = ResponseActFuture<Self, Result<Applied, Refusal>>;

    fn handle(&mut self, order: Reconfigure, ctx: &mut Self::Context) -> Self::Result {
        if self.going_down.is_some() {
            return Box::pin(fut::ready(Err(Refusal::Draining("the orchestrator".to_owned()))));
        }
        let before = std::mem::replace(&mut self.configured, by_name(order.terminals));
        let Difference { added, removed, changed, unchanged } = Difference::between(&before, &self.configured);
        let warnings = self.dangers(&changed);
        self.supervise(order.supervision);
        for terminal in &removed {
            self.waiting.remove(terminal);
            match self.members.get_mut(terminal) {
                Some(member) => member.leaving = Some(TAKEN_OUT.to_owned()),
                None => {
                    // It had to wait, and never ran.
                    if let Some(waited) = before.get(terminal) {
                        self.inner.metrics.end_terminal(terminal, waited.family);
                    }
                    self.inner.board.forget_terminal(terminal);
                    self.inner.places.remove(terminal);
                }
            }
        }
        for terminal in added.iter().chain(changed.iter().map(|(terminal, _)| terminal)) {
            let wanted = self.configured.get(terminal).cloned();
            self.waiting.extend(wanted.map(|wanted| (terminal.clone(), wanted)));
        }
        self.settle(ctx);
        let waits = |(terminal, wanted): (&TerminalId, &TerminalSettings)| Some((terminal.clone(), self.waits_for(wanted)?));
        let waiting = self.waiting.iter().filter_map(waits).collect();
        let leaving = self.members.iter().filter_map(|(terminal, member)| Some((terminal, member, member.leaving.clone()?)));
        let told = leaving.map(|(terminal, member, why)| {
            let (terminal, on_board) = (terminal.clone(), self.open_on_board(terminal).len());
            let told = member.actor.as_ref().map(|actor| actor.send(Leave { why }));
            async move {
                let Some(told) = told else { return (terminal, on_board) };
                let open = match tokio::time::timeout(ANSWER_LIMIT, told).await {
                    Ok(Ok(open)) => open,
                    // Its mailbox closed because it has nothing to stay for, or it is built again and told then.
                    Ok(Err(_)) => on_board,
                    Err(_) => {
                        error!(%terminal, "the terminal's actor does not answer");
                        on_board
                    }
                };
                (terminal, open)
            }
        });
        let told = join_all(told.collect::<Vec<_>>());
        Box::pin(told.into_actor(self).map(move |open, _, _| {
            let draining: Vec<_> = open.into_iter().filter(|(_, open)| *open > 0).collect();
            let gone = |terminal: &TerminalId| !draining.iter().any(|(draining, _)| draining == terminal);
            let removed = removed.into_iter().filter(gone).collect();
            Ok(Applied { added, removed, draining, changed, unchanged, waiting, warnings })
        }))
    }
}
