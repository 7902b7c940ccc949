//! The two lanes of a link, and the exchange that one of them holds. Pure.

use std::time::Duration;

use crate::protocol::request::Request;
use crate::time::Timestamp;

use super::Ticket;

/// On whose behalf a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Start Session, Auth.
    Flow,
    /// Everything else that is asked for.
    Command,
    /// A Get Status of the machine itself.
    Fence,
}

/// One lane's exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) ticket: Ticket,
    pub(super) request: Request,
    /// Its place among everything written; none while it waits behind a fence.
    pub(super) place: Option<u64>,
    pub(super) began: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
}

impl Exchange {
    pub(super) fn took(&self, now: Timestamp) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.since(began))
    }

    /// Its answer is a fence.
    pub(super) fn is_status(&self) -> bool {
        self.place.is_some() && self.request == Request::GetStatus
    }

    /// Its frame is in line, and not one byte has left.
    pub(super) const fn waits_to_be_written(&self) -> bool {
        self.place.is_some() && self.began.is_none()
    }

    /// Whether an answer to it can be on the way.
    pub(super) const fn is_out(&self) -> bool {
        self.began.is_some()
    }
}
