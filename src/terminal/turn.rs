//! Whose exchange goes next. A terminal answers one command at a time, and beside it one card flow (PSP, Correlation). Pure.
//!
//! The order, and why:
//! 1. a card flow that is to be cancelled: a driver stands before it, and it blocks everybody else's,
//! 2. disposals, oldest wish first: they are why we exist,
//! 3. holds that are to be raised or lowered: somebody waits for the answer,
//! 4. List Sessions, while no card flow is open, since a hold that is being placed would look like an orphan,
//! 5. the status that keeps the link alive,
//! 6. what integrators ask for, while no card is being authorised, since a request that is not answered costs the link,
//! 7. a new card flow, when nothing of the above waits,
//! 8. what an Apollo's display is to show ([`super::screen`]).

use std::collections::VecDeque;

use crate::id::SessionId;

/// Who has the command lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A session, for Commit, Void or Update.
    Session(SessionId),
    /// The terminal itself: set-up, status, cancel.
    Terminal,
    /// A reconciliation, for all its pages.
    Reconciliation,
    /// An integrator.
    Asked,
    /// A screen.
    Screen,
}

/// Whose card flow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A session's.
    Session(SessionId),
    /// Nobody's yet: the terminal scans all the time, and the next card makes a session.
    Scan,
    /// An integrator's, who only wants a card read.
    Reader,
}

/// The card-flow lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Free.
    None,
    /// This session is being made durable.
    Opening(SessionId),
    /// This flow is to be started when the lanes allow.
    Wanted(Owner),
    /// Start Session is under way.
    Waiting(Owner),
    /// A card was read; Auth or Cancel must follow.
    CardRead(Owner),
    /// Auth is under way.
    Authorising(SessionId),
}

/// Whoever waits for the end of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    owner: Owner,
    /// The flow is wanted; a session that is not durable yet does not want it.
    wants: bool,
}

/// Whose exchange goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Cancel Session.
    Cancel,
    /// This session's Commit, Void or Update.
    Dispose(SessionId),
    /// List Sessions, from the first page.
    List,
    /// Get Status.
    Status,
    /// An integrator's request.
    Ask,
    /// Start Session for this flow.
    Start(Owner),
}

/// The lanes of one terminal, and who waits for them.
#[derive(Debug)]
pub struct Turns {
    /// Who has the command lane.
    pub holder: Holder,
    /// The card-flow lane.
    pub flow: Flow,
    /// The card flow is to be cancelled.
    pub cancel: bool,
    /// A reconciliation waits.
    pub list: bool,
    /// An integrator's request waits.
    pub ask: bool,
    pub(super) behind: Option<Behind>,
    pub(super) disposals: VecDeque<SessionId>,
    pub(super) updates: VecDeque<SessionId>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            holder: Holder::Nobody,
            flow: Flow::None,
            cancel: false,
            list: false,
            ask: false,
            behind: None,
            disposals: VecDeque::new(),
            updates: VecDeque::new(),
        }
    }
}

/// The card-flow lane.
impl Turns {
    /// Whether a session's card flow can be opened. A scan gives way, since nobody stands before it.
    pub fn admits(&self) -> bool {
        let free = match self.flow {
            Flow::None | Flow::Wanted(Owner::Scan) | Flow::Waiting(Owner::Scan) => true,
            Flow::CardRead(Owner::Scan) => self.cancel,
            Flow::Opening(_) | Flow::Wanted(_) | Flow::Waiting(_) | Flow::CardRead(_) | Flow::Authorising(_) => false,
        };
        free && self.behind.is_none()
    }

    /// This session is being made durable, and the lane is kept for it.
    pub fn reserve(&mut self, session: SessionId) {
        if !self.behind_scan(Behind { owner: Owner::Session(session), wants: false }) {
            self.flow = Flow::Opening(session);
        }
    }

    /// A card is to be read for an integrator.
    pub fn want_reader(&mut self) {
        if !self.behind_scan(Behind { owner: Owner::Reader, wants: true }) {
            self.flow = Flow::Wanted(Owner::Reader);
        }
    }

    fn behind_scan(&mut self, behind: Behind) -> bool {
        let scans = matches!(self.flow, Flow::Waiting(Owner::Scan) | Flow::CardRead(Owner::Scan));
        if scans {
            self.cancel = true;
            self.behind = Some(behind);
        }
        scans
    }

    /// The integrator wants no card any more.
    pub fn cancel_reader(&mut self) {
        self.leave(Owner::Reader);
        match self.flow {
            Flow::Wanted(Owner::Reader) => self.flow_over(),
            Flow::Waiting(Owner::Reader) | Flow::CardRead(Owner::Reader) => self.cancel = true,
            _ => {}
        }
    }

    /// Whether a card is read for an integrator, or is to be.
    pub fn reads(&self) -> bool {
        matches!(self.flow, Flow::Wanted(Owner::Reader) | Flow::Waiting(Owner::Reader) | Flow::CardRead(Owner::Reader))
            || self.behind.is_some_and(|behind| behind.owner == Owner::Reader)
    }

    /// Whether money is at stake in the card flow: somebody's card was read for a session.
    pub fn money_flows(&self) -> bool {
        matches!(self.flow, Flow::CardRead(Owner::Session(_)) | Flow::Authorising(_))
    }

    fn leave(&mut self, owner: Owner) {
        self.behind = self.behind.take_if(|behind| behind.owner != owner);
    }

