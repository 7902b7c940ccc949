//! The two families of terminals, and what each can be asked. Which message which family knows is a column of the tables in
//! [`super::message`]; here is what a request asks for beyond its code.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::request::{Options, Request};

/// The two families of terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Apollo: TCP or TLS, detailed reasons, partial approvals; cannot list its sessions.
    Apollo,
    /// P6X: RS-232, lists its sessions, gives no reasons.
    P6x,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Apollo, Self::P6x];

    /// Whether it can be asked which sessions it holds (PSP, List Sessions).
    pub const fn lists_sessions(self) -> bool {
        matches!(self, Self::P6x)
    }

    /// The Protocol options that it has (PSP, Protocol).
    pub const fn options(self) -> Options {
        let both = Options::EVENTS.with(Options::AUTHORIZATION_DOL);
        match self {
            Self::Apollo => both.with(Options::EXTENDED_BLOCK).with(Options::DETAILED_CODES).with(Options::DECLINED_DOL),
            Self::P6x => both,
        }
    }

    /// The name used in configuration, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apollo => "apollo",
            Self::P6x => "p6x",
        }
    }

    /// What Payter calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Apollo => "Apollo",
            Self::P6x => "P6X",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Apollo => Self::P6x,
            Self::P6x => Self::Apollo,
        }
    }
}

/// A terminal of this family cannot be asked this; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotSupported {
    /// The request, by the name that metrics use.
    pub message: &'static str,
    /// The part of the request that the family does not know; none when it does not know the request at all.
    pub part: Option<&'static str>,
    /// The family that was to be asked.
    pub family: Family,
}

impl fmt::Display for NotSupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, part, family } = self;
        write!(f, "{} terminals do not know ", family.title())?;
        if let Some(part) = part {
            write!(f, "the {part} of ")?;
        }
        write!(f, "{message}, only {} terminals do", family.other().title())
    }
}

impl Request {
    /// Whether a terminal of this family can be asked this, with everything that it asks for.
    pub fn supported_by(&self, family: Family) -> Result<(), NotSupported> {
        let not = |part| Err(NotSupported { message: self.name(), part, family });
        if !self.kind().known_to(family) {
            return not(None);
        }
        match (self, family) {
            (Self::Protocol(protocol), _) if !family.options().contains(protocol.options) => not(Some("options")),
            (Self::StartSession(start), Family::P6x) => start.first_apollo_field().map_or(Ok(()), |field| not(Some(field))),
            _ => Ok(()),
        }
    }
}
