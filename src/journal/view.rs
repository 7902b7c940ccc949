//! A record as people and programs outside see it: `/v1/events` and `journal show`. Whatever is printed may end up in a
//! ticket, so of a card there is the masked number and the beginning of its hash, and no more.

use serde_json::{Map, Value};

use super::record::{Fact, Record};
use super::row;
use crate::card::{Card, CardHash, MaskedPan};

/// `{"seq", "at", "terminal", "session", "kind", …}` and the record's own fields beside them.
pub fn public_json(record: &Record) -> Value {
    let (kind, mut object) = public_fields(record);
    let text = |text: Option<String>| text.map_or(Value::Null, Value::String);
    object.insert("seq".to_owned(), record.seq.into());
    object.insert("at".to_owned(), Value::String(record.entry.at.to_string()));
    object.insert("terminal".to_owned(), text(record.entry.terminal.as_ref().map(ToString::to_string)));
    object.insert("session".to_owned(), text(record.entry.session.map(|session| session.to_string())));
    object.insert("kind".to_owned(), Value::String(kind));
    Value::Object(object)
}

/// One line for a person: number, time, terminal, session, kind and fields.
pub fn public_line(record: &Record) -> String {
    let (kind, fields) = public_fields(record);
    let dash = || "-".to_owned();
    let terminal = record.entry.terminal.as_ref().map_or_else(dash, ToString::to_string);
    let session = record.entry.session.map_or_else(dash, |session| session.to_string());
    let mut line = format!("{:>6}  {}  {terminal}  {session}  {kind}", record.seq, record.entry.at);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        line.push_str("  ");
        line.push_str(name);
        line.push('=');
        // JSON leaves some control characters as they are; a terminal would obey them.
        let text = value.to_string();
        text.chars().for_each(|character| match character.is_control() {
            true => line.extend(character.escape_unicode()),
            false => line.push(character),
        });
    }
    line
}

fn public_fields(record: &Record) -> (String, Map<String, Value>) {
    // Every fact has a kind and is an object, which a test holds true for each; empty fields are the safe side.
    row::fields(&without_card(&record.entry.fact)).unwrap_or_else(|_| (record.entry.fact.kind().to_owned(), Map::new()))
}

fn without_card(fact: &Fact) -> Fact {
    let mut fact = fact.clone();
    if let Fact::AuthoriseIntended { card: Some(card), .. } | Fact::CardRead { card, .. } | Fact::OtherCardRead { card } =
        &mut fact
    {
        *card = Card {
            hash: card.hash.as_ref().map(|hash| CardHash::new(format!("{}…", hash.short()))),
            // Masked once more: the file may have been written by other hands.
            masked_pan: card.masked_pan.as_ref().map(|pan| MaskedPan::new(pan.as_str())),
        };
    }
    fact
}
