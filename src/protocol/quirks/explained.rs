//! What each quirk is about, for people: `quittance check` prints it.

use super::{Accepted, LengthSize, OffsetUnit, Quirks, UiLayout};

/// One point on which the pages contradict each other or are silent.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Its key below `quirks` in the configuration.
    pub key: &'static str,
    /// What the pages say.
    pub pages: &'static str,
    /// What setting it changes.
    pub changes: &'static str,
    value: fn(&Quirks) -> String,
}

impl Point {
    /// Its value, as it is written in the configuration.
    pub fn value(&self, quirks: &Quirks) -> String {
        (self.value)(quirks)
    }
}

/// Every quirk, in the order of the fields of [`Quirks`].
pub const POINTS: [Point; 11] = [
    Point {
        key: "read_card",
        pages: "0x40 in the list of all commands, 0x41 on its own page and in effect in Communication setup",
        changes: "the code that Read Card is sent with",
        value: |quirks| code(quirks.read_card),
    },
    Point {
        key: "select_language",
        pages: "0x41 in the list of all commands, 0x40 in Communication setup",
        changes: "the code that Select Language is sent with",
        value: |quirks| code(quirks.select_language),
    },
    Point {
        key: "ui_request",
        pages: "0x40 in Communication setup, 0x28 on its own page, in the list of all commands and in two printed frames",
        changes: "the code that UI Request is sent with",
        value: |quirks| code(quirks.ui_request),
    },
    Point {
        key: "status_as_result",
        pages: "Get Status Response has the code 0x00 of Result on two pages and 0x26 in the printed frames",
        changes: "whether a Result of two bytes is taken for the status while a Get Status waits for its answer",
        value: |quirks| quirks.status_as_result.to_string(),
    },
    Point {
        key: "preamble",
        pages: "0xAA from an Apollo; configurable on a P6X, without a default being named",
        changes: "which first byte a frame of the terminal must have; \"any\": the one that two of its frames have shown",
        value: |quirks| accepted(quirks.preamble),
    },
    Point {
        key: "magic",
        pages: "0x3C from both families on the current page, configurable on a P6X on an older one",
        changes: "which routing byte a frame of the terminal must have; \"any\": the one that two of its frames have shown",
        value: |quirks| accepted(quirks.magic),
    },
    Point {
        key: "magic_sent",
        pages: "0x3C; a P6X does not look at it",
        changes: "the routing byte of every frame that is sent",
        value: |quirks| code(quirks.magic_sent),
    },
    Point {
        key: "card_read_length",
        pages: "in an extended block the length of data objects has 2 bytes in three messages; the page of Card Read speaks of 1",
        changes: "how Card Read is understood after the extended block was agreed on",
        value: |quirks| match quirks.card_read_length {
            LengthSize::One => "1".to_owned(),
            LengthSize::Two => "2".to_owned(),
        },
    },
    Point {
        key: "ui_layout",
        pages: "the page's table begins with the type alone, the printed frames with the pair of \"type\" and the type",
        changes: "how UI Request is laid out",
        value: |quirks| match quirks.ui_layout {
            UiLayout::Pairs => "\"pairs\"".to_owned(),
            UiLayout::TypeFirst => "\"type_first\"".to_owned(),
        },
    },
    Point {
        key: "list_offset",
        pages: "List Sessions takes an offset, and no page says of what",
        changes: "what is counted to ask for the second page of a P6X's list, which has more than 62 sessions",
        value: |quirks| match quirks.list_offset {
            OffsetUnit::Sessions => "\"sessions\"".to_owned(),
            OffsetUnit::Bytes => "\"bytes\"".to_owned(),
        },
    },
    Point {
        key: "keeps_sessions",
        pages: "no page says whether open sessions survive a power cycle, Reset, a new connection or a new Setup; that Setup takes a timeout \
                of days suggests it",
        changes: "whether a session that the terminal does not know is over; if false, it waits for a person when its Commit or Void had no \
                  answer, and for the terminal's own timer when its Auth had none",
        value: |quirks| quirks.keeps_sessions.to_string(),
    },
];

/// Points that are settled without a quirk, and how.
pub const SETTLED: [(&str, &str); 5] = [
    ("baud rate", "told as 57600 and as 115200: baud in the terminal's link says it, 57600 unless it does"),
    (
        "after a card time-out",
        "the pages do not say what comes: Session Cancelled, Result Not OK and a silent return to ENABLED are all understood",
    ),
    (
        "data objects of a decline",
        "their place is not told: with and without a reason before them, and anything else, is a decline",
    ),
    ("answer to MiFare", "not told: Proprietary Card Response, or Result Not OK"),
    ("largest extended block", "not told: 65553 bytes in all are taken and sent, the longest message that there can be"),
];

fn code(byte: u8) -> String {
    format!("{byte:#04X}").replace("0X", "0x")
}

fn accepted(byte: Accepted) -> String {
    match byte {
        Accepted::Any => "\"any\"".to_owned(),
        Accepted::Only(byte) => code(byte),
    }
}
