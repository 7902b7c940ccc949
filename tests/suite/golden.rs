//! Every frame that Payter's pages print, byte for byte, with captions; and the few that we completed from them. The messages
//! of which no frame is printed are in the files below, typed by hand from their layouts.
//!
//! If this test fails, the code is wrong, not the file. The program and its simulated terminals share one codec, so a mistake
//! made in both directions at once shows nowhere but here.

mod extended;
mod requests;
mod responses;

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::frame::{Decoder, Settings};
use quittance::protocol::request::{Options, Protocol, Setup, StartSession, TimeoutAction, Ui};
use quittance::protocol::response::{Reason, Status, TerminalState, Verdict};
use quittance::protocol::{
    BlockFormat, Direction, Discipline, Dol, Family, HostCodec, ProtocolError, Quirks, RawPayload, Request, Response,
    TerminalCodec, trace,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

/// Bytes in hex; what follows a `#` in a line is its caption.
fn bytes(captioned: &str) -> BytesMut {
    let hex = captioned.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    hex.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// These bytes are this request, whoever the terminal is; and this request is these bytes.
fn is_request(captioned: &str, request: Request) {
    is_apollo_request(captioned, request.clone());
    is_p6x_request(captioned, request);
}

fn is_apollo_request(captioned: &str, request: Request) {
    is_request_to(Family::Apollo, captioned, request);
}

fn is_p6x_request(captioned: &str, request: Request) {
    is_request_to(Family::P6x, captioned, request);
}

fn is_request_to(family: Family, captioned: &str, request: Request) {
    for discipline in [Discipline::Strict, Discipline::Resynchronise] {
        let mut buffer = bytes(captioned);
        let decoded = TerminalCodec::new(family, discipline).decode(&mut buffer).unwrap().unwrap();
        assert_eq!(decoded, Ok(request.clone()));
        assert!(buffer.is_empty());

        let mut out = BytesMut::new();
        HostCodec::new(family, discipline).encode(&request, &mut out).unwrap();
        assert_eq!(out, bytes(captioned));
    }
    assert!(trace::explain(None, &bytes(captioned))[0].sound);
}

/// These bytes are this response, whoever sends it; and this response is these bytes.
fn is_response(captioned: &str, response: Response) {
    is_apollo_response(captioned, response.clone());
    is_p6x_response(captioned, response);
}

fn is_apollo_response(captioned: &str, response: Response) {
    is_response_from(Family::Apollo, captioned, response);
}

fn is_p6x_response(captioned: &str, response: Response) {
    is_response_from(Family::P6x, captioned, response);
}

fn is_response_from(family: Family, captioned: &str, response: Response) {
    for discipline in [Discipline::Strict, Discipline::Resynchronise] {
        let mut buffer = bytes(captioned);
        let decoded = HostCodec::new(family, discipline).decode(&mut buffer).unwrap().unwrap();
        assert_eq!(decoded, Ok(response.clone()));
        assert!(buffer.is_empty());

        let mut out = BytesMut::new();
        TerminalCodec::new(family, discipline).encode(&response, &mut out).unwrap();
        assert_eq!(out, bytes(captioned));
    }
    assert!(trace::explain(None, &bytes(captioned))[0].sound);
}

/// These bytes are a sound frame with this code and payload, of which we know no more.
fn is_frame(captioned: &str, from: Direction, format: BlockFormat, code: u8, payload: &[u8]) {
    let settings =
        Settings { from, family: Family::Apollo, format, discipline: Discipline::Strict, quirks: Quirks::of(Family::Apollo) };
    let mut buffer = bytes(captioned);
    let found = Decoder::new(settings).decode(&mut buffer, |frame| (frame.code, frame.payload.to_vec()));
    assert_eq!(found, Ok(Some((code, payload.to_vec()))));
    assert!(buffer.is_empty());
}

#[test]
fn reset() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         55  # Reset
         5F  # sum",
        Request::Reset,
    );
}

#[test]
fn synchronize() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         24  # Synchronize
         2E  # sum",
        Request::Synchronize,
    );
}

#[test]
fn protocol() {
    is_request(
        "CC           # preamble: host
         07           # length: magic, code, 5 bytes of payload
         3C           # magic
         13           # Protocol
         03           # version 3
         00 00 00 02  # options: authorization data objects
         27           # sum",
        Request::Protocol(Protocol { version: 3, options: Options::AUTHORIZATION_DOL }),
    );
}

