//! Every message with every value that it can have: what is encoded comes back the same.

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::request::{
    Control, Options, PaymentMethods, Protocol, ReadCard, Setup, StartSession, TimeoutAction, Ui, UiKind,
};
use quittance::protocol::response::{
    AfterDecline, Ids, Reason, SessionList, Status, TerminalState, TransactionEvent, UpdateOutcome, UpdateResult, Verdict,
};
use quittance::protocol::{
    BlockFormat, Discipline, Dol, Family, HostCodec, RawPayload, Request, Response, SendError, TerminalCodec,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::source::Source;

/// How many kinds of request there are; [`kind_of_request`] numbers them.
pub(crate) const REQUESTS: u8 = 26;

/// How many kinds of response there are; [`kind_of_response`] numbers them.
pub(crate) const RESPONSES: u8 = 20;

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
            Err(SendError::NotSupported(refused)) => assert!(refused.family == family && may_be_refused(&request)),
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
        Request::ReadCard(_) => 14,
        Request::UpdateSession { .. } => 15,
        Request::RemoveSessions(_) => 16,
        Request::UiRequest(_) => 17,
        Request::SelectLanguage(_) => 18,
        Request::ProprietaryExchange(_) => 19,
        Request::MiFare(_) => 20,
        Request::ReadFile(_) => 21,
        Request::GetConnectionInfo(_) => 22,
        Request::GetReceipt(_) => 23,
        Request::GetTransactionRecord(_) => 24,
        Request::Control(_) => 25,
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
            reference_text: some_text(source, 70),
            payment_methods: PaymentMethods(source.u8()),
            logo: some_text(source, 70),
            hide_amount: source.yes(),
            qr_address: some_text(source, 5000),
            second_reference_text: some_text(source, 70),
            tail: raw(source, 300),
        }),
        9 => Request::AuthSession,
        10 => Request::CancelSession,
        11 => Request::CommitSession { session: session(source), amount: amount(source) },
        12 => Request::VoidSession { session: session(source) },
        13 => Request::ListSessions { offset: source.u8() },
        14 => Request::ReadCard(ReadCard {
            reference: SessionReference(source.u32()),
            dol: (0..source.u8() % 100).map(|_| tag(source)).collect(),
            payment_methods: PaymentMethods(source.u8()),
            logo: some_text(source, 70),
            qr_address: some_text(source, 5000),
            reference_text: some_text(source, 70),
            second_reference_text: some_text(source, 70),
            message: some_text(source, 140),
            tail: raw(source, 300),
        }),
        15 => Request::UpdateSession { session: session(source), amount: amount(source) },
        16 => Request::RemoveSessions(raw(source, 0xFFFF)),
        17 => Request::UiRequest(ui(source)),
        18 => Request::SelectLanguage(raw(source, 0xFFFF)),
        19 => Request::ProprietaryExchange(raw(source, 0xFFFF)),
        20 => Request::MiFare(raw(source, 0xFFFF)),
        21 => Request::ReadFile(raw(source, 0xFFFF)),
        22 => Request::GetConnectionInfo(raw(source, 0xFFFF)),
        23 => Request::GetReceipt(raw(source, 0xFFFF)),
        24 => Request::GetTransactionRecord(raw(source, 0xFFFF)),
        25 => Request::Control(Control::Reboot),
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
        Response::ProprietaryCardRead(_) => 12,
        Response::UpdateResult(_) => 13,
        Response::UiEvent { .. } => 14,
        Response::ProprietaryResponse(_) => 15,
        Response::File(_) => 16,
        Response::ConnectionInfo(_) => 17,
        Response::Receipt(_) => 18,
        Response::TransactionRecord(_) => 19,
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
        9 => match (source.yes(), source.yes()) {
            (true, true) => Response::Declined { reason: Some(source.u8()), rest: AfterDecline::Objects(data_objects(source)) },
            (true, false) => Response::declined(Some(source.u8())),
            (false, true) => {
                // Without a reason, data objects that are none would be one.
                let dol = data_objects(source).with(tag(source), source.bytes(3));
                Response::Declined { reason: None, rest: AfterDecline::Objects(dol) }
            }
            (false, false) => Response::declined(None),
        },
        10 => Response::Cancelled,
        11 => Response::TransactionEvent(match source.u8() {
            0 => TransactionEvent::Started,
            1 => TransactionEvent::ReadingCard,
            2 => TransactionEvent::CardReadComplete,
            3 => TransactionEvent::TransactionComplete,
            other => TransactionEvent::Unknown(other),
        }),
        12 => Response::ProprietaryCardRead(data_objects(source)),
        13 => Response::UpdateResult(UpdateResult {
            outcome: source.one_of(&[UpdateOutcome::Approved, UpdateOutcome::Partly, UpdateOutcome::Declined]),
            session: session(source),
            amount: amount(source),
            change: source.u32(),
            reason: source.u8(),
        }),
        14 => Response::UiEvent { button: text(source, 300) },
        15 => Response::ProprietaryResponse(raw(source, 0xFFFF)),
        16 => Response::File(raw(source, 0xFFFF)),
        17 => Response::ConnectionInfo(raw(source, 0xFFFF)),
        18 => Response::Receipt(raw(source, 0xFFFF)),
        19 => Response::TransactionRecord(raw(source, 0xFFFF)),
        other => panic!("no response has the number {other}"),
    }
}

/// Whether there is a family that does not know it, or not all of it.
fn may_be_refused(request: &Request) -> bool {
    !matches!(
        request,
        Request::Reset
            | Request::Synchronize
            | Request::Setup(_)
            | Request::Enable
            | Request::Disable
            | Request::GetStatus
            | Request::RequestIds
            | Request::AuthSession
            | Request::CancelSession
            | Request::CommitSession { .. }
            | Request::VoidSession { .. }
            | Request::RemoveSessions(_)
    )
}

/// Whether nothing in it has a length of its own.
fn always_fits_request(request: &Request) -> bool {
    matches!(kind_of_request(request), 0..=7 | 9..=13 | 15 | 25)
}

/// As [`always_fits_request`].
fn always_fits_response(response: &Response) -> bool {
    match response {
        Response::SessionList(list) => list.sessions.len() < 63,
        response => matches!(kind_of_response(response), 0..=3 | 10 | 11 | 13),
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

fn some_text(source: &mut Source<'_>, most: usize) -> Option<String> {
    source.yes().then(|| text(source, most)).filter(|text| !text.is_empty())
}

fn raw(source: &mut Source<'_>, most: usize) -> RawPayload {
    RawPayload::from(source.bytes(most).to_vec())
}

fn ui(source: &mut Source<'_>) -> Ui {
    let other = UiKind::Other(format!("other {}", text(source, 20)));
    let kind = match source.u8() % 8 {
        0 => UiKind::Info,
        1 => UiKind::Notification,
        2 => UiKind::Dialog,
        3 => UiKind::Selection,
        4 => UiKind::Spinner,
        5 => UiKind::Carousel,
        6 => UiKind::Template,
        _ => other,
    };
    Ui { kind, values: (0..source.u8() % 16).map(|_| (text(source, 300), text(source, 300))).collect() }
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
