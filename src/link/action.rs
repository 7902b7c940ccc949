//! What the machine of a link's exchanges tells the owner of its wire.

use std::time::Duration;

use crate::protocol::request::Request;
use crate::protocol::response::Response;

use super::lane::Lane;
use super::{Loss, Outcome, Ticket};

/// What the owner of the wire is to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Write this, after whatever is still being written, and say [`began`](super::exchange::Exchanges::began) when its first byte has left.
    Write {
        /// On whose behalf.
        lane: Lane,
        /// What.
        request: Request,
    },
    /// An exchange has ended.
    Ended {
        /// Which.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
        /// Since its first byte was written.
        took: Duration,
    },
    /// Pass on what nobody asked for.
    Unasked(Response),
    /// Close the wire. The last action.
    Lose(Loss),
}
