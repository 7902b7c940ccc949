//! What differs from terminal to terminal, or is not known of any: each a switch ([assumptions](super)). `termsim` reads them from its file.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::protocol::quirks::{LengthSize, UiLayout};
use crate::protocol::request::Options;
use crate::protocol::{self, Family};

/// The switches of one terminal. The defaults are what is assumed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// How long to wait for a card (`card-detect-timeout`).
    #[serde(deserialize_with = "duration")]
    pub card_timeout: Duration,
    /// How long to wait for Auth or Cancel once a card was read (PSP, Timeouts).
    #[serde(deserialize_with = "duration")]
    pub auth_wait: Duration,
    /// What it says when nobody presents a card.
    pub on_card_timeout: CardTimeout,
    /// What it says when no Auth comes (against assumption 7).
    pub on_auth_timeout: CardTimeout,
    /// Whether it reports cards that cannot pay. An Apollo can be configured not to; a P6X never does.
    pub reads_badges: bool,

    /// Whether a TCP connection is closed after 20 idle seconds.
    pub idle_close: bool,
    /// Does not notice that a TCP connection is lost: state, options and card flow stay (against assumption 3).
    pub keeps_state: bool,
    /// A second connection is closed at once and the first one stays (against assumption 3).
    pub first_host_stays: bool,
    /// The first byte of its frames. A P6X may be configured to another one (PSP, Frame format).
    pub preamble: u8,
    /// The routing byte of its frames. A P6X may be configured to another one.
    pub magic: u8,
    /// Drops a frame with a wrong checksum without a word (against assumption 14).
    pub ignore_damaged: bool,

    /// Which Protocol options it accepts, of those of its family.
    #[serde(deserialize_with = "options")]
    pub accepted_options: Options,
    /// Echoes every option that it is asked for, though it accepts only some (against assumption 12).
    pub echoes_all_options: bool,
    /// Answers Get Status with 0x00 (against assumption 1; conflict C1).
    pub status_as_result: bool,
    /// Says that a transaction is running in WAIT_AUTH, too (against assumption 1).
    pub running_in_wait_auth: bool,
    /// Puts the reason of a Result before its verdict (against assumption 1).
    pub reason_first: bool,
    /// In extended block, the length of Card Read's data objects has one byte (against assumption 12).
    pub short_card_read: bool,
    /// Read Card is 0x40 and Select Language 0x41 (the other side of conflict C2).
    pub swapped_read_card: bool,
    /// Wants UI Request as its page has it: the type alone, then pairs (PSP, UI).
    pub ui_type_first: bool,

    /// Setup counts for open sessions, too, from now on (against assumption 4).
    pub setup_rearms: bool,
    /// A Setup of 0 seconds ends sessions at once (against assumption 4).
    pub zero_is_at_once: bool,
    /// When it forgets its sessions (against assumption 2).
    pub forgets_at: Vec<Occasion>,
    /// Says Session Cancelled when Reset or Synchronize drops a card flow (against assumption 2).
    pub tells_dropped_flow: bool,
    /// Disable ends a card flow, instead of being refused (against assumption 5).
    pub disable_ends_flow: bool,
    /// Answers Start Session with OK before it waits for a card (against assumption 6).
    pub start_says_ok: bool,
    /// Takes the reference of a session that is still open once more (against assumption 6).
    pub takes_duplicates: bool,

    /// The number of its first session.
    pub first_session_id: u32,
    /// Gives the lowest number that no open session has, instead of the next one (against assumption 10).
    pub reuse_ids: bool,
    /// A session's number is its reference (against assumption 10).
    pub id_is_reference: bool,
    /// Says OK to a repeated Commit or Void, instead of Not OK (against assumption 9). The bank is not asked again.
    pub repeat_is_ok: bool,
    /// Whether its configuration lets it change holds (PSP, Update Session: limited support).
    pub updates: bool,
    /// How many session ids it puts on a page of List Sessions.
    pub sessions_per_page: usize,
    /// Remove Sessions gives the holds back, instead of only forgetting them (against assumption 11).
    pub remove_voids: bool,
}

/// What a terminal says when nobody presents a card (PSP, Start Session, and assumption 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardTimeout {
    /// Session Cancelled.
    #[default]
    Cancelled,
    /// Result Not OK, with reason 0x07 where reasons exist.
    NotOk,
    /// Nothing: only Get Status shows it.
    Silent,
}

/// When a terminal may forget its sessions (assumption 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Reset.
    Reset,
    /// Synchronize.
    Synchronize,
    /// Setup.
    Setup,
    /// A new connection (TCP).
    Connection,
    /// A power cycle.
    PowerCycle,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            card_timeout: Duration::from_secs(60),
            auth_wait: Duration::from_secs(30),
            on_card_timeout: CardTimeout::Cancelled,
            on_auth_timeout: CardTimeout::Silent,
            reads_badges: true,
            idle_close: true,
            keeps_state: false,
            first_host_stays: false,
            preamble: 0xAA,
            magic: 0x3C,
            ignore_damaged: false,
            accepted_options: Options(u32::MAX),
            echoes_all_options: false,
            status_as_result: false,
            running_in_wait_auth: false,
            reason_first: false,
            short_card_read: false,
            swapped_read_card: false,
            ui_type_first: false,
            setup_rearms: false,
            zero_is_at_once: false,
            forgets_at: Vec::new(),
            tells_dropped_flow: false,
            disable_ends_flow: false,
            start_says_ok: false,
            takes_duplicates: false,
            first_session_id: 1001,
            reuse_ids: false,
            id_is_reference: false,
            repeat_is_ok: false,
            updates: true,
            sessions_per_page: super::terminal::SESSIONS_PER_PAGE,
            remove_voids: false,
        }
    }
}

impl Quirks {
    /// What the codec must know of them.
    pub(super) const fn codec(&self, family: Family) -> protocol::Quirks {
        let plain = protocol::Quirks::of(family);
        let (read_card, select_language) = if self.swapped_read_card { (0x40, 0x41) } else { (0x41, 0x40) };
        protocol::Quirks {
            read_card,
            select_language,
            card_read_length: if self.short_card_read { LengthSize::One } else { LengthSize::Two },
            ui_layout: if self.ui_type_first { UiLayout::TypeFirst } else { UiLayout::Pairs },
            ..plain
        }
    }
}

/// Such as `"60s"`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = |error| de::Error::custom(format!("{text:?} is no duration such as \"10s\": {error}"));
    humantime::parse_duration(&text).map_err(wrong)
}

fn options<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Options, D::Error> {
    u32::deserialize(deserializer).map(Options)
}
