//! What is sent comes back the same; what is damaged is noticed; nothing panics.

mod any;

use bytes::{BufMut, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::codec::{Decoder as _, Encoder as _};

use crate::id::SessionReference;
use crate::money::Amount;

use super::dol::{Damage, Tag};
use super::error::PayloadFault;
use super::frame::{Envelope, write_frame};
use super::request::StartSession;
use super::response::{Context, Ids, Verdict};
use super::*;

use any::{any_family, any_request, any_response};

const FORMATS: [BlockFormat; 2] = [BlockFormat::Default, BlockFormat::Extended];

fn wire_of(family: Family, responses: &[Response]) -> BytesMut {
    let mut codec = TerminalCodec::new(family, Discipline::Strict);
    let mut wire = BytesMut::new();
    responses.iter().for_each(|response| codec.encode(response, &mut wire).unwrap());
    wire
}

/// Everything that comes out of these bytes, and the errors among it.
fn all_of(codec: &mut HostCodec, buffer: &mut BytesMut) -> (Vec<Response>, Vec<&'static str>) {
    let (mut responses, mut errors) = (Vec::new(), Vec::new());
    while let Some(item) = codec.decode(buffer).unwrap() {
        match item {
            Ok(response) => responses.push(response),
            Err(error) => errors.push(error.kind()),
        }
    }
    (responses, errors)
}

fn families_and_responses() -> impl Strategy<Value = (Family, Vec<Response>)> {
    any_family().prop_flat_map(|family| (Just(family), vec(any_response(family), 1..5)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_comes_back_the_same(
        (family, request) in any_family().prop_flat_map(|family| (Just(family), any_request(family))),
        format in proptest::sample::select(&FORMATS[..]),
    ) {
        let mut host = HostCodec::new(family, Discipline::Strict);
        let mut terminal = TerminalCodec::new(family, Discipline::Strict);
        host.set_format(format);
        terminal.set_format(format);
        let mut wire = BytesMut::new();
        host.encode(&request, &mut wire).unwrap();
        prop_assert_eq!(terminal.decode(&mut wire).unwrap(), Some(Ok(request)));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn a_response_comes_back_the_same((family, responses) in families_and_responses(), format in proptest::sample::select(&FORMATS[..])) {
        let mut host = HostCodec::new(family, Discipline::Strict);
        let mut terminal = TerminalCodec::new(family, Discipline::Strict);
        host.set_format(format);
        terminal.set_format(format);
        let mut wire = BytesMut::new();
        responses.iter().for_each(|response| terminal.encode(response, &mut wire).unwrap());
        prop_assert_eq!(all_of(&mut host, &mut wire), (responses, vec![]));
        prop_assert!(wire.is_empty());
    }

    /// However the bytes arrive, the frames are the same.
    #[test]
    fn a_split_changes_nothing((family, responses) in families_and_responses(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let wire = wire_of(family, &responses);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        for discipline in [Discipline::Strict, Discipline::Resynchronise] {
            let mut codec = HostCodec::new(family, discipline);
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for piece in cuts.windows(2) {
                buffer.put_slice(&wire[piece[0]..piece[1]]);
                let (responses, errors) = all_of(&mut codec, &mut buffer);
                prop_assert_eq!(errors, Vec::<&str>::new());
                got.extend(responses);
            }
            prop_assert_eq!(&got, &responses);
            prop_assert!(!codec.decoder().resynchronised());
        }
    }

    /// Noise without the byte that begins an Apollo's frame is skipped at once.
    #[test]
    fn noise_before_a_frame_is_skipped(noise in vec(0u8..0xAA, 1..300)) {
        let mut codec = HostCodec::new(Family::Apollo, Discipline::Resynchronise);
        let mut buffer = BytesMut::from(&noise[..]);
        buffer.put_slice(&[0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE9]);
        let got = all_of(&mut codec, &mut buffer);
        prop_assert_eq!(got, (vec![Response::Result(Verdict::Ok)], vec!["preamble"]));
        prop_assert!(codec.decoder().resynchronised());
    }

    /// One flipped bit is always noticed, and what comes after a silence is understood again.
    #[test]
    fn a_flipped_bit_is_noticed((family, responses) in families_and_responses(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut buffer = wire_of(family, &responses[..1]);
        let at = at.index(buffer.len());
        buffer[at] ^= 1 << bit;
        let mut codec = HostCodec::new(family, Discipline::Resynchronise);
        let (mut got, _) = all_of(&mut codec, &mut buffer);
        codec.decoder().line_fell_silent(&buffer);
        got.extend(all_of(&mut codec, &mut buffer).0);
        prop_assert!(buffer.is_empty());
        prop_assert!(codec.decoder().resynchronised());
        prop_assert!(!got.contains(&responses[0]));
        buffer.put_slice(&[0xAA, 0x02, 0x3C, 0x24, 0x0C]);
        prop_assert_eq!(all_of(&mut codec, &mut buffer).0, vec![Response::Synchronize]);
    }

    /// Whatever comes, and whoever reads it: no panic, and nothing is left waiting after a silence.
    #[test]
    fn no_bytes_panic(
        bytes in vec(any::<u8>(), 0..400),
        family in any_family(),
        from in prop_oneof![Just(Direction::FromHost), Just(Direction::FromTerminal)],
        format in proptest::sample::select(&FORMATS[..]),
    ) {
        let quirks = Quirks::of(family);
        let settings = frame::Settings { from, family, format, discipline: Discipline::Resynchronise, quirks };
        let mut decoder = frame::Decoder::new(settings);
        let context = Context { status_outstanding: true, ..Context::of(family, format) };
        let mut buffer = BytesMut::from(&bytes[..]);
        decoder.line_fell_silent(&buffer);
        let mut next = || {
            decoder.decode(&mut buffer, |frame| {
                let _ = Request::decode(frame.code, frame.payload, &quirks);
                let _ = Response::decode(frame.code, frame.payload, &context);
            })
        };
        while next() != Ok(None) {}
        prop_assert!(buffer.is_empty());
        for code in 0..=u8::MAX {
            let _ = Request::decode(code, &bytes, &quirks);
            let _ = Response::decode(code, &bytes, &context);
        }
        let explanations = trace::explain(Some(from), &bytes);
        prop_assert_eq!(explanations.is_empty(), bytes.is_empty());
        let _ = trace::explain(None, &bytes);
        let _ = Dol::parse(&bytes).card();
    }

    /// Damaged data objects never lose the approval that they came with.
    #[test]
    fn an_approval_survives_its_data_objects(session in any::<u32>(), rest in vec(any::<u8>(), 0..60)) {
        for format in FORMATS {
            let context = Context::of(Family::Apollo, format);
            let payload = [&session.to_be_bytes()[..], &rest].concat();
            let response = Response::decode(0x31, &payload, &context);
            let kept = matches!(response, Ok(Response::Approved { session: kept, .. }) if kept.0 == session);
            prop_assert!(kept);
        }
    }
}

fn serial(family: Family) -> HostCodec {
    HostCodec::new(family, Discipline::Resynchronise)
}

/// On TCP a bad frame ends the stream, and nothing behind it is believed.
#[test]
fn strict_discipline_stops_at_the_first_error() {
    for (bytes, kind) in [
        (&[0xAB, 0x03, 0x3C, 0x00, 0x00, 0xEA][..], "preamble"),
        (&[0xAA, 0x01, 0x3C, 0xE7], "length"),
        (&[0xAA, 0x03, 0x3D, 0x00, 0x00, 0xEA], "magic"),
        (&[0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE8], "checksum"),
    ] {
        let mut codec = HostCodec::new(Family::Apollo, Discipline::Strict);
        let mut buffer = BytesMut::from(bytes);
        let kind_of = |error| match error {
            CodecError::Protocol(error) => error.kind(),
            CodecError::Io(_) => "io",
        };
        assert_eq!(codec.decode(&mut buffer).map_err(kind_of), Err(kind));
        let mut next = BytesMut::from(&[0xAA, 0x02, 0x3C, 0x24, 0x0C][..]);
        assert_eq!(codec.decode(&mut next).map_err(kind_of), Err(kind));
    }
}

/// PSP, Frame format: a P6X sends the preamble and magic that it is configured for.
#[test]
fn a_p6x_may_have_a_preamble_and_magic_of_its_own() {
    let mut buffer = BytesMut::from(&[0x5A, 0x02, 0x77, 0x24, 0xF7][..]);
    assert_eq!(serial(Family::P6x).decode(&mut buffer).unwrap(), Some(Ok(Response::Synchronize)));
    let mut buffer = BytesMut::from(&[0x5A, 0x02, 0x77, 0x24, 0xF7][..]);
    assert_eq!(all_of(&mut serial(Family::Apollo), &mut buffer), (vec![], vec!["preamble"]));
}

/// A byte of noise in front of a P6X's first frame claims 258 bytes; its code gives it away.
#[test]
fn noise_does_not_swallow_the_first_frame_of_a_p6x() {
    let mut buffer = BytesMut::from(&[0x00, 0xAA, 0x02, 0x3C, 0x24, 0x0C][..]);
    let got = all_of(&mut serial(Family::P6x), &mut buffer);
    assert_eq!(got, (vec![Response::Synchronize], vec!["length"]));
}

/// Two frames have shown what a P6X puts first; after that, noise is told from a frame by its first byte.
#[test]
fn a_p6x_is_known_by_its_habit() {
    let mut codec = serial(Family::P6x);
    let mut buffer = wire_of(Family::P6x, &[Response::Synchronize, Response::Result(Verdict::Ok)]);
    buffer.put_slice(&[0x31, 0xFF, 0x3C, 0x31]);
    buffer.put_slice(&[0xAA, 0x02, 0x3C, 0x33, 0x1B]);
    let (responses, errors) = all_of(&mut codec, &mut buffer);
    assert_eq!(responses, [Response::Synchronize, Response::Result(Verdict::Ok), Response::Cancelled]);
    assert_eq!(errors, ["preamble"]);
}

/// A frame whose length was damaged upwards waits for bytes that never come; a silence frees what it has swallowed.
#[test]
fn a_silence_ends_a_partial_frame() {
    let mut codec = serial(Family::Apollo);
    let mut buffer = wire_of(Family::Apollo, &[Response::Synchronize]);
    // A Result whose length reads 43 instead of 03, then Session Cancelled.
    buffer.put_slice(&[0xAA, 0x43, 0x3C, 0x00, 0x00, 0xE9, 0xAA, 0x02, 0x3C, 0x33, 0x1B]);
    assert_eq!(all_of(&mut codec, &mut buffer), (vec![Response::Synchronize], vec![]));
    assert_eq!(buffer.len(), 11);
    codec.decoder().line_fell_silent(&buffer);
    assert_eq!(all_of(&mut codec, &mut buffer), (vec![Response::Cancelled], vec!["length", "preamble"]));
    assert!(buffer.is_empty());
    assert!(codec.decoder().resynchronised());
    codec.decoder().forget_resynchronisation();
    assert!(!codec.decoder().resynchronised());
}

/// A sound frame that is not understood does not disturb the ones around it.
#[test]
fn an_unknown_message_does_not_break_the_framing() {
    for discipline in [Discipline::Strict, Discipline::Resynchronise] {
        let mut codec = HostCodec::new(Family::Apollo, discipline);
        let mut buffer = BytesMut::new();
        let envelope = Envelope::of(Direction::FromTerminal, BlockFormat::Default);
        // An unknown code; a status of no known state; a Synchronize.
        for (code, payload) in [(0x7F, &[1, 2, 3][..]), (0x26, &[0x03, 0x00]), (0x24, &[])] {
            write_frame(&mut buffer, envelope, code, |out| {
                out.put_slice(payload);
                Ok(())
            })
            .unwrap();
        }
        let got = all_of(&mut codec, &mut buffer);
        assert_eq!(got, (vec![Response::Synchronize], vec!["unknown_message", "payload"]));
        assert!(!codec.decoder().resynchronised());
    }
}

/// What does not fit is refused when it is sent, and nothing of it stays in the buffer.
#[test]
fn what_does_not_fit_is_not_sent() {
    let start = |dol, text: Option<String>| {
        let plain = StartSession::new(Amount::from_minor(1), SessionReference(1));
        Request::StartSession(StartSession { dol, reference_text: text, ..plain })
    };
    let mut out = BytesMut::from(&b"before"[..]);
    let mut refused = |request: Request| {
        let error = HostCodec::new(Family::Apollo, Discipline::Strict).encode(request, &mut out);
        assert_eq!(out, b"before"[..]);
        match error {
            Err(SendError::Protocol(error)) => error,
            other => panic!("not refused: {other:?}"),
        }
    };
    let payload = |fault| ProtocolError::Payload { message: "start_session", fault };
    let too_long = PayloadFault::TooLong { field: "reference text", bytes: 64, most: 63 };
    assert_eq!(refused(start(vec![], Some("x".repeat(64)))), payload(too_long));
    assert_eq!(refused(start(vec![], Some("a\0b".into()))), payload(PayloadFault::Value { field: "reference text", value: 0 }));
    let too_long = PayloadFault::TooLong { field: "data object list", bytes: 258, most: 255 };
    assert_eq!(refused(start(vec![Tag::CARD_HASH; 86], None)), payload(too_long));
    assert_eq!(
        refused(start(vec![Tag::CARD_HASH; 85], None)),
        ProtocolError::Length { length: 2 + 8 + 1 + 255, least: 2, most: 254 }
    );
}

/// PSP, Start Session: fields 5 to 8 stand between the data objects and the text, so they are sent with their defaults.
#[test]
fn a_reference_text_is_field_nine() {
    let request = Request::StartSession(StartSession {
        dol: vec![Tag::CARD_HASH],
        reference_text: Some("bay 7".into()),
        ..StartSession::new(Amount::from_minor(0x0102_0304), SessionReference(0x0506_0708))
    });
    let mut payload = BytesMut::new();
    request.encode(&mut payload, &Quirks::of(Family::Apollo)).unwrap();
    assert_eq!(payload, b"\x01\x02\x03\x04\x05\x06\x07\x08\x03\xDF\xF0\x06\x00\x00\x00\x00bay 7\x00"[..]);
}

/// BER lengths in every form, and what is wrong with the rest.
#[test]
fn data_objects_are_read_as_far_as_they_go() {
    let long = [&[0xDF, 0xF0, 0x06, 0x82, 0x01, 0x00][..], &[0x41; 256]].concat();
    let dol = Dol::parse(&long);
    assert_eq!((dol.get(Tag::CARD_HASH).map(<[u8]>::len), dol.damage()), (Some(256), None));

    let padded = Dol::parse(&[0xDF, 0xCA, 0x0A, 0x84, 0x00, 0x00, 0x00, 0x02, 0x56, 0x49]);
    assert_eq!((padded.get(Tag::BRAND_NAME), padded.damage()), (Some(&b"VI"[..]), None));

    let good = [0xDF, 0xCA, 0x0A, 0x02, 0x56, 0x49];
    for bad in
        [&[0xDF][..], &[0xDF, 0xCA], &[0xDF, 0xCA, 0x0B, 0x05, 0x31], &[0xDF, 0xCA, 0x0B, 0x80], &[0xDF, 0xCA, 0x0B, 0x85]]
    {
        let dol = Dol::parse(&[&good, bad].concat());
        assert_eq!(dol.get(Tag::BRAND_NAME), Some(&b"VI"[..]));
        assert_eq!(dol.damage(), Some(Damage::Object { index: 1, at: 6 }));
    }
    let foreign = Dol::parse(&[&[0x9F, 0x26, 0x01, 0xFF][..], &good].concat());
    assert_eq!(foreign.get(Tag::BRAND_NAME), Some(&b"VI"[..]));
    assert_eq!(foreign.damage(), Some(Damage::ForeignTag { index: 0, at: 0 }));
}

/// `Debug` of data objects shows no value.
#[test]
fn data_objects_do_not_show_themselves() {
    let dol = Dol::default().with(Tag::MASKED_PAN, *b"4111111111111111");
    assert_eq!(format!("{dol:?}"), "{DFCA0B: 16}");
}

/// PSP, Request Ids: the P6X's answer has 147 bytes.
#[test]
fn the_ids_of_a_p6x_have_a_fixed_size() {
    let ids = Ids { serial_number: "P6X1234".into(), model: None, software: vec!["fw 1.2".into()] };
    let mut payload = BytesMut::new();
    let context = Context::of(Family::P6x, BlockFormat::Default);
    Response::Ids(ids).encode(&mut payload, &context).unwrap();
    assert_eq!(payload.len(), 0x93);
    assert_eq!(payload[..8], b"P6X1234\0"[..]);
    assert_eq!(payload[82..89], b"fw 1.2\0"[..]);
}
