//! A terminal that scans all the time: when its card flow is opened again. Pure: time and randomness are arguments.
//!
//! ```text
//!              may scan, and due                  a card, or its end: at once
//!   closed ──────────────────────► open ────────────────────────────────────────► closed, due now
//!     ▲                              │  refused, or over too soon: after a while,
//!     └──────────────────────────────┘  longer each time
//! ```

use std::time::Duration;

use crate::id::SessionReference;
use crate::link::backoff;
use crate::time::Timestamp;

/// A flow that ends by itself within this time is of no use to a driver, and the next one would fare no better at once.
const TOO_SOON: Duration = Duration::from_secs(1);

/// The shortest pause after such a flow.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest one: a terminal that begins to take cards again is noticed within this time.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How the terminal's own card flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A card was read.
    Card,
    /// We have cancelled it, or the link was lost.
    Ours,
    /// The terminal has ended it: nobody came.
    Nobody,
    /// The terminal has refused it.
    Refused,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    open: Option<Open>,
    useless_in_a_row: u32,
    not_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    reference: SessionReference,
    since: Timestamp,
    cancelled_at: Option<Timestamp>,
}

impl Scan {
    /// Whether the flow may be opened now, as far as its own past is concerned.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.open.is_none() && self.not_before.is_none_or(|moment| moment <= now)
    }

    /// It is being opened, with this number.
    pub fn opened(&mut self, reference: SessionReference, now: Timestamp) {
        self.open = Some(Open { reference, since: now, cancelled_at: None });
    }

    /// The number that was sent with it.
    pub fn reference(&self) -> Option<SessionReference> {
        self.open.map(|open| open.reference)
    }

    /// Whether it has been open for as long as a card flow may be.
    pub fn is_old(&self, card_timeout: Duration, now: Timestamp) -> bool {
        self.open.is_some_and(|open| open.since.after(card_timeout) <= now)
    }

    /// Whether to cancel it now. A terminal that has refused to is asked again, but not at once.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        let Some(open) = &mut self.open else { return true };
        let again = open.cancelled_at.is_none_or(|at| now.since(at) >= TOO_SOON);
        if again {
            open.cancelled_at = Some(now);
        }
        again
    }

    /// It has ended; `jitter` lies between 0 and 1.
    pub fn ended(&mut self, end: End, now: Timestamp, jitter: f64) {
        let Some(open) = self.open.take() else { return };
        let useless = match end {
            End::Card | End::Ours => false,
            End::Nobody => open.cancelled_at.is_none() && now.since(open.since) < TOO_SOON,
            End::Refused => open.cancelled_at.is_none(),
        };
        if useless {
            self.useless_in_a_row = self.useless_in_a_row.saturating_add(1);
            self.not_before = Some(now.after(backoff::delay(self.useless_in_a_row, PAUSE_MIN, PAUSE_MAX, jitter)));
        } else {
            self.useless_in_a_row = 0;
            self.not_before = None;
        }
    }
}
