//! Bytes ↔ meaning of the Payter Session Protocol: no I/O, no clock, no logging. The meaning of a message code depends on its
//! direction, so there are two enums: [`Request`] (host → terminal) and [`Response`] (terminal → host). What they are called, their
//! codes and who knows them is a table: [`message`]. Where the pages leave a choice, [`Quirks`] says what is believed.
//!
//! Comments cite Payter's pages by their titles, as (PSP, Session Approved); they are at
//! <https://docs.payter.com/docs/Integration/specifications/psp/>. What no page says is *assumption N* or *conflict CN* of
//! `src/sim/assumptions.md`.
//!
#![doc = include_str!("coverage.md")]

mod checksum;
pub mod codec;
pub mod dol;
pub mod error;
pub mod family;
mod fields;
pub mod frame;
pub mod message;
pub mod quirks;
pub mod raw;
pub mod request;
pub mod response;
#[cfg(test)]
mod tests;
pub mod trace;

pub use checksum::checksum;
pub use codec::{CodecError, HostCodec, SendError, TerminalCodec};
pub use dol::Dol;
pub use error::{PayloadFault, ProtocolError};
pub use family::{Family, NotSupported};
pub use frame::Discipline;
pub use quirks::Quirks;
pub use raw::RawPayload;
pub use request::Request;
pub use response::Response;

use std::fmt;
use std::str::FromStr;

/// Who sends. The meaning of a message code depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Host → terminal.
    FromHost,
    /// Terminal → host.
    FromTerminal,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromHost => "from the host",
            Self::FromTerminal => "from the terminal",
        })
    }
}

/// Why a text names no sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame is from \"host\" or from \"terminal\"")]
pub struct DirectionError;

impl FromStr for Direction {
    type Err = DirectionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "host" => Ok(Self::FromHost),
            "terminal" => Ok(Self::FromTerminal),
            _ => Err(DirectionError),
        }
    }
}

/// How long the length field of a frame is, and with it the length field of data objects (PSP, Frame format).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockFormat {
    /// One byte.
    Default,
    /// Four bytes; after Protocol option 0x04, Apollo only.
    Extended,
}
