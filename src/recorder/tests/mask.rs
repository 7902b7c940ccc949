use bytes::BytesMut;
use proptest::prelude::*;

use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::dol::{Dol, Tag};
use crate::protocol::frame::{Envelope, write_frame};
use crate::protocol::quirks::LengthSize;
use crate::protocol::response::Context;
use crate::protocol::{BlockFormat, Direction, Family, Quirks, Response, checksum};
use crate::recorder::mask::{Masking, head, mask};

const QUIRKS: Quirks = Quirks::of(Family::Apollo);

/// Bytes from hex with blanks.
fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn terminal(hex: &str) -> (Masking, Vec<u8>) {
    let mut frame = bytes(hex);
    (mask(Direction::FromTerminal, Family::Apollo, &QUIRKS, &mut frame), frame)
}

/// Session Approved as published, and Card Read: the hash becomes stars, the number that the terminal has masked stays.
#[test]
fn the_hash_of_the_published_frames_is_overwritten() {
    let objects = "DF F0 06 28 \
        33 30 31 32 30 34 31 30 39 32 42 45 42 41 46 32 33 41 46 43 31 44 41 31 37 35 42 31 46 33 41 35 32 39 45 36 46 32 44 31 \
        DF CA 0B 0A 30 31 30 30 30 30 30 30 31 38";
    let masked = "DF F0 06 28 \
        2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A 2A \
        DF CA 0B 0A 30 31 30 30 30 30 30 30 31 38";
    // The sum of the forty characters is 08FD, that of forty stars 0690, so 6D less.
    let cases = [("AA 41 3C 31 00 00 00 0B 3A", "3F", "D2"), ("AA 3D 3C 34 3A", "33", "C6")];
    for (start, sum, masked_sum) in cases {
        let expected = (Masking::Masked, bytes(&format!("{start} {masked} {masked_sum}")));
        assert_eq!(terminal(&format!("{start} {objects} {sum}")), expected, "{start}");
    }
}

/// A terminal that does not mask the number is masked here: first six and last four digits stay.
#[test]
fn a_whole_card_number_is_masked() {
    let (masking, frame) = terminal("AA 17 3C 34 14 DF CA 0B 10 34 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 1C");
    assert_eq!(masking, Masking::Masked);
    assert_eq!(frame[9..25], *b"411111******1111");
    assert_eq!(frame[25], checksum(&frame[..25]));
}

/// In the extended block the length of the objects has two bytes; a partial approval has an amount before them.
#[test]
fn the_extended_block_is_masked() {
    let (masking, frame) = terminal("AA 00 00 00 12 3C 35 00 00 00 0B 00 00 01 F4 00 06 DF F0 06 02 41 42 8D");
    assert_eq!(masking, Masking::Masked);
    // 41 42 became 2A 2A: 2F less.
    assert_eq!(frame, bytes("AA 00 00 00 12 3C 35 00 00 00 0B 00 00 01 F4 00 06 DF F0 06 02 2A 2A 5E"));
}

/// Data objects that cannot be read, bytes behind them, and half a length may hold anything.
#[test]
fn damaged_data_objects_are_overwritten() {
    let cases = [
        // The object says that it has five bytes, and two came.
        ("AA 09 3C 34 06 DF F0 06 05 41 42 86", "AA 09 3C 34 06 2A 2A 2A 2A 2A 2A 25"),
        // Two bytes behind the objects.
        ("AA 05 3C 34 00 41 42 A2", "AA 05 3C 34 00 2A 2A 73"),
        // A tag of one byte, whose value is nobody knows what.
        ("AA 06 3C 34 03 5A 01 41 BF", "AA 06 3C 34 03 2A 2A 2A A1"),
    ];
    for (frame, masked) in cases {
        assert_eq!(terminal(frame), (Masking::Masked, bytes(masked)), "{frame}");
    }
}

/// What may follow a decline's reason is not explained in the pages.
#[test]
fn what_follows_a_decline_is_overwritten() {
    assert_eq!(terminal("AA 05 3C 32 09 41 42 A9"), (Masking::Masked, bytes("AA 05 3C 32 09 2A 2A 7A")));
    assert_eq!(terminal("AA 03 3C 32 09 24"), (Masking::Clean, bytes("AA 03 3C 32 09 24")));
}