#[test]
fn setup() {
    is_request(
        "CC           # preamble: host
         07           # length: magic, code, 5 bytes of payload
         3C           # magic
         23           # Setup
         00 02 A3 00  # timeout: 172 800 seconds, 48 hours
         00           # timeout action: commit the full amount
         D7           # sum",
        Request::Setup(Setup { timeout_seconds: 172_800, action: TimeoutAction::Commit }),
    );
}

#[test]
fn enable() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         12  # Enable
         1C  # sum",
        Request::Enable,
    );
}

#[test]
fn disable() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         11  # Disable
         1B  # sum",
        Request::Disable,
    );
}

#[test]
fn start_session() {
    is_request(
        "CC           # preamble: host
         0A           # length: magic, code, 8 bytes of payload
         3C           # magic
         34           # Start Session
         00 00 09 C4  # amount: 2500 minor units
         00 00 00 0A  # session reference 10
         1D           # sum",
        Request::StartSession(StartSession::new(Amount::from_minor(2500), SessionReference(10))),
    );
}

#[test]
fn cancel_session() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         37  # Cancel Session
         41  # sum",
        Request::CancelSession,
    );
}

#[test]
fn auth_session() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         36  # Auth Session
         40  # sum",
        Request::AuthSession,
    );
}

#[test]
fn proprietary_card_exchange() {
    is_apollo_request(
        "CC                                         # preamble: host
         16                                         # length: magic, code, 20 bytes of payload
         3C                                         # magic
         38                                         # Proprietary Card Exchange
         00 A4 04 00                                # C-APDU: SELECT by name
         0E                                         # 14 bytes of name
         32 50 41 59 2E 53 59 53 2E 44 44 46 30 31  # 2PAY.SYS.DDF01
         00                                         # any length of answer
         B2                                         # sum",
        Request::ProprietaryExchange(RawPayload::from(b"\x00\xA4\x04\x00\x0E2PAY.SYS.DDF01\x00".to_vec())),
    );
}

/// Payter's page says "session 10, 100 cents" of this frame, but its bytes are other ones (PSP, Commit Session).
#[test]
fn commit_session_as_published() {
    is_request(
        "CC           # preamble: host
         0A           # length: magic, code, 8 bytes of payload
         3C           # magic
         35           # Commit Session
         00 00 00 04  # session 4
         00 00 00 6A  # amount: 106 minor units
         B5           # sum",
        Request::CommitSession { session: TerminalSessionId(4), amount: Amount::from_minor(106) },
    );
}

/// Ours: the frame that the page evidently means.
#[test]
fn commit_session_as_intended() {
    is_request(
        "CC           # preamble: host
         0A           # length: magic, code, 8 bytes of payload
         3C           # magic
         35           # Commit Session
         00 00 00 0A  # session 10
         00 00 00 64  # amount: 100 minor units
         B5           # sum: the same as in the published frame",
        Request::CommitSession { session: TerminalSessionId(10), amount: Amount::from_minor(100) },
    );
}

#[test]
fn void_session() {
    is_request(
        "CC           # preamble: host
         06           # length: magic, code, 4 bytes of payload
         3C           # magic
         33           # Void Session
         00 00 00 0A  # session 10
         4B           # sum",
        Request::VoidSession { session: TerminalSessionId(10) },
    );
}

#[test]
fn get_status() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         26  # Get Status
         30  # sum",
        Request::GetStatus,
    );
}

#[test]
fn result_ok() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         00  # Result
         00  # OK
         E9  # sum",
        Response::Result(Verdict::Ok),
    );
}

#[test]
fn result_not_ok() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         00  # Result
         01  # Not OK
         EA  # sum",
        Response::Result(Verdict::NotOk(None)),
    );
}

#[test]
fn synchronize_response() {
    is_response(
        "AA  # preamble: terminal
         02  # length: magic, code
         3C  # magic
         24  # Synchronize
         0C  # sum",
        Response::Synchronize,
    );
}

/// The data objects of the two published card examples.
fn published_dol() -> Dol {
    Dol::default()
        .with(Tag([0xDF, 0xF0, 0x06]), *b"3012041092BEBAF23AFC1DA175B1F3A529E6F2D1")
        .with(Tag([0xDF, 0xCA, 0x0B]), *b"0100000018")
}

