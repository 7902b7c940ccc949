//! What leaves the program about a record.

use super::*;
use crate::card::{Card, CardHash, MaskedPan};
use crate::journal::record::{DeadMan, DeadManAction};
use crate::journal::view::{public_json, public_line};

#[test]
fn a_card_is_shown_masked_and_by_a_short_hash() {
    let card = Card { hash: Some(CardHash::new("0123456789ABCDEF")), masked_pan: Some(MaskedPan::new("541333******0011")) };
    let dead_man = DeadMan { at: None, action: DeadManAction::Void };
    let fact = Fact::AuthoriseIntended { card: Some(card), dead_man };
    let record = Record { seq: 3, entry: Entry { at: at(0), terminal: terminal("bay-01"), session: None, fact } };
    assert_eq!(
        public_json(&record),
        serde_json::json!({
            "seq": 3, "at": "2026-03-01T08:00:00.000Z", "terminal": "bay-01", "session": null, "kind": "authorise_intended",
            "card": { "hash": "01234567…", "masked_pan": "541333******0011" },
            "dead_man": { "at": null, "action": "void" }
        })
    );
    assert_eq!(
        public_line(&record),
        concat!(
            "     3  2026-03-01T08:00:00.000Z  bay-01  -  authorise_intended",
            r#"  card={"hash":"01234567…","masked_pan":"541333******0011"}  dead_man={"action":"void","at":null}"#
        )
    );
}

/// Whatever the record is in which a card is kept.
#[test]
fn no_record_tells_more_of_a_card() {
    let card = || Card { hash: Some(CardHash::new("0123456789ABCDEF")), masked_pan: None };
    let dead_man = DeadMan { at: None, action: DeadManAction::Void };
    for fact in [
        Fact::CardRead { card: card(), authorise_by: at(27) },
        Fact::OtherCardRead { card: card() },
        Fact::AuthoriseIntended { card: Some(card()), dead_man },
    ] {
        let record = Record { seq: 3, entry: Entry { at: at(0), terminal: None, session: None, fact } };
        let (json, line) = (public_json(&record).to_string(), public_line(&record));
        for text in [json, line] {
            assert!(text.contains(r#""hash":"01234567…""#) && !text.contains("89ABCDEF"), "{text}");
        }
    }
}
