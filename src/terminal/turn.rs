//! Whose exchange goes next. A terminal answers one command at a time, and beside it one card flow (PSP, Correlation). Pure.
//!
//! The order, and why:
//! 1. a card flow that is to be cancelled: a driver stands before it, and it blocks everybody else's,
//! 2. disposals, oldest wish first: they are why we exist,
//! 3. List Sessions, while no card flow is open, since a hold that is being placed would look like an orphan,
//! 4. the status that keeps the link alive,
//! 5. a new card flow, when nothing of the above waits.

use std::collections::VecDeque;

use crate::id::SessionId;

/// Who has the command lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A session, for Commit or Void.
    Session(SessionId),
    /// The terminal itself: set-up, status, cancel.
    Terminal,
    /// A reconciliation, for all its pages.
    Reconciliation,
}

/// Whose card flow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A session's.
    Session(SessionId),
    /// Nobody's yet: the terminal scans all the time, and the next card makes a session.
    Scan,
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

/// A session that waits for the end of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    session: SessionId,
    /// It is durable, and wants its flow.
    wants: bool,
}

/// Whose exchange goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Cancel Session.
    Cancel,
    /// This session's Commit or Void.
    Dispose(SessionId),
    /// List Sessions, from the first page.
    List,
    /// Get Status.
    Status,
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
    pub(super) behind: Option<Behind>,
    pub(super) disposals: VecDeque<SessionId>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { holder: Holder::Nobody, flow: Flow::None, cancel: false, list: false, behind: None, disposals: VecDeque::new() }
    }
}

/// The card-flow lane.
impl Turns {
    /// Whether a session's card flow can be opened. A scan gives way, since nobody stands before it.
    pub fn admits(&self) -> bool {
        let free = match self.flow {
            Flow::None | Flow::Wanted(Owner::Scan) | Flow::Waiting(Owner::Scan) => true,
            Flow::CardRead(Owner::Scan) => self.cancel,
            Flow::Opening(_)
            | Flow::Wanted(Owner::Session(_))
            | Flow::Waiting(Owner::Session(_))
            | Flow::CardRead(Owner::Session(_))
            | Flow::Authorising(_) => false,
        };
        free && self.behind.is_none()
    }

    /// This session is being made durable, and the lane is kept for it.
    pub fn reserve(&mut self, session: SessionId) {
        if matches!(self.flow, Flow::Waiting(Owner::Scan) | Flow::CardRead(Owner::Scan)) {
            self.cancel = true;
            self.behind = Some(Behind { session, wants: false });
        } else {
            self.flow = Flow::Opening(session);
        }
    }

    /// This session wants its card flow; `false` when the lane is not kept for it.
    pub fn start(&mut self, session: SessionId) -> bool {
        match (self.flow, &mut self.behind) {
            (Flow::Opening(of), _) if of == session => {}
            (_, Some(behind)) if behind.session == session => {
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
        self.behind = self.behind.take_if(|behind| behind.session != session);
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
            Some(Behind { session, wants: false }) => Flow::Opening(session),
            Some(Behind { session, wants: true }) => Flow::Wanted(Owner::Session(session)),
        };
    }

    /// The session whose card flow is open or wanted.
    pub fn flow_session(&self) -> Option<SessionId> {
        match self.flow {
            Flow::None | Flow::Wanted(Owner::Scan) | Flow::Waiting(Owner::Scan) | Flow::CardRead(Owner::Scan) => None,
            Flow::Opening(session)
            | Flow::Wanted(Owner::Session(session))
            | Flow::Waiting(Owner::Session(session))
            | Flow::CardRead(Owner::Session(session))
            | Flow::Authorising(session) => Some(session),
        }
    }

    /// Likewise, and the one that waits for the end of a scan.
    pub fn flow_sessions(&self) -> Vec<SessionId> {
        self.flow_session().into_iter().chain(self.behind.map(|behind| behind.session)).collect()
    }
}

/// The command lane.
impl Turns {
    /// A session wants to dispose of its hold.
    pub fn want(&mut self, session: SessionId) {
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
        if let Some(session) = self.disposals.pop_front() {
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
        self.behind = self.behind.take_if(|behind| behind.session != session);
        if self.flow == Flow::Opening(session) {
            self.flow_over();
        }
    }

    /// The link is gone: nobody has or waits for anything.
    pub fn lost(&mut self) {
        *self = Self::default();
    }
}
