//! The extended block (PSP, Protocol, option 0x04): four bytes of length, and two before data objects.

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::quirks::LengthSize;
use quittance::protocol::request::{Options, Protocol, StartSession};
use quittance::protocol::response::{AfterDecline, Verdict};
use quittance::protocol::{BlockFormat, Discipline, Dol, Family, HostCodec, Quirks, Request, Response, TerminalCodec, trace};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::bytes;

const APOLLO: (Family, Discipline) = (Family::Apollo, Discipline::Strict);

fn host() -> HostCodec {
    HostCodec::new(APOLLO.0, APOLLO.1)
}

fn terminal() -> TerminalCodec {
    TerminalCodec::new(APOLLO.0, APOLLO.1)
}

fn is_extended_request(captioned: &str, request: Request) {
    let (mut host, mut terminal) = (host(), terminal());
    host.set_format(BlockFormat::Extended);
    terminal.set_format(BlockFormat::Extended);
    let mut out = BytesMut::new();
    host.encode(&request, &mut out).unwrap();
    assert_eq!(out, bytes(captioned));
    assert_eq!(terminal.decode(&mut out).unwrap(), Some(Ok(request)));
    assert!(trace::explain(None, &bytes(captioned))[0].sound);
}

fn is_extended_response(captioned: &str, response: Response) {
    let (mut host, mut terminal) = (host(), terminal());
    host.set_format(BlockFormat::Extended);
    terminal.set_format(BlockFormat::Extended);
    let mut out = BytesMut::new();
    terminal.encode(&response, &mut out).unwrap();
    assert_eq!(out, bytes(captioned));
    assert_eq!(host.decode(&mut out).unwrap(), Some(Ok(response)));
    assert!(trace::explain(None, &bytes(captioned))[0].sound);
}

#[test]
fn enable() {
    is_extended_request(
        "CC           # preamble: host
         00 00 00 02  # length: magic, code
         3C           # magic
         12           # Enable
         1C           # sum",
        Request::Enable,
    );
}

#[test]
fn start_session() {
    is_extended_request(
        "CC           # preamble: host
         00 00 00 0A  # length: magic, code, 8 bytes of payload
         3C           # magic
         34           # Start Session
         00 00 13 88  # amount: 5000 minor units
         00 00 00 07  # session reference 7
         E8           # sum",
        Request::StartSession(StartSession::new(Amount::from_minor(5000), SessionReference(7))),
    );
}

#[test]
fn result_ok() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 03  # length: magic, code, 1 byte of payload
         3C           # magic
         00           # Result
         00           # OK
         E9           # sum",
        Response::Result(Verdict::Ok),
    );
}

/// Assumption 12: two bytes, too, unless a setting says otherwise.
#[test]
fn card_read() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 0A  # length: magic, code, 8 bytes of payload
         3C           # magic
         34           # Card Read
         00 06        # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         67           # sum",
        Response::CardRead(Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42")),
    );
}

#[test]
fn proprietary_card_read() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 0A  # length: magic, code, 8 bytes of payload
         3C           # magic
         40           # Proprietary Card Read
         00 06        # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         73           # sum",
        Response::ProprietaryCardRead(Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42")),
    );
}

#[test]
fn session_approved() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 0E  # length: magic, code, 12 bytes of payload
         3C           # magic
         31           # Session Approved
         00 00 00 0B  # session 11
         00 06        # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         73           # sum",
        Response::Approved { session: TerminalSessionId(11), dol: Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42") },
    );
}

#[test]
fn session_partially_approved() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 12  # length: magic, code, 16 bytes of payload
         3C           # magic
         35           # Session Partially Approved
         00 00 00 0B  # session 11
         00 00 05 DC  # 1500 minor units are held
         00 06        # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         5C           # sum",
        Response::PartiallyApproved {
            session: TerminalSessionId(11),
            amount: Amount::from_minor(1500),
            dol: Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42"),
        },
    );
}