#[test]
fn session_approved() {
    is_response(
        "AA                             # preamble: terminal
         41                             # length: magic, code, 63 bytes of payload
         3C                             # magic
         31                             # Session Approved
         00 00 00 0B                    # session 11
         3A                             # 58 bytes of data objects
         DF F0 06                       # card hash
         28                             # of 40 bytes
         33 30 31 32 30 34 31 30 39 32  # 3012041092
         42 45 42 41 46 32 33 41 46 43  # BEBAF23AFC
         31 44 41 31 37 35 42 31 46 33  # 1DA175B1F3
         41 35 32 39 45 36 46 32 44 31  # A529E6F2D1
         DF CA 0B                       # masked card number
         0A                             # of 10 bytes
         30 31 30 30 30 30 30 30 31 38  # 0100000018
         3F                             # sum",
        Response::Approved { session: TerminalSessionId(11), dol: published_dol() },
    );
}

/// Ours: the page shows only the first ten bytes; the data objects are those of Session Approved.
#[test]
fn card_read() {
    is_response(
        "AA                             # preamble: terminal
         3D                             # length: magic, code, 59 bytes of payload
         3C                             # magic
         34                             # Card Read
         3A                             # 58 bytes of data objects
         DF F0 06                       # card hash
         28                             # of 40 bytes
         33 30 31 32 30 34 31 30 39 32  # 3012041092
         42 45 42 41 46 32 33 41 46 43  # BEBAF23AFC
         31 44 41 31 37 35 42 31 46 33  # 1DA175B1F3
         41 35 32 39 45 36 46 32 44 31  # A529E6F2D1
         DF CA 0B                       # masked card number
         0A                             # of 10 bytes
         30 31 30 30 30 30 30 30 31 38  # 0100000018
         33                             # sum",
        Response::CardRead(published_dol()),
    );
    let card = published_dol().card();
    assert_eq!(card.hash.unwrap().reveal(), "3012041092BEBAF23AFC1DA175B1F3A529E6F2D1");
    assert_eq!(card.masked_pan.unwrap().as_str(), "0100000018");
}

#[test]
fn session_cancelled() {
    is_response(
        "AA  # preamble: terminal
         02  # length: magic, code
         3C  # magic
         33  # Session Cancelled
         1B  # sum",
        Response::Cancelled,
    );
}

#[test]
fn session_declined() {
    is_response(
        "AA  # preamble: terminal
         02  # length: magic, code
         3C  # magic
         32  # Session Declined, without a reason
         1A  # sum",
        Response::declined(None),
    );
}

#[test]
fn protocol_response() {
    is_response(
        "AA           # preamble: terminal
         07           # length: magic, code, 5 bytes of payload
         3C           # magic
         13           # Protocol
         03           # version 3
         00 00 00 02  # options: authorization data objects
         05           # sum",
        Response::Protocol(Protocol { version: 3, options: Options::AUTHORIZATION_DOL }),
    );
}

#[test]
fn status_offline() {
    is_response(
        "AA  # preamble: terminal
         04  # length: magic, code, 2 bytes of payload
         3C  # magic
         26  # Get Status Response
         01  # OFFLINE
         00  # no transaction is running
         11  # sum",
        Response::Status(Status { state: TerminalState::Offline, running: false }),
    );
}

#[test]
fn status_waiting_for_a_card() {
    is_response(
        "AA  # preamble: terminal
         04  # length: magic, code, 2 bytes of payload
         3C  # magic
         26  # Get Status Response
         10  # WAIT_CARD
         01  # a transaction is running
         21  # sum",
        Response::Status(Status { state: TerminalState::WaitCard, running: true }),
    );
}

/// An illustration of the format: no message has this code.
#[test]
fn illustration_of_the_default_block() {
    let captioned = "AA     # preamble: terminal
                     04     # length: magic, code, 2 bytes of payload
                     3C     # magic
                     21     # no known message
                     03 66  # payload
                     74     # sum";
    is_frame(captioned, Direction::FromTerminal, BlockFormat::Default, 0x21, &[0x03, 0x66]);
    for discipline in [Discipline::Strict, Discipline::Resynchronise] {
        let mut buffer = bytes(captioned);
        let decoded = HostCodec::new(Family::Apollo, discipline).decode(&mut buffer).unwrap().unwrap();
        assert_eq!(decoded, Err(ProtocolError::UnknownMessage { code: 0x21, from: Direction::FromTerminal }));
    }
}

