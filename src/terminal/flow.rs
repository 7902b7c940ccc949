//! The card flow of a terminal: what Start Session asks for, what a tapped card means, and the end of it. A terminal that scans all
//! the time keeps one open that is no session's, until a card makes one of it.

use actix::prelude::*;
use tracing::{debug, info, warn};

use crate::card::Card;
use crate::id::{Connector, SessionId, SessionReference};
use crate::journal::Fact;
use crate::journal::record::{CancelledBy, Origin};
use crate::link::Outcome;
use crate::protocol::request::StartSession;
use crate::protocol::response::{Reason, Response, TerminalState, Verdict};
use crate::protocol::{Family, Request};
use crate::session::policy::DuplicateTap;
use crate::session::{Input, Refusal, State};

use super::actor::TerminalActor;
use super::children::Child;
use super::requests::opened;
use super::scan::End;
use super::turn::{Flow, Owner};

/// What a card that was read means.
enum Meaning {
    /// Its owner wants to end the charging that this session pays for.
    Stop(SessionId),
    /// Its owner wants to charge; its earlier sessions, without energy, are to be voided.
    Begin(Vec<SessionId>),
}

impl TerminalActor {
    pub(super) fn start_request(&mut self, owner: Owner) -> Option<Request> {
        let session = match owner {
            Owner::Scan => {
                let (amount, reference) = (self.settings.preauth?, self.free_reference());
                self.scan_amount = Some(amount);
                self.scan.opened(reference, self.now());
                return Some(Request::StartSession(StartSession::new(amount, reference)));
            }
            Owner::Reader => return self.read_request(),
            Owner::Session(session) => &self.children.get(&session)?.session,
        };
        let (State::Opened, Some(amount), Some(reference)) = (&session.state, session.amount_requested, session.reference)
        else {
            return None;
        };
        let reference_text = session.caller_reference.clone().filter(|_| self.settings.family == Family::Apollo);
        Some(Request::StartSession(StartSession { reference_text, ..StartSession::new(amount, reference) }))
    }

    pub(super) fn flow_over(&mut self) {
        self.turns.flow_over();
        if self.machine.is_up() {
            // PSP, States: ENABLED is entered automatically at the end of a card flow.
            self.machine.moved(TerminalState::Enabled);
        }
    }

    /// A terminal drops a card that nobody decides about without a word (PSP, Timeouts); its status tells.
    pub(super) fn look_after_card(&mut self, outcome: &Outcome) {
        let Outcome::Answered(Response::Status(status)) = outcome else { return };
        if let (Flow::CardRead(owner), TerminalState::Enabled) = (self.turns.flow, status.state) {
            self.flow_over();
            if let Owner::Session(session) = owner {
                self.deliver(session, Input::FlowEnded(Outcome::FlowEnded));
            }
        }
    }

    pub(super) fn start_ended(&mut self, ctx: &mut Context<Self>, owner: Owner, outcome: &Outcome) {
        match owner {
            Owner::Reader => self.read_ended(outcome.clone()),
            Owner::Session(session) => self.presented(ctx, Some(session), None, outcome),
            Owner::Scan => {
                let reference = self.scan.reference();
                self.scan.ended(end_of_scan(outcome), self.now(), self.around.random.jitter());
                self.presented(ctx, None, reference, outcome);
            }
        }
    }

    /// Start Session has ended: of this session, or of a scan with this number.
    fn presented(
        &mut self,
        ctx: &mut Context<Self>,
        session: Option<SessionId>,
        reference: Option<SessionReference>,
        outcome: &Outcome,
    ) {
        let (Outcome::Answered(Response::CardRead(dol)) | Outcome::Answered(Response::ProprietaryCardRead(dol))) = outcome
        else {
            self.flow_over();
            if let Some(session) = session {
                self.deliver(session, Input::FlowEnded(outcome.clone()));
            }
            return;
        };
        self.turns.flow = Flow::CardRead(session.map_or(Owner::Scan, Owner::Session));
        self.machine.moved(TerminalState::WaitAuth);
        let alive = match session {
            Some(session) => self.children.get(&session).is_some_and(|child| child.session.state == State::Opened),
            None => self.may_scan(),
        };
        if !alive || self.turns.cancel {
            self.turns.cancel = true;
            return;
        }
        let card = dol.card();
        if matches!(outcome, Outcome::Answered(Response::ProprietaryCardRead(_))) {
            debug!(terminal = %self.id(), card = ?card.masked_pan, "a card was presented that no bank knows");
            return match session {
                Some(session) => self.deliver(session, Input::OtherCard(card)),
                None => self.turns.cancel = true,
            };
        }
        match (self.meaning(&card), session) {
            (Meaning::Stop(charging), tapped_in) => {
                self.deliver(charging, Input::StopTapped { tapped_in });
                match tapped_in {
                    Some(session) => self.deliver(session, Input::TapToStop),
                    None => self.turns.cancel = true,
                }
            }
            (Meaning::Begin(earlier), session) => {
                earlier.into_iter().for_each(|earlier| self.deliver(earlier, Input::DuplicateTap));
                match session {
                    Some(session) => self.deliver(session, Input::CardRead(card)),
                    None => self.begin_with_card(ctx, card, reference),
                }
            }
        }
    }

