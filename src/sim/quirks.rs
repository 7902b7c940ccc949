//! What differs from terminal to terminal, or is not known of any: each a switch (PSP 18).

use std::time::Duration;

use crate::protocol::request::Options;

/// The switches of one terminal. The defaults are what PSP 18 assumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// How long to wait for a card (`card-detect-timeout`).
    pub card_timeout: Duration,
    /// Whether a TCP connection is closed after 20 idle seconds.
    pub idle_close: bool,
    /// The first byte of its frames. A P6X may be configured to another one (PSP, Frame format).
    pub preamble: u8,
    /// The routing byte of its frames. A P6X may be configured to another one.
    pub magic: u8,
    /// Which Protocol options it accepts, of those of its family.
    pub accepted_options: Options,
    /// How many session ids it puts on a page of List Sessions.
    pub sessions_per_page: usize,
    /// The number of its first session.
    pub first_session_id: u32,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            card_timeout: Duration::from_secs(60),
            idle_close: true,
            preamble: 0xAA,
            magic: 0x3C,
            accepted_options: Options(u32::MAX),
            sessions_per_page: super::terminal::SESSIONS_PER_PAGE,
            first_session_id: 1001,
        }
    }
}
