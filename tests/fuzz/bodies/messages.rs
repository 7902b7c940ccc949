//! Every message with every value that it can have: what is encoded comes back the same.

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::request::{Options, Protocol, Setup, StartSession, TimeoutAction};
use quittance::protocol::response::{Ids, Reason, SessionList, Status, TerminalState, TransactionEvent, Verdict};
use quittance::protocol::{BlockFormat, Discipline, Dol, Family, HostCodec, Request, Response, TerminalCodec};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::source::Source;

/// How many kinds of request there are; [`kind_of_request`] numbers them.
pub(crate) const REQUESTS: u8 = 14;

/// How many kinds of response there are; [`kind_of_response`] numbers them.
pub(crate) const RESPONSES: u8 = 12;

/// The first bytes choose the ends of the wire and the message; the rest are its values.
pub(crate) fn round_trip(data: &[u8]) {
    let mut source = Source::new(data);
    let family = source.one_of(&[Family::Apollo, Family::P6x]);
    let format = source.one_of(&[BlockFormat::Default, BlockFormat::Extended]);
    let discipline = source.one_of(&[Discipline::Strict, Discipline::Resynchronise]);
    let mut host = HostCodec::new(family, discipline);
    let mut terminal = TerminalCodec::new(family, discipline);
    host.set_format(format);
    terminal.set_format(format);
    let mut wire = BytesMut::from(&b"before"[..]);
    let kind = source.u8();
    if source.yes() {
        let request = request(kind % REQUESTS, &mut source);
        let sent = host.encode(&request, &mut wire);
        assert_eq!(wire.split_to(6), &b"before"[..]);
        match sent {
            Ok(()) => assert_eq!(terminal.decode(&mut wire).unwrap(), Some(Ok(request))),
            Err(_) => assert!(!always_fits_request(&request)),
        }
    } else {
        let response = response(kind % RESPONSES, family, &mut source);
        let sent = terminal.encode(&response, &mut wire);
        assert_eq!(wire.split_to(6), &b"before"[..]);
        match sent {
            Ok(()) => assert_eq!(host.decode(&mut wire).unwrap(), Some(Ok(response))),
            Err(_) => assert!(!always_fits_response(&response)),
        }
    }
    assert!(wire.is_empty(), "half a frame stays behind");
}

/// Numbers the kinds, so that a new one cannot be forgotten: it does not compile here, and `tests/suite/fuzzed.rs` sees to it
/// that [`request`] makes one.
pub(crate) fn kind_of_request(request: &Request) -> u8 {
    match request {
        Request::Reset => 0,
        Request::Synchronize => 1,
        Request::Protocol(_) => 2,
        Request::Setup(_) => 3,
        Request::Enable => 4,
        Request::Disable => 5,
        Request::GetStatus => 6,
        Request::RequestIds => 7,
        Request::StartSession(_) => 8,
        Request::AuthSession => 9,
        Request::CancelSession => 10,
        Request::CommitSession { .. } => 11,
        Request::VoidSession { .. } => 12,
        Request::ListSessions { .. } => 13,
    }
}

/// A request of this kind.
pub(crate) fn request(kind: u8, source: &mut Source<'_>) -> Request {
    match kind {
        0 => Request::Reset,
        1 => Request::Synchronize,
        2 => Request::Protocol(protocol(source)),
        3 => {
            let action = source.one_of(&[TimeoutAction::Commit, TimeoutAction::Void]);
            Request::Setup(Setup { timeout_seconds: source.u32(), action })
        }
        4 => Request::Enable,
        5 => Request::Disable,
        6 => Request::GetStatus,
        7 => Request::RequestIds,
        8 => Request::StartSession(StartSession {
            amount: amount(source),
            reference: SessionReference(source.u32()),
            dol: (0..source.u8() % 100).map(|_| tag(source)).collect(),
            reference_text: source.yes().then(|| text(source, 70)).filter(|text| !text.is_empty()),
        }),
        9 => Request::AuthSession,
        10 => Request::CancelSession,
        11 => Request::CommitSession { session: session(source), amount: amount(source) },
        12 => Request::VoidSession { session: session(source) },
        13 => Request::ListSessions { offset: source.u8() },
        other => panic!("no request has the number {other}"),
    }
}

