//! Which response answers which request (PSP, Correlation). Frames carry no number, so the rule is: at most one card flow and
//! one command are under way, a frame answers what it fits, and where it fits both, or neither, we ask Get Status or give the
//! link up. Pure: bytes, timers and mailboxes are [`super::task`]'s.
//!
//! ```text
//!   ask ──► waiting ──► Write ──► began ──► Ended            one of these for each lane
//!              │  (behind a fence)  │
//!              └────── lost ────────┴──► Ended(Unsent | Unanswered) ──► Lose
//!
//!   opening ──echo of Synchronize──► in step ──resynchronised──► stained ──money is asked for──► Lose
//!                                       ▲─────echo of Synchronize───┘
//! ```
//!
//! A *fence* ([`super::fence`]) is a Get Status of our own. While one is out, new orders wait: nothing else may be on the way with it. It
//! decides whose a Not OK was, and that nothing trails when money is next. Beside an open Auth it decides nothing, since the terminal waits
//! for Auth also after it has refused one: there the next answer is the other one's, and says whose the first was.

use std::mem;
use std::time::Duration;

use crate::journal::record::Cause;
use crate::protocol::request::Request;
use crate::protocol::response::{Response, Status, TerminalState, Verdict};
use crate::time::Timestamp;

pub(crate) use super::action::Action;
use super::fence::{Fence, Stray, Why, has_twin, is_in_card_flow};
use super::lane::Exchange;
pub(crate) use super::lane::Lane;
use super::rules::{
    allowed, answered_by_ok, disposes_of, is_card_flow, is_money, moves_money, names, names_session, settles_money,
    waits_for_card,
};
use super::{Loss, Order, Outcome, Timeouts};

/// The exchanges of one link.
#[derive(Debug)]
pub(crate) struct Exchanges {
    timeouts: Timeouts,
    flow: Option<Exchange>,
    command: Option<Exchange>,
    fence: Option<Fence>,
    /// A Result Not OK that came while a Get Status was out and a card flow open; the status says whose it was.
    refusal: Option<Verdict>,
    /// A Result Not OK that was Auth's or the command's; the next answer is the other one's, and says whose this was.
    undecided: Option<Verdict>,
    /// Start Session is past its deadline: the next status decides.
    overdue: bool,
    /// No echo of Synchronize yet, so frames may be answers to a former link's requests.
    opening: bool,
    /// Bytes were lost since the last echo of Synchronize.
    stained: bool,
    /// The last answer may come once more, and would then be taken for another's.
    twin_may_come: bool,
    /// The terminal is in a card flow, and none of ours is under way.
    stray: Option<Stray>,
    gone: bool,
    /// The place of the next request written.
    next_place: u64,
    actions: Vec<Action>,
}

