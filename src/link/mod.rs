//! One connection to one terminal. A link is opened once, set up, used and lost; whoever wants another one opens another one
//! (the terminal's actor does, after as long as the fleet says). So everything that a link knows ends with it, and a late
//! answer can never meet a new exchange.
//!
//! [`open`] gives an [`Orders`] handle; what happens comes back as [`Event`]s, each with the link's [`Generation`]. Dropping the
//! handle closes the wire.

mod action;
pub mod backoff;
mod exchange;
mod fence;
mod lane;
mod pipe;
mod rules;
mod serial;
mod task;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use pipe::Pipe;
pub use task::{Orders, open, open_with};
pub use tls::{MinVersion, Tls, TlsWire};
pub use wire::Wire;

use std::fmt;
use std::time::Duration;

use crate::journal::record::Cause;
use crate::protocol::{Discipline, Family, Quirks, Request, Response};
use crate::time::Timestamp;
use crate::tls::Fault;

/// Where a terminal is to be found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port`.
    Tcp(String),
    /// Likewise, with TLS.
    Tls(Box<Tls>),
    /// A serial device by its path.
    Serial {
        /// Such as `/dev/serial/by-path/…`.
        path: String,
        /// Bits per second.
        baud: u32,
    },
    /// Memory, for simulations; no configuration means it.
    Pipe(Pipe),
}

impl Address {
    /// What makes two links the same: neither the baud rate, nor the case of a host name, nor TLS matters.
    pub fn place(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_ascii_lowercase(),
            Self::Tls(tls) => tls.address.to_ascii_lowercase(),
            Self::Serial { path, .. } => path.clone(),
            Self::Pipe(pipe) => pipe.to_string(),
        }
    }

    /// Whether nobody at the other end notices that this end goes.
    pub fn is_serial(&self) -> bool {
        self.discipline() == Discipline::Resynchronise
    }

    /// What damaged bytes mean there.
    const fn discipline(&self) -> Discipline {
        match self {
            Self::Tcp(_) | Self::Tls(_) => Discipline::Strict,
            Self::Serial { .. } => Discipline::Resynchronise,
            Self::Pipe(pipe) => pipe.discipline(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp {address}"),
            Self::Tls(tls) => write!(f, "tls {}", tls.address),
            Self::Serial { path, baud } => write!(f, "serial {path} at {baud} baud"),
            Self::Pipe(pipe) => write!(f, "pipe {pipe}"),
        }
    }
}

/// How long to wait for what (PSP, Timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Any request that is not named below.
    pub command: Duration,
    /// Commit and Void.
    pub commit: Duration,
    /// Auth.
    pub authorise: Duration,
    /// A card after Start Session.
    pub card: Duration,
}

impl Timeouts {
    /// From the intent to authorise until the bank's answer: a status may be read first.
    pub fn bank(&self) -> Duration {
        self.authorise.saturating_add(self.command)
    }
}

/// Everything that a link must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where.
    pub address: Address,
    /// What for.
    pub family: Family,
    /// What is believed of the terminal: decides what is tolerated on the receiving side.
    pub quirks: Quirks,
    /// How long.
    pub timeouts: Timeouts,
}

/// Names an exchange of one link; given by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A request to be exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub ticket: Ticket,
    /// What to send. Start Session and Auth use the card-flow lane, everything else the command lane.
    pub request: Request,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This answers it.
    Answered(Response),
    /// It never left: not one byte was written.
    Unsent,
    /// It may have arrived, but there is no answer.
    Unanswered(Cause),
    /// Card-flow lane, before Auth: the terminal has dropped the flow without a word.
    FlowEnded,
}

/// Numbers the links of one terminal, so that what an old one still says is never taken for a new one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(pub u64);

impl Generation {
    /// The link after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// An event, and which link it is of.
#[derive(Clone, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Told {
    /// Which.
    pub link: Generation,
    /// What it says.
    pub event: Event,
}

/// What a link has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A certificate passed by while a wire of TLS was being opened; comes before [`Event::Opened`], and also when that never comes.
    Certificate {
        /// Who shows it.
        whose: Whose,
        /// When it ceases to be valid.
        expires: Timestamp,
    },
    /// The wire is open; nothing has been sent yet.
    Opened,
    /// An exchange has ended. Every order gets exactly one of these, also when the link is lost.
    Ended {
        /// Which.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
        /// From the first byte written to the end.
        took: Duration,
    },
    /// The terminal said something that nobody asked for: a Transaction Event, which is harmless, or that a hold was placed,
    /// which must not be forgotten.
    Unasked(Response),
    /// Bytes came that are no frame; counted by kind. On TCP the link is lost next, a serial link resynchronises. A sound
    /// frame with an unknown code (`unknown_message`) is counted, too, and changes nothing.
    FrameError(&'static str),
    /// The link is gone; the last event.
    Lost(Loss),
}

/// Who shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The terminal.
    Terminals,
    /// We do.
    Ours,
}

/// Why a link is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// It could not be opened; says why.
    #[error("{0}")]
    Refused(String),
    /// TLS, or that only one side speaks it.
    #[error("TLS: {0}")]
    Tls(Fault),
    /// The other side closed it, or the device was unplugged.
    #[error("the other side closed the link, or the device was unplugged")]
    Closed,
    /// The operating system reported an error.
    #[error("{0}")]
    Io(String),
    /// A request was not answered in time; names it.
    #[error("{0} was not answered in time")]
    Timeout(&'static str),
    /// The bytes that came are no frames.
    #[error("the bytes that came are no frames")]
    Garbage,
    /// Frames came that answer nothing: requests and answers may be out of step.
    #[error("frames came that answer nothing: requests and answers may be out of step")]
    OutOfStep,
    /// We closed it.
    #[error("closed by us")]
    Dropped,
}

impl Loss {
    /// The `reason` label of `quittance_link_restarts_total`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Tls(_) => "tls",
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::Timeout(_) => "timeout",
            Self::Garbage => "garbage",
            Self::OutOfStep => "out_of_step",
            Self::Dropped => "dropped",
        }
    }
}