#[test]
fn session_declined_with_data_objects() {
    is_extended_response(
        "AA           # preamble: terminal
         00 00 00 0B  # length: magic, code, 9 bytes of payload
         3C           # magic
         32           # Session Declined
         05           # refer to issuer
         00 06        # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         6B           # sum",
        Response::Declined {
            reason: Some(0x05),
            rest: AfterDecline::Objects(Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42")),
        },
    );
}

/// The page of Card Read speaks of one byte of length, whatever the block.
#[test]
fn card_read_with_one_byte_of_length() {
    let quirks = Quirks { card_read_length: LengthSize::One, ..Quirks::of(Family::Apollo) };
    let mut host = HostCodec::with_quirks(APOLLO.0, APOLLO.1, quirks);
    host.set_format(BlockFormat::Extended);
    let mut buffer = bytes(
        "AA           # preamble: terminal
         00 00 00 09  # length: magic, code, 7 bytes of payload
         3C           # magic
         34           # Card Read
         06           # 6 bytes of data objects
         DF F0 06     # card hash
         02           # of 2 bytes
         34 32        # 42
         66           # sum",
    );
    let dol = Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42");
    assert_eq!(host.decode(&mut buffer).unwrap(), Some(Ok(Response::CardRead(dol))));
}

/// A QR address that no default block can hold: the longest that there may be.
#[test]
fn the_longest_qr_address_needs_an_extended_block() {
    let start =
        StartSession { qr_address: Some("x".repeat(4296)), ..StartSession::new(Amount::from_minor(5000), SessionReference(7)) };
    let request = Request::StartSession(start);
    let mut out = BytesMut::new();
    assert!(host().encode(&request, &mut out).is_err());
    let mut extended = host();
    extended.set_format(BlockFormat::Extended);
    extended.encode(&request, &mut out).unwrap();
    // Magic, code, 8 bytes, 4 defaults, the address and its NUL: 4311 = 0x10D7.
    assert_eq!(out[..7], [0xCC, 0x00, 0x00, 0x10, 0xD7, 0x3C, 0x34]);
    assert_eq!(out.len(), 1 + 4 + 4311 + 1);
}

const ASK: &str = "CC           # preamble: host
                   07           # length: magic, code, 5 bytes of payload
                   3C           # magic
                   13           # Protocol
                   03           # version 3
                   00 00 00 04  # options: extended block
                   29           # sum";
const GRANT: &str = "AA           # preamble: terminal
                     07           # length: magic, code, 5 bytes of payload
                     3C           # magic
                     13           # Protocol
                     03           # version 3
                     00 00 00 04  # options: extended block
                     07           # sum";
const DENY: &str = "AA           # preamble: terminal
                    07           # length: magic, code, 5 bytes of payload
                    3C           # magic
                    13           # Protocol
                    03           # version 3
                    00 00 00 00  # options: none
                    03           # sum";
const ENABLE: &str = "CC 02 3C 12 1C";
const ENABLE_EXTENDED: &str = "CC 00 00 00 02 3C 12 1C";
const RESET_EXTENDED: &str = "CC 00 00 00 02 3C 55 5F";
const OK: &str = "AA 03 3C 00 00 E9";
const OK_EXTENDED: &str = "AA 00 00 00 03 3C 00 00 E9";
const NOT_OK_EXTENDED: &str = "AA 00 00 00 03 3C 00 01 EA";
const ECHO: &str = "AA 02 3C 24 0C";

fn protocol(options: Options) -> Protocol {
    Protocol { version: 3, options }
}

/// The answer to Protocol is the last frame in the default block, and Reset's the last one in the extended block, for both ends;
/// frames that wait in the buffer behind them are read so, too.
#[test]
fn both_ends_change_over_at_the_same_frame() {
    let (mut host, mut terminal) = (host(), terminal());
    let mut hears = |request: &Request, wire: &str, answer: &Response, back: &str| {
        let mut out = BytesMut::new();
        host.encode(request, &mut out).unwrap();
        assert_eq!(out, bytes(wire), "{request:?}");
        assert_eq!(terminal.decode(&mut out).unwrap(), Some(Ok(request.clone())));
        terminal.encode(answer, &mut out).unwrap();
        assert_eq!(out, bytes(back), "{answer:?}");
        assert_eq!(host.decode(&mut out).unwrap(), Some(Ok(answer.clone())));
    };
    let ok = Response::Result(Verdict::Ok);
    let asked = protocol(Options::EXTENDED_BLOCK);
    hears(&Request::Enable, ENABLE, &ok, OK);
    hears(&Request::Protocol(asked), ASK, &Response::Protocol(protocol(Options(0))), DENY);
    hears(&Request::Enable, ENABLE, &ok, OK);
    hears(&Request::Protocol(asked), ASK, &Response::Protocol(asked), GRANT);
    hears(&Request::Enable, ENABLE_EXTENDED, &ok, OK_EXTENDED);
    hears(&Request::Reset, RESET_EXTENDED, &Response::Result(Verdict::NotOk(None)), NOT_OK_EXTENDED);
    hears(&Request::Enable, ENABLE_EXTENDED, &ok, OK_EXTENDED);
    hears(&Request::Reset, RESET_EXTENDED, &ok, OK_EXTENDED);
    hears(&Request::Enable, ENABLE, &ok, OK);
}

#[test]
fn what_waits_behind_the_change_over_is_read_in_the_new_format() {
    let mut host = host();
    let mut buffer = [bytes(GRANT), bytes(OK_EXTENDED)].concat()[..].into();
    assert_eq!(host.decode(&mut buffer).unwrap(), Some(Ok(Response::Protocol(protocol(Options::EXTENDED_BLOCK)))));
    assert_eq!(host.decode(&mut buffer).unwrap(), Some(Ok(Response::Result(Verdict::Ok))));

    host.encode(Request::Reset, &mut BytesMut::new()).unwrap();
    // A request that is only looked at changes nothing, nor does one that may be under way together with Reset.
    host.check(&Request::Enable).unwrap();
    host.encode(Request::GetStatus, &mut BytesMut::new()).unwrap();
    let mut buffer = [bytes(OK_EXTENDED), bytes(ECHO)].concat()[..].into();
    assert_eq!(host.decode(&mut buffer).unwrap(), Some(Ok(Response::Result(Verdict::Ok))));
    assert_eq!(host.decode(&mut buffer).unwrap(), Some(Ok(Response::Synchronize)));
}