impl Exchanges {
    /// A link that has just been opened.
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            flow: None,
            command: None,
            fence: None,
            refusal: None,
            undecided: None,
            overdue: false,
            opening: true,
            stained: false,
            twin_may_come: false,
            stray: None,
            gone: false,
            next_place: 0,
            actions: Vec::new(),
        }
    }

    /// Somebody wants an exchange.
    pub(crate) fn ask(&mut self, order: Order, now: Timestamp) -> Vec<Action> {
        let is_flow = is_card_flow(&order.request);
        let lane = if is_flow { &mut self.flow } else { &mut self.command };
        // G5: until the link is set up (again), what was sent before could answer what is sent now.
        let out_of_step = (self.opening || self.stained) && moves_money(&order.request);
        if self.gone || lane.is_some() || out_of_step {
            self.actions.push(Action::Ended { ticket: order.ticket, outcome: Outcome::Unsent, took: Duration::ZERO });
            if out_of_step && self.stained {
                self.lose(Loss::Garbage, now);
            }
            return self.done(now);
        }
        // What has not left yet is cancelled here; the terminal may have an older card flow.
        if order.request == Request::CancelSession
            && let Some(Exchange { ticket, .. }) = self.flow.take_if(|flow| flow.place.is_none())
        {
            self.actions.push(Action::Ended { ticket, outcome: Outcome::Unsent, took: Duration::ZERO });
        }
        let lane = if is_flow { &mut self.flow } else { &mut self.command };
        *lane = Some(Exchange { ticket: order.ticket, request: order.request, place: None, began: None, deadline: None });
        self.done(now)
    }

    /// The first byte of what was to be written for this lane has left.
    pub(crate) fn began(&mut self, lane: Lane, now: Timestamp) {
        let timeouts = self.timeouts;
        match lane {
            Lane::Flow | Lane::Command => {
                let lane = if lane == Lane::Flow { &mut self.flow } else { &mut self.command };
                if let Some(exchange) = lane {
                    exchange.began = Some(now);
                    exchange.deadline = Some(now.after(allowed(&exchange.request, timeouts)));
                }
            }
            Lane::Fence => {
                if let Some(fence) = &mut self.fence {
                    fence.began = Some(now);
                    fence.deadline = Some(now.after(timeouts.command));
                }
            }
        }
    }

    /// A frame came.
    pub(crate) fn frame(&mut self, response: Response, now: Timestamp) -> Vec<Action> {
        if self.gone {
            return Vec::new();
        }
        match response {
            Response::TransactionEvent(_) | Response::UiEvent { .. } => self.actions.push(Action::Unasked(response)),
            _ if self.opening => self.frame_while_opening(response, now),
            Response::Result(Verdict::Ok) => self.accepted(now),
            Response::Result(verdict @ Verdict::NotOk(_)) => self.refused(verdict, now),
            Response::Status(status) => self.fenced(status, now),
            Response::Cancelled => self.cancelled(now),
            Response::CardRead(_) | Response::ProprietaryCardRead(_) if self.flow_is(waits_for_card) => {
                self.end_flow(Outcome::Answered(response), now);
            }
            Response::Approved { .. } | Response::PartiallyApproved { .. } | Response::Declined { .. }
                if self.flow_is(|request| matches!(request, Request::AuthSession)) =>
            {
                self.take_back_what_meets(&response, now);
                self.end_flow(Outcome::Answered(response), now);
            }
            Response::Synchronize
            | Response::Protocol(_)
            | Response::Ids(_)
            | Response::SessionList(_)
            | Response::UpdateResult(_)
            | Response::ProprietaryResponse(_)
            | Response::File(_)
            | Response::ConnectionInfo(_)
            | Response::Receipt(_)
            | Response::TransactionRecord(_)
                if self.command_is(|request| names(&response, request)) =>
            {
                let synchronized = response == Response::Synchronize;
                let asked_at = self.command_place();
                self.end_command(Outcome::Answered(response), now);
                if synchronized {
                    self.stained = false;
                    self.twin_may_come = false;
                    self.flow_dropped(asked_at, now);
                }
            }
            Response::Approved { .. } | Response::PartiallyApproved { .. } => {
                // Nobody waits for it, but a card has a hold now: say so before everything else is given up.
                self.actions.push(Action::Unasked(response));
                self.lose(Loss::OutOfStep, now);
            }
            Response::Synchronize
            | Response::Protocol(_)
            | Response::Ids(_)
            | Response::SessionList(_)
            | Response::CardRead(_)
            | Response::ProprietaryCardRead(_)
            | Response::Declined { .. }
            | Response::UpdateResult(_)
            | Response::ProprietaryResponse(_)
            | Response::File(_)
            | Response::ConnectionInfo(_)
            | Response::Receipt(_)
            | Response::TransactionRecord(_) => self.lose(Loss::OutOfStep, now),
        }
        self.done(now)
    }

    /// Bytes were skipped to find the next frame (serial only). What is money must not be settled by what comes now, and what
    /// still waits must not be written any more than what is asked for from now on.
    pub(crate) fn resynchronised(&mut self, now: Timestamp) -> Vec<Action> {
        self.stained = true;
        let hurt = |exchange: &Option<Exchange>, is_out| {
            let rule = if is_out { settles_money } else { moves_money };
            exchange.as_ref().is_some_and(|exchange| exchange.is_out() == is_out && rule(&exchange.request))
        };
        let waits = hurt(&self.flow, false) || hurt(&self.command, false);
        if waits || hurt(&self.flow, true) || hurt(&self.command, true) {
            for lane in [Lane::Flow, Lane::Command] {
                let exchange = if lane == Lane::Flow { &self.flow } else { &self.command };
                if hurt(exchange, true) {
                    self.end(lane, Outcome::Unanswered(Cause::Resynchronised), now);
                }
            }
            self.lose(Loss::Garbage, now);
        }
        self.done(now)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        if self.looks_again_at().is_some_and(|at| at <= now) {
            self.send_fence(Why::Twin);
        }
        let past = |deadline: Option<Timestamp>| deadline.is_some_and(|deadline| deadline <= now);
        if self.fence.as_ref().is_some_and(|fence| past(fence.deadline)) {
            self.lose(Loss::Timeout(Request::GetStatus.name()), now);
        }
        for lane in [Lane::Command, Lane::Flow] {
            let exchange = if lane == Lane::Flow { &mut self.flow } else { &mut self.command };
            let Some(exchange) = exchange.as_mut().filter(|exchange| past(exchange.deadline)) else { continue };
            if waits_for_card(&exchange.request) {
                // PSP, Start Session: what a terminal sends when no card comes is unknown; perhaps nothing. Ask it.
                exchange.deadline = None;
                self.overdue = true;
            } else {
                let name = exchange.request.name();
                self.end(lane, Outcome::Unanswered(Cause::Timeout), now);
                self.lose(Loss::Timeout(name), now);
            }
        }
        self.done(now)
    }

    /// The wire is gone, or is to be closed.
    pub(crate) fn lost(&mut self, loss: Loss, now: Timestamp) -> Vec<Action> {
        self.lose(loss, now);
        self.done(now)
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let exchanges = [&self.flow, &self.command].into_iter().flatten().filter_map(|exchange| exchange.deadline);
        exchanges.chain(self.fence.as_ref().and_then(|fence| fence.deadline)).chain(self.looks_again_at()).min()
    }

    /// When to ask whether a card flow that is none of ours is over, while one of ours waits for that.
    fn looks_again_at(&self) -> Option<Timestamp> {
        let waits = self.flow.as_ref().is_some_and(|flow| flow.place.is_none() && waits_for_card(&flow.request));
        let asked = self.fence.is_some() || self.command.as_ref().is_some_and(Exchange::is_status);
        self.stray.as_ref().filter(|_| waits && !asked && !self.gone).map(|stray| stray.look_again_at)
    }

    /// Whether a Get Status Response may come (conflict C1).
    pub(crate) fn status_outstanding(&self) -> bool {
        self.fence.as_ref().is_some_and(|fence| fence.began.is_some())
            || self.command_is(|request| matches!(request, Request::GetStatus))
    }

    /// A number that the terminal gives to a new hold means no older one any more, so what waits behind a fence is not written.
    fn take_back_what_meets(&mut self, approval: &Response, now: Timestamp) {
        let (Response::Approved { session: given, .. } | Response::PartiallyApproved { session: given, .. }) = approval else {
            return;
        };
        let meets = |command: &Exchange| command.place.is_none() && disposes_of(&command.request) == Some(*given);
        if self.command.as_ref().is_some_and(meets) {
            self.end_command(Outcome::Unsent, now);
        }
    }

    /// Assumption 13: late answers come before the echo of Synchronize, so until then only what cannot be late is believed.
    fn frame_while_opening(&mut self, response: Response, now: Timestamp) {
        let fits = match &response {
            Response::Result(_) => self.command_is(|request| matches!(request, Request::Reset)),
            _ => self.command_is(|request| names(&response, request)),
        };
        match response {
            Response::Approved { .. } | Response::PartiallyApproved { .. } => self.actions.push(Action::Unasked(response)),
            _ if fits => {
                self.opening &= response != Response::Synchronize;
                self.stained &= self.opening;
                self.end_command(Outcome::Answered(response), now);
                self.twin_may_come &= self.opening;
            }
            _ => {}
        }
    }

    /// Result OK: never a card flow's.
    fn accepted(&mut self, now: Timestamp) {
        if matches!(&self.fence, Some(Fence { why: Why::Doubt(_), .. })) {
            self.both_unanswered(now);
        } else if self.command_is(answered_by_ok) {
            let reset = self.command_is(|request| matches!(request, Request::Reset));
            let asked_at = self.command_place();
            self.end_command(Outcome::Answered(Response::Result(Verdict::Ok)), now);
            if reset {
                self.flow_dropped(asked_at, now);
            }
        } else {
            self.lose(Loss::OutOfStep, now);
        }
    }

    /// Result Not OK: may answer anything.
    fn refused(&mut self, verdict: Verdict, now: Timestamp) {
        if let Some(first) = self.undecided {
            // Both were refused. What was asked for before the status was answered before it, but for an Update, which waits for a bank as
            // Auth does. Only a command names a session.
            let is_update = self.command_is(|request| matches!(request, Request::UpdateSession { .. }));
            let second_is_commands = names_session(verdict) || (is_update && !names_session(first));
            let (flows, commands) = if second_is_commands { (first, verdict) } else { (verdict, first) };
            self.undecided = Some(flows);
            return self.end_command(Outcome::Answered(Response::Result(commands)), now);
        }
        let answer = Outcome::Answered(Response::Result(verdict));
        let cancelling = self.command_is(|request| matches!(request, Request::CancelSession));
        match self.fence.as_mut().map(|fence| &mut fence.why) {
            Some(Why::Cancelled { swallowed }) if !*swallowed => {
                *swallowed = true;
                return;
            }
            Some(Why::Doubt(_)) if cancelling => {
                // Both were refused, and it does not matter which Result is whose.
                self.end_flow(answer.clone(), now);
                self.end_command(answer, now);
                return;
            }
            Some(Why::Doubt(_)) => return self.both_unanswered(now),
            Some(Why::Cancelled { .. }) => return self.lose(Loss::OutOfStep, now),
            Some(Why::Overdue | Why::Twin) | None => {}
        }
        match (self.flow_is(|_| true), self.command_is(|_| true)) {
            (true, _) if self.status_outstanding() && self.refusal.is_none() => self.refusal = Some(verdict),
            (true, true) if !self.status_outstanding() => self.send_fence(Why::Doubt(verdict)),
            (true, false) if !self.status_outstanding() => self.end_flow(answer, now),
            (false, true) => self.end_command(answer, now),
            (true, _) | (false, false) => self.lose(Loss::OutOfStep, now),
        }
    }

    /// Session Cancelled.
    fn cancelled(&mut self, now: Timestamp) {
        let answer = Outcome::Answered(Response::Cancelled);
        let by_us = self.command_is(|request| matches!(request, Request::CancelSession));
        let in_doubt = matches!(&self.fence, Some(Fence { why: Why::Doubt(_), .. }));
        match (self.flow_is(|_| true), by_us) {
            (true, true) if !in_doubt && self.undecided.is_none() => {
                self.end_flow(answer, now);
                self.send_fence(Why::Cancelled { swallowed: false });
            }
            (true, _) => self.end_flow(answer, now),
            (false, true) if self.fence.is_none() => self.end_command(answer, now),
            (false, _) => self.lose(Loss::OutOfStep, now),
        }
    }

    /// Get Status Response. What has ended before it has no second answer any more; a card flow that ends by it may still have one.
    fn fenced(&mut self, status: Status, now: Timestamp) {
        let had_flow = self.flow_is(|_| true);
        self.status(status, now);
        let has_flow = self.flow_is(|_| true);
        self.twin_may_come = had_flow && !has_flow;
        let since = self.stray.as_ref().map_or(now, |stray| stray.since);
        self.stray = (is_in_card_flow(status) && !has_flow).then(|| Stray::seen(since, now));
    }

    /// Ours, or the one that was asked for.
    fn status(&mut self, status: Status, now: Timestamp) {
        let asked_at = match &self.fence {
            Some(fence) if fence.began.is_some() => fence.place,
            Some(_) => return self.lose(Loss::OutOfStep, now),
            None => match &self.command {
                Some(Exchange { request: Request::GetStatus, began: Some(_), place: Some(place), .. }) => {
                    let place = *place;
                    self.end_command(Outcome::Answered(Response::Status(status)), now);
                    place
                }
                _ => return self.lose(Loss::OutOfStep, now),
            },
        };
        let waiting = is_in_card_flow(status);
        match self.fence.take().map(|fence| fence.why) {
            Some(Why::Doubt(verdict)) => return self.doubt_ends(verdict, waiting, now),
            Some(Why::Cancelled { .. }) => self.end_command(Outcome::Answered(Response::Cancelled), now),
            Some(Why::Overdue | Why::Twin) | None => {}
        }
        if let Some(verdict) = self.refusal.take() {
            // The Get Status was answered, so the Not OK was not for it.
            let is_start = self.flow_is(waits_for_card);
            if !self.flow_is(|_| true) || (is_start && waiting) {
                return self.lose(Loss::OutOfStep, now);
            }
            return self.end_flow(Outcome::Answered(Response::Result(verdict)), now);
        }
        // A status asked for before the card flow was says nothing about it.
        let Some(flow) = self.flow.as_ref().filter(|flow| flow.place.is_some_and(|place| place < asked_at)) else { return };
        let is_start = waits_for_card(&flow.request);
        let restarted = matches!(status.state, TerminalState::Offline | TerminalState::Online);
        if is_start && !waiting {
            self.end_flow(Outcome::FlowEnded, now);
        } else if is_start && self.overdue {
            let name = flow.request.name();
            self.end_flow(Outcome::Unanswered(Cause::Timeout), now);
            self.lose(Loss::Timeout(name), now);
        } else if restarted {
            self.flow_dropped(Some(asked_at), now);
        }
    }

    /// A fence says whether the card flow goes on; if it does, the Not OK was the command's.
    fn doubt_ends(&mut self, verdict: Verdict, waiting: bool, now: Timestamp) {
        let answer = Outcome::Answered(Response::Result(verdict));
        // Either may have been answered since; what is in its lane then waits for this status and is none of its business.
        let (flow_is_out, command_is_out) = (self.flow_is(|_| true), self.command_is(|_| true));
        let is_auth = self.flow_is(|request| matches!(request, Request::AuthSession));
        if waiting && is_auth && command_is_out && !names_session(verdict) {
            // The card may be there still though its Auth was refused. One of the two has had its answer: time is Auth's.
            self.undecided = Some(verdict);
            self.command.iter_mut().for_each(|command| command.deadline = None);
            return;
        }
        if waiting || !flow_is_out {
            if command_is_out {
                self.end_command(answer, now);
            }
            return;
        }
        // No bank has heard of this card flow. Cancel was asked for before the status, so it has been answered: the flow has ended without
        // a word, or with the Not OK, and each way nothing is left over.
        let cancelling = self.command_is(|request| matches!(request, Request::CancelSession));
        if cancelling && self.flow_is(waits_for_card) {
            self.end_flow(Outcome::FlowEnded, now);
            return self.end_command(answer, now);
        }
        // A bank may have heard of an Auth whose card flow is over, so nothing is an answer to it but its own.
        self.end_flow(if is_auth { Outcome::Unanswered(Cause::Resynchronised) } else { answer }, now);
        if command_is_out {
            self.end_command(Outcome::Unanswered(Cause::Resynchronised), now);
        }
        self.lose(Loss::OutOfStep, now);
    }

    fn both_unanswered(&mut self, now: Timestamp) {
        if self.flow_is(|_| true) {
            self.end_flow(Outcome::Unanswered(Cause::Resynchronised), now);
        }
        if self.command_is(|_| true) {
            self.end_command(Outcome::Unanswered(Cause::Resynchronised), now);
        }
        self.lose(Loss::OutOfStep, now);
    }

    /// Reset, Synchronize or a restart have dropped the card flow without a frame (assumption 2), unless it was asked for later than
    /// what tells us so. A hold may still come of an Auth (assumption 8), so that one is in doubt.
    fn flow_dropped(&mut self, asked_at: Option<u64>, now: Timestamp) {
        if self.flow.as_ref().is_none_or(|flow| flow.place > asked_at) {
            return;
        }
        if self.flow_is(|request| matches!(request, Request::AuthSession)) {
            self.end_flow(Outcome::Unanswered(Cause::LinkLost), now);
            self.lose(Loss::OutOfStep, now);
        } else if self.flow_is(|_| true) {
            self.end_flow(Outcome::FlowEnded, now);
        }
    }

    /// Gives everything up: one end for each ticket, then the link's.
    fn lose(&mut self, loss: Loss, now: Timestamp) {
        if mem::replace(&mut self.gone, true) {
            return;
        }
        self.fence = None;
        for lane in [Lane::Flow, Lane::Command] {
            let exchange = if lane == Lane::Flow { &self.flow } else { &self.command };
            let Some(exchange) = exchange else { continue };
            let outcome = if exchange.is_out() { Outcome::Unanswered(Cause::LinkLost) } else { Outcome::Unsent };
            self.end(lane, outcome, now);
        }
        self.actions.push(Action::Lose(loss));
    }

    fn end_flow(&mut self, outcome: Outcome, now: Timestamp) {
        self.end(Lane::Flow, outcome, now);
    }

    fn end_command(&mut self, outcome: Outcome, now: Timestamp) {
        self.end(Lane::Command, outcome, now);
    }

    fn end(&mut self, lane: Lane, outcome: Outcome, now: Timestamp) {
        let exchange = match lane {
            Lane::Flow => {
                self.overdue = false;
                self.flow.take()
            }
            Lane::Command => self.command.take(),
            Lane::Fence => None,
        };
        let undecided = self.undecided.take().filter(|_| matches!(outcome, Outcome::Answered(_)));
        if let Some(exchange) = exchange {
            let has_twin = matches!(&outcome, Outcome::Answered(response) if has_twin(response));
            if has_twin {
                // A status has to be read anew, and before it nobody knows where the terminal is.
                self.twin_may_come = true;
                self.stray = None;
            }
            self.actions.push(Action::Ended { ticket: exchange.ticket, outcome, took: exchange.took(now) });
            let other = if lane == Lane::Flow { &self.command } else { &self.flow };
            if has_twin && other.as_ref().is_some_and(|other| other.waits_to_be_written() && is_money(&other.request)) {
                // Its frame is in line already, and no status can be read before it any more.
                self.lose(Loss::OutOfStep, now);
            }
        }
        if let Some(verdict) = undecided {
            let other = if lane == Lane::Flow { Lane::Command } else { Lane::Flow };
            self.end(other, Outcome::Answered(Response::Result(verdict)), now);
        }
    }

    fn flow_is(&self, what: impl Fn(&Request) -> bool) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_out() && what(&flow.request))
    }

    fn command_is(&self, what: impl Fn(&Request) -> bool) -> bool {
        self.command.as_ref().is_some_and(|command| command.is_out() && what(&command.request))
    }

    fn command_place(&self) -> Option<u64> {
        self.command.as_ref().and_then(|command| command.place)
    }

    fn send_fence(&mut self, why: Why) {
        let place = self.take_place();
        self.fence = Some(Fence { why, place, began: None, deadline: None });
        self.actions.push(Action::Write { lane: Lane::Fence, request: Request::GetStatus });
    }

    fn take_place(&mut self) -> u64 {
        let place = self.next_place;
        self.next_place = place.wrapping_add(1);
        place
    }

    /// Writes what may be written now, and hands over what is to be done.
    fn done(&mut self, now: Timestamp) -> Vec<Action> {
        if self.overdue && self.fence.is_none() && self.command.as_ref().is_none_or(|command| command.place.is_none()) {
            self.send_fence(Why::Overdue);
        }
        let cancelling = matches!(&self.command, Some(Exchange { request: Request::CancelSession, .. }));
        let status_is_out = self.command.as_ref().is_some_and(Exchange::is_status);
        for lane in [Lane::Command, Lane::Flow] {
            if self.gone || self.fence.is_some() || (lane == Lane::Flow && cancelling) {
                break;
            }
            let place = self.next_place;
            let exchange = if lane == Lane::Flow { &mut self.flow } else { &mut self.command };
            if let Some(exchange) = exchange.as_mut().filter(|exchange| exchange.place.is_none()) {
                if self.twin_may_come && is_money(&exchange.request) {
                    // A status that was asked for does as well.
                    if !status_is_out {
                        self.send_fence(Why::Twin);
                    }
                    break;
                }
                if let Some(stray) = self.stray.as_ref().filter(|_| waits_for_card(&exchange.request)) {
                    // Its card would be taken for this one's.
                    if stray.is_for_good(now) {
                        self.lose(Loss::OutOfStep, now);
                    }
                    break;
                }
                exchange.place = Some(place);
                let request = exchange.request.clone();
                self.take_place();
                self.actions.push(Action::Write { lane, request });
            }
        }
        mem::take(&mut self.actions)
    }
}
