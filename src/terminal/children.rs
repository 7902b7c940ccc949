//! The sessions of a terminal that have not ended: each has an actor of its own, which says what it wants and hears what came of
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use tracing::error;

use crate::id::{SessionId, TerminalSessionId};
use crate::journal::record::Learned;
use crate::link::Outcome;
use crate::protocol::Request;
use crate::protocol::response::{Response, Verdict};
use crate::session::Session;
use crate::session::actor::{Deliver, Observer as SessionObserver, SessionActor, World};
use crate::session::machine::{Effect, Input, Machine as SessionMachine};

use super::actor::TerminalActor;
use super::link::Purpose;
use super::trouble::Trouble;
use super::turn::{Flow, Holder, Owner};

/// A session that has not ended.
pub(super) struct Child {
    pub(super) actor: Addr<SessionActor>,
    pub(super) session: Session,
    /// The terminal has given its number to another session: nothing is sent about it any more.
    pub(super) number_reused: bool,
}

/// All of them.
pub(super) type Children = BTreeMap<SessionId, Child>;

impl TerminalActor {
    pub(super) fn adopt(&mut self, ctx: &mut Context<Self>, session: Session, first: Input) {
        let id = session.id;
        let rules = self.settings.rules();
        let world = World {
            journal: Arc::clone(&self.around.journal),
            clock: self.around.clock,
            observer: Arc::clone(&self.around.observer) as Arc<dyn SessionObserver>,
            lease: self.lease.clone(),
        };
        let actor = SessionActor::new(SessionMachine::new(session.clone(), rules), world, ctx.address().recipient()).start();
        let number_reused = session.number_reused();
        self.children.insert(id, Child { actor, session, number_reused });
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

    pub(super) fn deliver_to_all(&self, input: &Input) {
        for session in self.children.keys() {
            self.deliver(*session, input.clone());
        }
    }

    /// The terminal has given this number to a session. A terminal that has forgotten its sessions begins its numbers anew, and then
    /// it is another session's, too, that is still open here: nothing must be sent about that one from now on, not even while the
    /// journal is being told.
    /// `listed`: the newer one has found it in the terminal's list, and was not told of it.
    pub(super) fn number_given(&mut self, number: TerminalSessionId, to: SessionId, listed: bool) {
        let others = self
            .children
            .iter_mut()
            .filter(|(id, child)| **id != to && !child.number_reused && child.session.open_terminal_session() == Some(number));
        let mut older = Vec::new();
        for (id, child) in others {
            child.number_reused = true;
            older.push(*id);
        }
        for id in older {
            error!(terminal = %self.id(), %number, session = %id, by = %to, "the terminal has given the number of an open session again");
            // What is on its way about the older one may meet the newer one's hold.
            if self.link.attempting(id) {
                self.disposed_meanwhile.push((number, id));
            }
            self.deliver(id, Input::NumberReused { by: to, listed });
        }
    }

    /// Commit or Void of this session was answered with OK. Should the number be given out by an Auth that is under way, the terminal may
    /// have forgotten the session before, and the other one's hold may be what ended.
    pub(super) fn number_ended(&mut self, session: SessionId, outcome: &Outcome) {
        let number = self.children.get(&session).and_then(|child| child.session.open_terminal_session());
        if let (Flow::Authorising(_), Outcome::Answered(Response::Result(Verdict::Ok)), Some(number)) =
            (self.turns.flow, outcome, number)
        {
            self.disposed_meanwhile.push((number, session));
        }
    }

    /// An Auth has given this number to a session.
    pub(super) fn number_shared(&mut self, number: TerminalSessionId, to: SessionId) {
        let Some((_, with)) = self.disposed_meanwhile.iter().find(|(ended, _)| *ended == number).copied() else { return };
        error!(terminal = %self.id(), %number, session = %to, %with,
            "a session was being disposed of under the number that another one was given meanwhile: it may have been the other's hold");
        self.deliver(to, Input::NumberShared { with });
    }

    /// The same as the journal tells it: we may have been stopped before the older session knew, or a hold that was found in a list has
    /// become durable only now.
    pub(super) fn numbers_given_again(&mut self) {
        // One that is just being told has lost its number, durably or not yet.
        let claims = self.children.values().filter(|child| !child.number_reused).map(|child| &child.session);
        for (number, to, listed) in owners(claims) {
            self.number_given(number, to, listed);
        }
    }

    fn may_send(&self, session: SessionId) -> bool {
        self.turns.holder == Holder::Session(session) && self.children.get(&session).is_some_and(|child| !child.number_reused)
    }

    /// Sends Auth, in the card flow that is this session's.
    fn authorise(&mut self, session: SessionId) {
        let ours = self.turns.flow == Flow::CardRead(Owner::Session(session));
        self.disposed_meanwhile.clear();
        if ours && self.ask(Purpose::Authorise(session), Request::AuthSession) {
            self.turns.flow = Flow::Authorising(session);
        } else {
            self.turns.cancel |= ours;
            self.deliver(session, Input::Authorised(Outcome::Unsent));
        }
    }

    /// Sends an Auth that has waited for the end of somebody's request.
    pub(super) fn authorise_when_alone(&mut self) {
        if !matches!(self.turns.holder, Holder::Asked | Holder::Screen)
            && let Some(session) = self.authorise_later.take()
        {
            self.authorise(session);
        }
    }

    /// Does what a session wants, or says that it cannot be done.
    pub(super) fn wanted(&mut self, ctx: &mut Context<Self>, session: SessionId, effect: Effect) {
        match effect {
            Effect::StartFlow if self.ready() && self.turns.start(session) => {}
            Effect::StartFlow => {
                self.turns.cancel(session);
                self.deliver(session, Input::FlowEnded(Outcome::Unsent));
            }
            // A request whose time runs out takes the link with it, and an Auth on the way would be in doubt. A card waits for 30 s (PSP,
            // Timeouts), no request or screen for longer than 15 s.
            Effect::Authorise if matches!(self.turns.holder, Holder::Asked | Holder::Screen) => {
                self.authorise_later = Some(session)
            }
            Effect::Authorise => self.authorise(session),
            Effect::CancelFlow => self.turns.cancel(session),
            Effect::AskTurn => self.turns.want(session),
            Effect::AskUpdateTurn => self.turns.want_update(session),
            Effect::Attempt(request) => {
                if !(self.may_send(session) && self.ask(Purpose::Attempt(session), request)) {
                    self.release(Holder::Session(session));
                    self.deliver(session, Input::Attempted(Outcome::Unsent));
                }
            }
            Effect::Update { session: number, amount } => {
                let request = Request::UpdateSession { session: number, amount };
                if !(self.may_send(session) && self.ask(Purpose::Update(session), request)) {
                    self.release(Holder::Session(session));
                    self.deliver(session, Input::Updated(Outcome::Unsent));
                }
            }
            Effect::ReleaseTurn => self.release(Holder::Session(session)),
            Effect::SetUpAgain(why) => self.give_up_later = Some((Trouble::SetUpAgain, why)),
        }
        self.go_on(ctx);
    }

    /// A session has ended: what it had asked for before it did must not keep others waiting.
    pub(super) fn child_gone(&mut self, session: SessionId) {
        self.children.remove(&session);
        self.turns.forget(session);
        // An exchange that is under way keeps the lane until its own end.
        if !self.link.attempting(session) {
            self.release(Holder::Session(session));
        }
    }
}

/// Whose a number is that more than one open hold has, and whether that one has found it in a list. Whoever was told of an approval, and
/// has never missed it, knows it better than who has found it in a list; among equals it is the newest's.
pub(super) fn owners<'a>(sessions: impl Iterator<Item = &'a Session>) -> Vec<(TerminalSessionId, SessionId, bool)> {
    let mut owners = BTreeMap::new();
    for session in sessions.filter(|session| session.undisposed()) {
        let Some(hold) = &session.hold else { continue };
        let listed = hold.learned == Learned::Listed;
        let claim = (!listed && hold.doubted_since.is_none(), hold.since, session.id, listed);
        let (best, claims) = owners.entry(hold.terminal_session_id).or_insert((claim, 0_usize));
        *best = claim.max(*best);
        *claims = claims.saturating_add(1);
    }
    let shared = owners.into_iter().filter(|(_, (_, claims))| *claims > 1);
    shared.map(|(number, ((_, _, owner, listed), _))| (number, owner, listed)).collect()
}
