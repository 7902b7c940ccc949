//! `quirks = { … }` of a terminal: what to believe where Payter's pages contradict each other or are silent.

use config::{Value, ValueKind};

use super::Mistake;
use super::raw::{self, Section};
use crate::protocol::message::RequestKind;
use crate::protocol::quirks::{Accepted, LengthSize, OffsetUnit, UiLayout};
use crate::protocol::{Family, Quirks};

/// The codes that are settings.
const CODES: [&str; 3] = ["read_card", "select_language", "ui_request"];

/// Reads the section; what it does not say is as the pages have it for this family.
pub(super) fn read(mut section: Section, family: Family, m: &mut Vec<Mistake>) -> Quirks {
    let mut quirks = Quirks::of(family);
    let given = CODES.map(|key| section.has(key));
    for (key, place) in CODES.into_iter().zip([&mut quirks.read_card, &mut quirks.select_language, &mut quirks.ui_request]) {
        set(place, section.take(key, m, byte));
    }
    let codes = [quirks.read_card, quirks.select_language, quirks.ui_request];
    for (at, (key, code)) in CODES.into_iter().zip(codes).enumerate() {
        if let Some(kind) = RequestKind::with_fixed_code(code) {
            section.mistake(key, format!("must not be {code:#04x}, which is {}", kind.row().title), m);
        }
        for (other, key_of_other) in CODES.into_iter().enumerate().skip(at + 1).filter(|(other, _)| codes[*other] == code) {
            let (wrong, right) = if given[at] || !given[other] { (key, key_of_other) } else { (key_of_other, key) };
            section.mistake(wrong, format!("must differ from {right}, which is {code:#04x}"), m);
        }
    }
    set(&mut quirks.status_as_result, section.take("status_as_result", m, raw::truth));
    set(&mut quirks.preamble, section.take("preamble", m, accepted));
    set(&mut quirks.magic, section.take("magic", m, accepted));
    set(&mut quirks.magic_sent, section.take("magic_sent", m, byte));
    let sizes =
        |value: &Value| raw::number(value, (1, 2)).map(|size| if size == 1 { LengthSize::One } else { LengthSize::Two });
    set(&mut quirks.card_read_length, section.take("card_read_length", m, sizes));
    let layouts = [("pairs", UiLayout::Pairs), ("type_first", UiLayout::TypeFirst)];
    set(&mut quirks.ui_layout, section.word("ui_layout", &layouts, m));
    let units = [("sessions", OffsetUnit::Sessions), ("bytes", OffsetUnit::Bytes)];
    set(&mut quirks.list_offset, section.word("list_offset", &units, m));
    set(&mut quirks.keeps_sessions, section.take("keeps_sessions", m, raw::truth));
    section.finish(m);
    quirks
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn byte(value: &Value) -> Result<u8, String> {
    let wanted = || raw::wrong("a byte, 0x00 to 0xFF", value);
    raw::number(value, (0, 0xFF)).ok().and_then(|byte| u8::try_from(byte).ok()).ok_or_else(wanted)
}

/// A byte, or any.
fn accepted(value: &Value) -> Result<Accepted, String> {
    match &value.kind {
        ValueKind::String(text) if text == "any" => Ok(Accepted::Any),
        _ => byte(value).map(Accepted::Only).map_err(|_| raw::wrong("a byte, 0x00 to 0xFF, or \"any\"", value)),
    }
}