    /// This session wants its card flow; `false` when the lane is not kept for it.
    pub fn start(&mut self, session: SessionId) -> bool {
        match (self.flow, &mut self.behind) {
            (Flow::Opening(of), _) if of == session => {}
            (_, Some(behind)) if behind.owner == Owner::Session(session) => {
                behind.wants = true;
                return true;
            }
            _ => return false,
        }
        self.flow = Flow::Wanted(Owner::Session(session));
        true
    }

    /// Nobody scans, and nobody's flow is open or wanted.
    pub fn flow_is_free(&self) -> bool {
        self.flow == Flow::None && self.behind.is_none()
    }

    /// The scan is to end, if there is one.
    pub fn end_scan(&mut self) {
        match self.flow {
            Flow::Wanted(Owner::Scan) => self.flow_over(),
            Flow::Waiting(Owner::Scan) | Flow::CardRead(Owner::Scan) => self.cancel = true,
            _ => {}
        }
    }

    /// This session wants no card flow any more.
    pub fn cancel(&mut self, session: SessionId) {
        self.leave(Owner::Session(session));
        match self.flow {
            Flow::Opening(of) if of == session => self.flow_over(),
            _ => self.cancel |= self.flow_session() == Some(session),
        }
    }

    /// The card flow has ended. Whoever waited for that goes next.
    pub fn flow_over(&mut self) {
        self.cancel = false;
        self.flow = match self.behind.take() {
            None => Flow::None,
            Some(Behind { owner: Owner::Session(session), wants: false }) => Flow::Opening(session),
            Some(Behind { owner, .. }) => Flow::Wanted(owner),
        };
    }

    /// Auth was refused, and the card of this session may still be there: it is to be cancelled before anything else.
    pub fn drop_card(&mut self, session: SessionId) {
        self.flow = Flow::CardRead(Owner::Session(session));
        self.cancel = true;
    }

    /// The session whose card flow is open or wanted.
    pub fn flow_session(&self) -> Option<SessionId> {
        match self.flow {
            Flow::Opening(session)
            | Flow::Wanted(Owner::Session(session))
            | Flow::Waiting(Owner::Session(session))
            | Flow::CardRead(Owner::Session(session))
            | Flow::Authorising(session) => Some(session),
            Flow::None | Flow::Wanted(_) | Flow::Waiting(_) | Flow::CardRead(_) => None,
        }
    }

    /// Likewise, and the one that waits for the end of a scan.
    pub fn flow_sessions(&self) -> Vec<SessionId> {
        let behind = self.behind.and_then(|behind| match behind.owner {
            Owner::Session(session) => Some(session),
            Owner::Scan | Owner::Reader => None,
        });
        self.flow_session().into_iter().chain(behind).collect()
    }
}

/// The command lane.
impl Turns {
    /// A session wants its hold to be raised or lowered.
    pub fn want_update(&mut self, session: SessionId) {
        if !self.updates.contains(&session) {
            self.updates.push_back(session);
        }
    }

    /// A session wants to dispose of its hold; nothing else of it matters then.
    pub fn want(&mut self, session: SessionId) {
        self.updates.retain(|waiting| *waiting != session);
        if !self.disposals.contains(&session) {
            self.disposals.push_back(session);
        }
    }

    /// Takes the next turn, if one can be taken now. `status_due`: the link has been silent for long enough.
    pub fn next(&mut self, status_due: bool) -> Option<Next> {
        if self.holder != Holder::Nobody {
            return None;
        }
        if self.cancel {
            match self.flow {
                Flow::Waiting(_) | Flow::CardRead(_) => {
                    self.cancel = false;
                    self.holder = Holder::Terminal;
                    return Some(Next::Cancel);
                }
                Flow::Wanted(_) => self.flow_over(),
                // Auth is under way: what it brings is a hold or none, and is disposed of like any other.
                Flow::None | Flow::Opening(_) | Flow::Authorising(_) => {}
            }
            self.cancel = false;
        }
        if let Some(session) = self.disposals.pop_front().or_else(|| self.updates.pop_front()) {
            self.holder = Holder::Session(session);
            return Some(Next::Dispose(session));
        }
        let flow_is_open = matches!(self.flow, Flow::Waiting(_) | Flow::CardRead(_) | Flow::Authorising(_));
        if self.list && !flow_is_open {
            self.list = false;
            self.holder = Holder::Reconciliation;
            return Some(Next::List);
        }
        if status_due {
            self.holder = Holder::Terminal;
            return Some(Next::Status);
        }
        if self.ask && !self.money_flows() {
            self.holder = Holder::Asked;
            return Some(Next::Ask);
        }
        if let Flow::Wanted(owner) = self.flow {
            self.flow = Flow::Waiting(owner);
            return Some(Next::Start(owner));
        }
        None
    }

    /// The command lane is free again.
    pub fn release(&mut self) {
        self.holder = Holder::Nobody;
    }

    /// A session has ended, and does not wait for a turn any more.
    pub fn forget(&mut self, session: SessionId) {
        self.disposals.retain(|waiting| *waiting != session);
        self.updates.retain(|waiting| *waiting != session);
        self.leave(Owner::Session(session));
        if self.flow == Flow::Opening(session) {
            self.flow_over();
        }
    }

    /// The link is gone: nobody has or waits for anything.
    pub fn lost(&mut self) {
        *self = Self::default();
    }
}
