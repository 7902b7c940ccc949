//! Bytes ↔ meaning of the Payter Session Protocol: no I/O, no clock, no logging. The meaning of a message code depends on its
//! direction, so there are two enums: [`Request`] (host → terminal) and [`Response`] (terminal → host).

pub mod dol;
pub mod request;
pub mod response;

pub use dol::Dol;
pub use request::Request;
pub use response::Response;

use serde::{Deserialize, Serialize};

/// The two families of terminals. What each can do is data: see [`crate::terminal`] for what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Apollo: TCP or TLS, detailed reasons, partial approvals; cannot list its sessions.
    Apollo,
    /// P6X: RS-232, lists its sessions, gives no reasons.
    P6x,
}

impl Family {
    /// The name used in configuration, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apollo => "apollo",
            Self::P6x => "p6x",
        }
    }
}