/// Whatever is exchanged with cards that are none of a bank, receipts, records and files: every byte may be card data.
#[test]
fn raw_payloads_are_overwritten() {
    // The codes of: Proprietary Card Response, Receipt, Transaction Record, Read File Response.
    for (code, sum, masked_sum) in [("42", "AF", "80"), ("45", "B2", "83"), ("46", "B3", "84"), ("39", "A6", "77")] {
        let frame = terminal(&format!("AA 04 3C {code} 41 42 {sum}"));
        assert_eq!(frame, (Masking::Masked, bytes(&format!("AA 04 3C {code} 2A 2A {masked_sum}"))), "{code}");
    }
    // Proprietary Card Exchange and MiFare.
    for (code, sum, masked_sum) in [("38", "C7", "98"), ("43", "D2", "A3")] {
        let mut frame = bytes(&format!("CC 04 3C {code} 41 42 {sum}"));
        assert_eq!(mask(Direction::FromHost, Family::Apollo, &QUIRKS, &mut frame), Masking::Masked, "{code}");
        assert_eq!(frame, bytes(&format!("CC 04 3C {code} 2A 2A {masked_sum}")));
    }
}

/// The tag of a card that is none of a bank comes with data objects, and a decline may.
#[test]
fn data_objects_of_other_messages_are_masked() {
    let cases = [
        ("AA 09 3C 40 06 DF F0 06 02 41 42 8F", "AA 09 3C 40 06 DF F0 06 02 2A 2A 60"),
        ("AA 0A 3C 32 09 06 DF F0 06 02 41 42 8B", "AA 0A 3C 32 09 06 DF F0 06 02 2A 2A 5C"),
        ("AA 09 3C 32 06 DF F0 06 02 41 42 81", "AA 09 3C 32 06 DF F0 06 02 2A 2A 52"),
    ];
    for (frame, masked) in cases {
        assert_eq!(terminal(frame), (Masking::Masked, bytes(masked)), "{frame}");
    }
}

/// PSP does not say how long the length of Card Read's data objects is in an extended block, so the terminal's quirk decides.
#[test]
fn the_length_before_data_objects_is_where_the_quirk_says() {
    let quirks = Quirks { card_read_length: LengthSize::One, ..QUIRKS };
    let mut frame = bytes("AA 00 00 00 09 3C 34 06 DF F0 06 02 41 42 83");
    assert_eq!(mask(Direction::FromTerminal, Family::Apollo, &quirks, &mut frame), Masking::Masked);
    assert_eq!(frame, bytes("AA 00 00 00 09 3C 34 06 DF F0 06 02 2A 2A 54"));
}

/// These hold no card data, so a recording shows them as they were.
#[test]
fn frames_without_card_data_stay_as_they_are() {
    let host = [
        "CC 02 3C 55 5F",
        "CC 02 3C 24 2E",
        "CC 07 3C 13 03 00 00 00 02 27",
        "CC 07 3C 23 00 02 A3 00 00 D7",
        "CC 0A 3C 34 00 00 09 C4 00 00 00 0A 1D",
        "CC 02 3C 36 40",
        "CC 0A 3C 35 00 00 00 0A 00 00 00 64 B5",
        "CC 06 3C 33 00 00 00 0A 4B",
        "CC 0A 3C 42 00 00 00 0A 00 00 00 64 C2",
        "CC 03 3C 48 00 53",
        "CC 02 3C 44 4E",
        "CC 06 3C 45 00 00 00 0A 5D",
    ];
    for text in host {
        let mut frame = bytes(text);
        assert_eq!(mask(Direction::FromHost, Family::Apollo, &QUIRKS, &mut frame), Masking::Clean, "{text}");
        assert_eq!(frame, bytes(text));
    }
    let ours = [
        "AA 03 3C 00 00 E9",
        "AA 04 3C 00 10 01 FB",
        "AA 02 3C 24 0C",
        "AA 07 3C 13 03 00 00 00 02 05",
        "AA 04 3C 26 10 01 21",
        "AA 02 3C 33 1B",
        "AA 10 3C 43 00 00 00 00 0B 00 00 01 F4 00 00 00 64 00 9D",
        "AA 05 3C 29 6F 6B 00 EE",
        "AA 03 3C 38 01 22",
        "AA 06 3C 44 31 30 2E 31 F0",
    ];
    for text in ours {
        assert_eq!(terminal(text), (Masking::Clean, bytes(text)));
    }
}

