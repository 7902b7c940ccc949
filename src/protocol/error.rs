//! What can be wrong with bytes, and what the numbers mean that terminals give as reasons (PSP, Errors; Session Declined).

use super::Direction;
use super::response::Reason;

/// Why bytes are no frame, or a frame no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A frame begins with another byte than it must.
    #[error("a frame begins with {expected:02X}, but this is {found:02X}")]
    Preamble {
        /// What came.
        found: u8,
        /// What had to come.
        expected: u8,
    },
    /// The third field is not the magic byte.
    #[error("the magic byte is {expected:02X}, but this is {found:02X}")]
    Magic {
        /// What came.
        found: u8,
        /// What had to come.
        expected: u8,
    },
    /// The length field says what no frame can be.
    #[error("no frame has the length {length}: it is from {least} to {most}")]
    Length {
        /// What the length field says: bytes of magic, code and payload.
        length: u32,
        /// The smallest that is possible.
        least: u32,
        /// The largest that is possible.
        most: u32,
    },
    /// Bytes stopped coming in the middle of a frame.
    #[error("the frame ends after {came} bytes, but by its length it has {whole}")]
    Truncated {
        /// How many bytes the frame should have, or must at least have while its length field is incomplete.
        whole: usize,
        /// How many came.
        came: usize,
    },
    /// The sum of the bytes is another one.
    #[error("the checksum should be {expected:02X}, but it is {found:02X}")]
    Checksum {
        /// What came.
        found: u8,
        /// The sum of the bytes that came.
        expected: u8,
    },
    /// The frame is sound, but nothing that we know has this code in this direction.
    #[error("there is no message {code:02X} {from}")]
    UnknownMessage {
        /// Its code.
        code: u8,
        /// Who sent it.
        from: Direction,
    },
    /// The frame is sound, but its payload is not what the message must have.
    #[error("{message}: {fault}")]
    Payload {
        /// The message, by the name that metrics use.
        message: &'static str,
        /// What is wrong.
        fault: PayloadFault,
    },
}

impl ProtocolError {
    /// Every kind, so that each one's series can start at zero.
    pub const KINDS: [&'static str; 6] = ["checksum", "preamble", "magic", "length", "unknown_message", "payload"];

    /// The `kind` label of `quittance_frame_errors_total`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Preamble { .. } => "preamble",
            Self::Magic { .. } => "magic",
            Self::Length { .. } | Self::Truncated { .. } => "length",
            Self::Checksum { .. } => "checksum",
            Self::UnknownMessage { .. } => "unknown_message",
            Self::Payload { .. } => "payload",
        }
    }

    /// Whether it is no longer known where the next frame begins. Otherwise one sound frame could not be understood, and the
    /// next one can be read.
    pub const fn breaks_framing(&self) -> bool {
        match self {
            Self::Preamble { .. }
            | Self::Magic { .. }
            | Self::Length { .. }
            | Self::Truncated { .. }
            | Self::Checksum { .. } => true,
            Self::UnknownMessage { .. } | Self::Payload { .. } => false,
        }
    }
}

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadFault {
    /// It ends too early.
    #[error("{field} needs {needed} bytes, but only {left} are left")]
    Missing {
        /// The field that is not whole.
        field: &'static str,
        /// How many bytes it needs.
        needed: usize,
        /// How many there were.
        left: usize,
    },
    /// It goes on after its last field.
    #[error("{bytes} bytes too many")]
    Surplus {
        /// By how many bytes.
        bytes: usize,
    },
    /// A field has a value that means nothing.
    #[error("{field} cannot be {value:#04X}")]
    Value {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A text is not the one that must be there.
    #[error("{field} must be {wanted:?}")]
    Word {
        /// The field.
        field: &'static str,
        /// What must be there.
        wanted: &'static str,
    },
    /// A field does not fit into the message (when sending).
    #[error("{field} has {bytes} bytes, but at most {most} fit")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
}

/// What a Result's reason means (PSP, Errors).
pub const fn explain_reason(reason: Reason) -> &'static str {
    match reason.0 {
        0x00 => "OK",
        0x01 => "not OK",
        0x02 => "unknown command",
        0x03 => "incorrect message",
        0x04 => "incorrect checksum",
        0x05 => "wrong PSP state",
        0x06 => "unknown card",
        0x07 => "transaction cancelled",
        0x08 => "incorrect UI screen",
        0x09 => "internal error",
        0x0A => "no transaction running",
        0x0B => "duplicate session id found",
        0x0C => "session id not found",
        0x0D => "service not supported by the terminal's configuration",
        0x0E => "payment application in invalid state",
        0x0F => "overflow: the data to return is too large",
        0x10 => "access denied",
        0x11 => "not ready, for instance while starting up",
        _ => "a reason that Payter's pages do not name",
    }
}

/// What a decline's reason means (PSP, Session Declined). For us and our logs; the cardholder is sent to the issuer instead.
pub const fn explain_decline(reason: u8) -> &'static str {
    match reason {
        0x00 => "not set",
        0x01 => "card read failure",
        0x02 => "card read timeout",
        0x03 => "host error",
        0x04 => "invalid merchant",
        0x05 => "refer to issuer",
        0x06 => "invalid account",
        0x07 => "PIN failure",
        0x08 => "host timeout",
        0x09 => "insufficient funds",
        0x0A => "withdrawal limit exceeded",
        0x0B => "withdrawal frequency exceeded",
        0x0C => "transaction database not reachable",
        0xFF => "other",
        _ => "a reason that Payter's pages do not name",
    }
}
