//! Payloads that set the link and the terminal up: Protocol, Setup, Control.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::protocol::error::ProtocolError;
use crate::protocol::fields::Fields;

/// Payload of Protocol, and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// 1, 2 or 3; 3 is the default and recommended.
    pub version: u8,
    /// Which options are wanted, or were accepted.
    pub options: Options,
}

impl Protocol {
    /// What the terminal made of what was asked. The answer says what was accepted (inferred: PSP, Protocol).
    pub const fn compared_with(self, accepted: Self) -> Comparison {
        Comparison {
            version: if self.version == accepted.version { None } else { Some(accepted.version) },
            refused: Options(self.options.0 & !accepted.options.0),
            unasked: Options(accepted.options.0 & !self.options.0),
        }
    }

    /// Appends its payload, which is the same in both directions.
    pub(in crate::protocol) fn encode(self, out: &mut BytesMut) {
        out.put_u8(self.version);
        out.put_u32(self.options.0);
    }

    /// Reads its payload.
    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        Ok(Self { version: fields.u8("version")?, options: Options(fields.u32("options")?) })
    }
}

/// What was asked of Protocol, against what was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The version that the terminal uses, when it is another one than was asked for.
    pub version: Option<u8>,
    /// Options that were asked for and are off.
    pub refused: Options,
    /// Options that are on though nobody asked for them.
    pub unasked: Options,
}

impl Comparison {
    /// Whether the terminal does just what it was asked to.
    pub const fn is_agreed(&self) -> bool {
        self.version.is_none() && self.refused.0 == 0 && self.unasked.0 == 0
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_agreed() {
            return f.write_str("everything was accepted");
        }
        let mut gap = "";
        if let Some(version) = self.version {
            write!(f, "it uses version {version}")?;
            gap = "; ";
        }
        for (what, options) in [("refused", self.refused), ("on without being asked for", self.unasked)] {
            if options.0 != 0 {
                write!(f, "{gap}{what}: {options}")?;
                gap = "; ";
            }
        }
        Ok(())
    }
}

/// Protocol options, a bit field (PSP, Protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options(pub u32);

impl Options {
    /// Send Transaction Event during the card flow.
    pub const EVENTS: Self = Self(0x01);
    /// Add authorization-stage data objects to the answer.
    pub const AUTHORIZATION_DOL: Self = Self(0x02);
    /// Extended block format, Apollo only.
    pub const EXTENDED_BLOCK: Self = Self(0x04);
    /// Detailed result and decline codes, Apollo only.
    pub const DETAILED_CODES: Self = Self(0x08);
    /// Data objects after a decline, Apollo only.
    pub const DECLINED_DOL: Self = Self(0x10);

    /// Every option that PSP names, with what it does.
    pub const NAMED: [(Self, &'static str); 5] = [
        (Self::EVENTS, "send Transaction Event"),
        (Self::AUTHORIZATION_DOL, "authorization data objects"),
        (Self::EXTENDED_BLOCK, "extended block"),
        (Self::DETAILED_CODES, "detailed codes"),
        (Self::DECLINED_DOL, "data objects after a decline"),
    ];

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (_, name) in Self::NAMED.iter().filter(|(option, _)| self.contains(*option)) {
            write!(f, "{gap}{name}")?;
            gap = ", ";
        }
        let named = Self::NAMED.iter().fold(0, |bits, (option, _)| bits | option.0);
        match self.0 & !named {
            0 if self.0 == 0 => f.write_str("none"),
            0 => Ok(()),
            unnamed => write!(f, "{gap}{unnamed:08X}, which PSP does not name"),
        }
    }
}

/// Payload of Setup: the terminal's own timer for sessions that nobody ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Seconds until it acts; 0 and 0xFFFF_FFFF mean never (assumed: PSP does not say).
    pub timeout_seconds: u32,
    /// What it does then.
    pub action: TimeoutAction,
}

impl Setup {
    pub(in crate::protocol) fn encode(self, out: &mut BytesMut) {
        out.put_u32(self.timeout_seconds);
        out.put_u8(match self.action {
            TimeoutAction::Commit => 0x00,
            TimeoutAction::Void => 0x01,
        });
    }

    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        let timeout_seconds = fields.u32("timeout")?;
        let action = match fields.u8("timeout action")? {
            0x00 => TimeoutAction::Commit,
            0x01 => TimeoutAction::Void,
            other => return Err(fields.cannot_be("timeout action", other)),
        };
        Ok(Self { timeout_seconds, action })
    }
}

/// What the terminal does when the Setup timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutAction {
    /// 0x00: takes the whole hold.
    Commit,
    /// 0x01: gives it back.
    Void,
}

/// Payload of Control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// 0x00: Result, then it reboots at once.
    Reboot,
}

impl Control {
    pub(in crate::protocol) fn encode(self, out: &mut BytesMut) {
        match self {
            Self::Reboot => out.put_u8(0x00),
        }
    }

    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        match fields.u8("action")? {
            0x00 => Ok(Self::Reboot),
            other => Err(fields.cannot_be("action", other)),
        }
    }
}