/// Of what nobody understands only the head may stay.
#[test]
fn what_is_not_understood_is_unread() {
    for text in ["AA 04 3C 99 41 42 06", "AA 05 3C 24 41 42 43 D5"] {
        let (masking, frame) = terminal(text);
        assert_eq!(masking, Masking::Unread, "{text}");
        assert_eq!(head(&frame).len(), 4);
    }
    assert_eq!(head(&bytes("AA 00 00 00 03 3C 99 41 C3")), bytes("AA 00 00 00 03 3C 99"));
    assert_eq!(terminal("AA").0, Masking::Unread);
}

const KEPT: [Tag; 6] =
    [Tag::HOST_RESPONSE, Tag::HOST_REFERENCE, Tag::ITEM_REFERENCE, Tag::BRAND_NAME, Tag::BRAND_ID, Tag::ACQUIRER_ID];

fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![
        Just(Tag::CARD_HASH),
        Just(Tag::MASKED_PAN),
        Just(Tag::CARD_HASH_EXTENDED),
        Just(Tag::HOST_REFERENCE),
        (0x6C_u8..=0x6F).prop_map(|last| Tag([0xDF, 0xAA, last])),
        (0x80_u8..=0xFF, 0x00_u8..=0x7F).prop_map(|(second, last)| Tag([0xDF, second, last])),
    ]
}

proptest! {
    /// Masking keeps every length and a valid checksum, the decoder still reads the same message with the same tags, and no
    /// four bytes of card data survive.
    #[test]
    fn nothing_but_card_data_changes(
        objects in prop::collection::vec((tag(), prop::collection::vec(0x80_u8..=0xFF, 0..40)), 0..4),
        which in 0..3,
        extended: bool,
    ) {
        let dol = objects.iter().fold(Dol::default(), |dol, (tag, value)| dol.with(*tag, value.clone()));
        let session = TerminalSessionId(11);
        let response = match which {
            0 => Response::CardRead(dol),
            1 => Response::Approved { session, dol },
            _ => Response::PartiallyApproved { session, amount: Amount::from_minor(5), dol },
        };
        let format = if extended { BlockFormat::Extended } else { BlockFormat::Default };
        let context = Context::of(Family::Apollo, format);
        let mut frame = BytesMut::new();
        let envelope = Envelope::of(Direction::FromTerminal, format);
        prop_assume!(write_frame(&mut frame, envelope, response.code(), |out| response.encode(out, &context)).is_ok());
        let mut masked = frame.to_vec();
        mask(Direction::FromTerminal, Family::Apollo, &QUIRKS, &mut masked);

        let (sum, body) = masked.split_last().unwrap();
        prop_assert_eq!(masked.len(), frame.len());
        prop_assert_eq!(*sum, checksum(body));
        let begin = format.payload_at();
        let (Response::CardRead(dol) | Response::Approved { dol, .. } | Response::PartiallyApproved { dol, .. }) =
            Response::decode(masked[begin - 1], &masked[begin..masked.len() - 1], &context).unwrap()
        else {
            panic!("another message");
        };
        prop_assert_eq!(dol.damage(), None);
        let shapes: Vec<_> = dol.iter().map(|(tag, value)| (tag, value.len())).collect();
        prop_assert_eq!(shapes, objects.iter().map(|(tag, value)| (*tag, value.len())).collect::<Vec<_>>());
        for (tag, value) in &objects {
            let survives = value.windows(4).any(|piece| masked.windows(4).any(|found| found == piece));
            let other_kept = objects.iter().any(|(other, _)| KEPT.contains(other));
            prop_assert!(!survives || other_kept, "{}", tag);
        }
    }
}
