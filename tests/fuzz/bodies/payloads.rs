//! Payloads of every message, and data objects.

use bytes::BytesMut;
use quittance::protocol::response::{Context, Response};
use quittance::protocol::{BlockFormat, Dol, Family, Quirks, Request};

use super::source::Source;
use super::within;

/// What is believed of the other side; the codes of the two families are the same.
const QUIRKS: Quirks = Quirks::of(Family::Apollo);

/// The longest payload of a default block, and then some.
const NO_ROOM: usize = 4096;

/// What a list of things costs at most for each byte that came: an empty text in a list that has just doubled its size.
const PER_BYTE: usize = 128;

/// The first bytes choose the family, the format, what is outstanding and the code; the rest is the payload.
pub(crate) fn responses(data: &[u8]) {
    let mut source = Source::new(data);
    let family = source.one_of(&[Family::Apollo, Family::P6x]);
    let format = source.one_of(&[BlockFormat::Default, BlockFormat::Extended]);
    let context = Context { status_outstanding: source.yes(), ..Context::of(family, format) };
    let (code, payload) = (source.u8(), source.rest());
    let room = NO_ROOM + PER_BYTE * payload.len();
    let Ok(response) = within(room, || Response::decode(code, payload, &context)) else { return };
    assert!(!response.name().is_empty());
    assert!(format!("{response:?}").len() <= NO_ROOM + PER_BYTE * payload.len());

    // What was understood can be said again, and means the same. A damaged list of data objects is not said again, and text
    // that was no UTF-8 may have become too long for its field.
    let mut again = BytesMut::new();
    if is_whole(&response) && response.encode(&mut again, &context).is_ok() {
        assert_eq!(Response::decode(response.code(), &again, &context), Ok(response));
    }
}

/// The first byte is the code; the rest is the payload.
pub(crate) fn requests(data: &[u8]) {
    let mut source = Source::new(data);
    let (code, payload) = (source.u8(), source.rest());
    let room = NO_ROOM + PER_BYTE * payload.len();
    let Ok(request) = within(room, || Request::decode(code, payload, &QUIRKS)) else { return };
    assert_eq!(request.code(&QUIRKS), code);
    assert!(format!("{request:?}").len() <= room);
    let mut again = BytesMut::new();
    if request.encode(&mut again, &QUIRKS).is_ok() {
        assert_eq!(Request::decode(code, &again, &QUIRKS), Ok(request));
    }
}

/// All of it is data objects.
pub(crate) fn dol(data: &[u8]) {
    let dol = within(NO_ROOM + PER_BYTE * data.len(), || Dol::parse(data));
    let objects: usize = dol.iter().map(|(tag, value)| tag.0.len() + 1 + value.len()).sum();
    assert!(objects <= data.len(), "more came out than went in");
    assert!(dol.damage().is_some() || data.is_empty() == (dol.iter().count() == 0));
    for (tag, value) in dol.iter() {
        assert!(dol.get(tag).is_some());
        assert!(data.windows(value.len().max(1)).any(|window| window == value) || value.is_empty());
    }
    let _ = (dol.card(), format!("{dol:?}"));

    let mut again = BytesMut::new();
    dol.encode(&mut again);
    assert_eq!(again.len(), dol.encoded_len());
    assert!(again.len() <= data.len(), "the shortest form is longer");
    let copy = Dol::parse(&again);
    // A tag of three bytes is written as it came, so the objects are the same, and nothing is wrong with them.
    assert!(copy.iter().eq(dol.iter()) && copy.damage().is_none());
}

fn is_whole(response: &Response) -> bool {
    match response {
        Response::CardRead(dol)
        | Response::ProprietaryCardRead(dol)
        | Response::Approved { dol, .. }
        | Response::PartiallyApproved { dol, .. } => dol.damage().is_none(),
        _ => true,
    }
}
