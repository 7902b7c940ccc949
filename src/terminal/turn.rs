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

/// The card-flow lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Free.
    None,
    /// This session is being made durable.
    Opening(SessionId),
    /// This session's flow is to be started when the lanes allow.
    Wanted(SessionId),
    /// Start Session is under way.
    Waiting(SessionId),
    /// A card was read; Auth or Cancel must follow.
    CardRead(SessionId),
    /// Auth is under way.
    Authorising(SessionId),
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
    /// Start Session for this session.
    Start(SessionId),
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
    pub(super) disposals: VecDeque<SessionId>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { holder: Holder::Nobody, flow: Flow::None, cancel: false, list: false, disposals: VecDeque::new() }
    }
}

impl Turns {
    /// A session wants to dispose of its hold.
    pub fn want(&mut self, session: SessionId) {
        if !self.disposals.contains(&session) {
            self.disposals.push_back(session);
        }
    }

    /// The session whose card flow is open or wanted.
    pub fn flow_session(&self) -> Option<SessionId> {
        match self.flow {
            Flow::None => None,
            Flow::Opening(session)
            | Flow::Wanted(session)
            | Flow::Waiting(session)
            | Flow::CardRead(session)
            | Flow::Authorising(session) => Some(session),
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
                Flow::Wanted(_) => self.flow = Flow::None,
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
        if let Flow::Wanted(session) = self.flow {
            self.flow = Flow::Waiting(session);
            return Some(Next::Start(session));
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
    }

    /// The link is gone: nobody has or waits for anything.
    pub fn lost(&mut self) {
        *self = Self::default();
    }
}