    fn meaning(&self, card: &Card) -> Meaning {
        let same_card = |child: &&Child| {
            let known = child.session.card.as_ref().and_then(|card| card.hash.as_ref());
            child.session.state == State::Held && known.is_some() && known == card.hash.as_ref()
        };
        let earlier = || self.children.values().filter(same_card).map(|child| &child.session);
        match earlier().find(|session| session.charging()) {
            Some(charging) if self.settings.policy.tap_to_stop => Meaning::Stop(charging.id),
            _ if self.settings.policy.duplicate_tap == DuplicateTap::Allow => Meaning::Begin(Vec::new()),
            _ => Meaning::Begin(earlier().filter(|session| !session.charging()).map(|session| session.id).collect()),
        }
    }

    /// A card was presented to a terminal that scans: it gets a session of its own, and from there everything is as for any other.
    fn begin_with_card(&mut self, ctx: &mut Context<Self>, card: Card, reference: Option<SessionReference>) {
        let (Some(reference), Some(connector)) = (reference, self.free_connector()) else {
            self.turns.cancel = true;
            return;
        };
        let id = SessionId::new(self.now(), self.around.random.name());
        let entry = self.opening(
            id,
            Fact::Opened {
                origin: Origin::Scan,
                connector: Some(connector),
                reference: Some(reference),
                caller_reference: None,
                amount: self.scan_amount,
                currency: self.around.currency,
                idempotency: None,
                device: Some(self.device()),
            },
        );
        self.turns.flow = Flow::CardRead(Owner::Session(id));
        self.opening = self.opening.saturating_add(1);
        let appended = self.around.journal.append(vec![entry]);
        ctx.spawn(appended.into_actor(self).map(move |result, this, ctx| {
            this.opening = this.opening.saturating_sub(1);
            let ours = this.turns.flow == Flow::CardRead(Owner::Session(id));
            let session = result
                .map_err(|error| Refusal::JournalUnavailable(error.to_string()))
                .and_then(|records| opened(&records).map(|session| (session, records)));
            match session {
                Ok((session, records)) => {
                    info!(terminal = %session.terminal, session = %id, to = session.state_name(), "a card has opened a session");
                    this.around.observer.session_changed(None, &session, &records);
                    let first = if this.closed() {
                        Input::StopFlow(CancelledBy::Shutdown)
                    } else if ours {
                        Input::CardRead(card)
                    } else {
                        // The link, or the terminal's patience, has ended meanwhile.
                        Input::FlowEnded(Outcome::FlowEnded)
                    };
                    this.adopt(ctx, session, first);
                }
                Err(refusal) => {
                    warn!(terminal = %this.id(), error = %refusal, "a card was read, but its session could not be journaled");
                    this.turns.cancel |= ours;
                }
            }
            this.go_on(ctx);
        }));
    }

    /// Opens the flow of a terminal that scans, or ends it, as things are now.
    pub(super) fn keep_scanning(&mut self) {
        let now = self.now();
        let may = self.may_scan();
        match self.turns.flow {
            Flow::None if may && self.turns.flow_is_free() && self.scan.is_due(now) => {
                self.turns.flow = Flow::Wanted(Owner::Scan);
            }
            Flow::Wanted(Owner::Scan) if !may => self.turns.end_scan(),
            Flow::Waiting(Owner::Scan) => {
                let old = self.scan.is_old(self.settings.link.timeouts.card, now);
                // Another configuration may have changed the amount.
                let other = self.scan_amount != self.settings.preauth;
                if (!may || old || other) && self.scan.cancel(now) {
                    debug!(terminal = %self.id(), old, "the scan is ended");
                    self.turns.end_scan();
                }
            }
            _ => {}
        }
    }

    /// Whether a card may be read that nobody has asked for.
    fn may_scan(&self) -> bool {
        self.settings.preauth.is_some()
            && self.ready()
            && self.refuses_cards().is_none()
            && self.give_up_later.is_none()
            && !self.comparison_needs_the_lane()
            && self.free_connector().is_some()
            && self.reading.is_none()
            && !self.children.values().any(|child| child.session.before_hold())
    }

    /// The first plug that no session occupies. A hold that is in doubt or uncertain waits for a timer or a person, perhaps for days:
    /// its plug is free meanwhile. One that has ended may still be here for a moment.
    pub(super) fn free_connector(&self) -> Option<Connector> {
        let taken = self.taken_connectors();
        (1..=self.settings.connectors).map(Connector).find(|connector| !taken.contains(connector))
    }

    pub(super) fn taken_connectors(&self) -> Vec<Connector> {
        let sessions = self.children.values().map(|child| &child.session);
        let occupies = |state: &State| !matches!(state, State::InDoubt(_) | State::Uncertain(_));
        sessions
            .filter(|session| !session.ended() && occupies(&session.state))
            .filter_map(|session| session.connector)
            .collect()
    }
}

fn end_of_scan(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Answered(Response::CardRead(_)) => End::Card,
        Outcome::Answered(Response::Cancelled) | Outcome::FlowEnded => End::Nobody,
        Outcome::Answered(Response::Result(Verdict::NotOk(Some(Reason::CANCELLED)))) => End::Nobody,
        Outcome::Answered(_) => End::Refused,
        Outcome::Unsent | Outcome::Unanswered(_) => End::Ours,
    }
}
