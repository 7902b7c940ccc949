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
    /// Gives the lowest number that no open session has, instead of the next one (against point 10).
    pub reuse_ids: bool,
    /// Says OK to a repeated Commit or Void, instead of Not OK (against point 9). The bank is not asked again.
    pub repeat_is_ok: bool,
    /// Forgets its sessions at a Reset (against point 2).
    pub reset_forgets: bool,
    /// Setup counts for open sessions, too, from now on (against point 4).
    pub setup_rearms: bool,
    /// Drops a frame with a wrong checksum without a word (against point 14).
    pub ignore_damaged: bool,
    /// Answers Get Status with 0x00 (against point 1; PSP conflict C1).
    pub status_as_result: bool,
    /// What it says when nobody presents a card.
    pub on_card_timeout: CardTimeout,
}

/// What a terminal says when nobody presents a card (PSP, Start Session, and point 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CardTimeout {
    /// Session Cancelled.
    #[default]
    Cancelled,
    /// Result Not OK, with reason 0x07 where reasons exist.
    NotOk,
    /// Nothing: only Get Status shows it.
    Silent,
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
            reuse_ids: false,
            repeat_is_ok: false,
            reset_forgets: false,
            setup_rearms: false,
            ignore_damaged: false,
            status_as_result: false,
            on_card_timeout: CardTimeout::Cancelled,
        }
    }
}