#[test]
fn illustration_of_the_extended_block() {
    is_frame(
        "AA           # preamble: terminal
         00 00 00 04  # length: magic, code, 2 bytes of payload
         3C           # magic
         21           # no known message
         03 66        # payload
         74           # sum",
        Direction::FromTerminal,
        BlockFormat::Extended,
        0x21,
        &[0x03, 0x66],
    );
}

#[test]
fn ui_request_with_a_text() {
    is_apollo_request(
        "CC                                                  # preamble: host
         59                                                  # length: magic, code, 87 bytes of payload
         3C                                                  # magic
         28                                                  # UI Request
         74 79 70 65 00                                      # type
         74 65 6D 70 6C 61 74 65 00                          # template
         74 65 6D 70 6C 61 74 65 00                          # template
         6D 79 2D 66 69 72 73 74 2D 73 63 72 65 65 6E 00     # my-first-screen
         63 6F 6D 70 2E 6D 79 2D 6C 61 62 65 6C 2E           # comp.my-label.
         76 61 6C 75 65 00                                   # value
         48 65 6C 6C 6F 20 74 68 69 73 20 69 73 20 61 20     # Hello this is a
         6E 65 77 20 6D 65 73 73 61 67 65 00                 # new message
         DE                                                  # sum",
        Request::UiRequest(Ui::template("my-first-screen").with("comp.my-label.value", "Hello this is a new message")),
    );
}

#[test]
fn ui_request_with_a_position() {
    is_apollo_request(
        "CC                                                  # preamble: host
         3C                                                  # length: magic, code, 58 bytes of payload
         3C                                                  # magic
         28                                                  # UI Request
         74 79 70 65 00                                      # type
         74 65 6D 70 6C 61 74 65 00                          # template
         74 65 6D 70 6C 61 74 65 00                          # template
         6D 79 2D 66 69 72 73 74 2D 73 63 72 65 65 6E 00     # my-first-screen
         63 6F 6D 70 2E 6D 79 2D 6C 61 62 65 6C 2E 78 00     # comp.my-label.x
         35 30 00                                            # 50
         C9                                                  # sum",
        Request::UiRequest(Ui::template("my-first-screen").with("comp.my-label.x", "50")),
    );
}

/// Ours: the page cuts it off after "opacity"; the length that it prints agrees.
#[test]
fn ui_request_with_an_opacity() {
    is_apollo_request(
        "CC                                                  # preamble: host
         42                                                  # length: magic, code, 64 bytes of payload
         3C                                                  # magic
         28                                                  # UI Request
         74 79 70 65 00                                      # type
         74 65 6D 70 6C 61 74 65 00                          # template
         74 65 6D 70 6C 61 74 65 00                          # template
         6D 79 2D 66 69 72 73 74 2D 73 63 72 65 65 6E 00     # my-first-screen
         63 6F 6D 70 2E 6D 79 2D 6C 61 62 65 6C 2E           # comp.my-label.
         6F 70 61 63 69 74 79 00                             # opacity
         35 30 00                                            # 50
         50                                                  # sum",
        Request::UiRequest(Ui::template("my-first-screen").with("comp.my-label.opacity", "50")),
    );
}

/// Not published, but the two halves of a doubt: a Result of two bytes is a reason, or the status that somebody asked for
/// (conflict C1).
#[test]
fn a_result_of_two_bytes() {
    let captioned = "AA  # preamble: terminal
                     04  # length: magic, code, 2 bytes of payload
                     3C  # magic
                     00  # Result
                     01  # Not OK, or OFFLINE
                     01  # not OK, or a transaction is running
                     EC  # sum";
    let mut codec = HostCodec::new(Family::Apollo, Discipline::Strict);
    let not_ok = Response::Result(Verdict::NotOk(Some(Reason(0x01))));
    assert_eq!(codec.decode(&mut bytes(captioned)).unwrap(), Some(Ok(not_ok)));
    codec.set_status_outstanding(true);
    let offline = Response::Status(Status { state: TerminalState::Offline, running: true });
    assert_eq!(codec.decode(&mut bytes(captioned)).unwrap(), Some(Ok(offline)));
}
