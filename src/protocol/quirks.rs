//! Where Payter's pages contradict each other or are silent, a terminal is believed to do this unless its settings say
//! otherwise. Nothing is guessed in passing: every such point is a field here.

mod explained;

pub use explained::{POINTS, Point, SETTLED};

use super::Family;
use super::frame::{MAGIC, TERMINAL_PREAMBLE};

/// What is believed of one terminal. The documented values are [`Quirks::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The code of Read Card (conflict C2).
    pub read_card: u8,
    /// The code of Select Language (conflict C2).
    pub select_language: u8,
    /// The code of UI Request (conflict C3).
    pub ui_request: u8,
    /// Whether a Result of two bytes may be the answer to a Get Status that waits for one (conflict C1).
    pub status_as_result: bool,
    /// The first byte of the terminal's frames.
    pub preamble: Accepted,
    /// The routing byte of the terminal's frames.
    pub magic: Accepted,
    /// The routing byte of our frames.
    pub magic_sent: u8,
    /// How long the length of the data objects of Card Read is in an extended block.
    pub card_read_length: LengthSize,
    /// How UI Request is laid out.
    pub ui_layout: UiLayout,
    /// What the offset of List Sessions counts.
    pub list_offset: OffsetUnit,
    /// Whether the terminal knows its open sessions for as long as nobody ends them. If it may forget them, that it does not know one
    /// is no proof of anything.
    pub keeps_sessions: bool,
}

/// Which value of a byte is taken from a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Any, until two frames have shown which one this terminal uses.
    Any,
    /// This one.
    Only(u8),
}

/// The size of a length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthSize {
    /// One byte, as in a default block.
    One,
    /// Two bytes, as in the other messages of an extended block.
    Two,
}

/// How UI Request is laid out (PSP, UI). All texts end with NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UiLayout {
    /// Keys and values, the first key being `type`, as in the published frames.
    Pairs,
    /// The type alone, then keys and values, as in the table of the page.
    TypeFirst,
}

/// What the offset of List Sessions counts (PSP, List Sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Sessions.
    Sessions,
    /// Bytes: four for each session.
    Bytes,
}

impl Quirks {
    /// What the pages say, or make likely, of this family.
    pub const fn of(family: Family) -> Self {
        let (preamble, magic) = match family {
            Family::Apollo => (Accepted::Only(TERMINAL_PREAMBLE), Accepted::Only(MAGIC)),
            // PSP, Frame format: both are configurable there.
            Family::P6x => (Accepted::Any, Accepted::Any),
        };
        Self {
            read_card: 0x41,
            select_language: 0x40,
            ui_request: 0x28,
            status_as_result: true,
            preamble,
            magic,
            magic_sent: MAGIC,
            card_read_length: LengthSize::Two,
            ui_layout: UiLayout::Pairs,
            list_offset: OffsetUnit::Sessions,
            keeps_sessions: true,
        }
    }
}