/// As [`kind_of_request`].
pub(crate) fn kind_of_response(response: &Response) -> u8 {
    match response {
        Response::Result(_) => 0,
        Response::Synchronize => 1,
        Response::Protocol(_) => 2,
        Response::Status(_) => 3,
        Response::Ids(_) => 4,
        Response::SessionList(_) => 5,
        Response::CardRead(_) => 6,
        Response::Approved { .. } => 7,
        Response::PartiallyApproved { .. } => 8,
        Response::Declined { .. } => 9,
        Response::Cancelled => 10,
        Response::TransactionEvent(_) => 11,
    }
}

/// A response of this kind.
pub(crate) fn response(kind: u8, family: Family, source: &mut Source<'_>) -> Response {
    match kind {
        0 => {
            Response::Result(if source.yes() { Verdict::NotOk(source.yes().then(|| Reason(source.u8()))) } else { Verdict::Ok })
        }
        1 => Response::Synchronize,
        2 => Response::Protocol(protocol(source)),
        3 => Response::Status(Status { state: source.one_of(&TerminalState::ALL), running: source.yes() }),
        4 => Response::Ids(ids(family, source)),
        5 => Response::SessionList(SessionList {
            total: source.u8(),
            sessions: (0..source.u8() % 64).map(|_| session(source)).collect(),
        }),
        6 => Response::CardRead(data_objects(source)),
        7 => Response::Approved { session: session(source), dol: data_objects(source) },
        8 => Response::PartiallyApproved { session: session(source), amount: amount(source), dol: data_objects(source) },
        9 => match source.yes() {
            true => Response::Declined { reason: Some(source.u8()), rest: source.u8().into() },
            false => Response::Declined { reason: None, rest: 0 },
        },
        10 => Response::Cancelled,
        11 => Response::TransactionEvent(match source.u8() {
            0 => TransactionEvent::Started,
            1 => TransactionEvent::ReadingCard,
            2 => TransactionEvent::CardReadComplete,
            3 => TransactionEvent::TransactionComplete,
            other => TransactionEvent::Unknown(other),
        }),
        other => panic!("no response has the number {other}"),
    }
}

/// Whether nothing in it has a length of its own.
fn always_fits_request(request: &Request) -> bool {
    !matches!(request, Request::StartSession(_))
}

/// As [`always_fits_request`].
fn always_fits_response(response: &Response) -> bool {
    match response {
        Response::Ids(_)
        | Response::CardRead(_)
        | Response::Approved { .. }
        | Response::PartiallyApproved { .. }
        | Response::Declined { .. } => false,
        Response::SessionList(list) => list.sessions.len() < 63,
        _ => true,
    }
}

fn protocol(source: &mut Source<'_>) -> Protocol {
    Protocol { version: source.u8(), options: Options(source.u32()) }
}

fn session(source: &mut Source<'_>) -> TerminalSessionId {
    TerminalSessionId(source.u32())
}

fn amount(source: &mut Source<'_>) -> Amount {
    Amount::from_minor(source.u32())
}

/// Three bytes by the rules of BER (PSP, DOL list).
fn tag(source: &mut Source<'_>) -> Tag {
    Tag([source.u8() | 0x1F, source.u8() | 0x80, source.u8() & 0x7F])
}

fn data_objects(source: &mut Source<'_>) -> Dol {
    (0..source.u8() % 16).fold(Dol::default(), |dol, _| dol.with(tag(source), source.bytes(0xFFFF)))
}

/// Text that can be sent: without NUL.
fn text(source: &mut Source<'_>, most: usize) -> String {
    String::from_utf8_lossy(source.bytes(most)).replace('\0', "")
}

fn ids(family: Family, source: &mut Source<'_>) -> Ids {
    let serial_number = text(source, 20);
    match family {
        Family::Apollo => Ids {
            serial_number,
            // An empty text is how an absent model is sent.
            model: source.yes().then(|| text(source, 20)).filter(|model| !model.is_empty()),
            software: (0..source.u8() % 8).map(|_| text(source, 40)).collect(),
        },
        Family::P6x => Ids { serial_number, model: None, software: vec![text(source, 70)] },
    }
}
