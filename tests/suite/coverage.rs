//! Every message × family: is it encoded, is it decoded, and which test takes it from end to end over its real wire. The table
//! is `src/protocol/coverage.md`, which the documentation of the protocol shows; here it is held against the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::message::{REQUESTS, RESPONSES, RequestKind, ResponseKind, Row};
use quittance::protocol::request::{Control, Options, Protocol, ReadCard, Setup, StartSession, TimeoutAction, Ui};
use quittance::protocol::response::{
    Ids, SessionList, Status, TerminalState, TransactionEvent, UpdateOutcome, UpdateResult, Verdict,
};
use quittance::protocol::{Discipline, Dol, Family, HostCodec, RawPayload, Request, Response, SendError, TerminalCodec};
use tokio_util::codec::{Decoder as _, Encoder as _};

const TABLE: &str = include_str!("../../src/protocol/coverage.md");

/// One line of the table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    code: String,
    message: String,
    family: String,
    encoded: String,
    decoded: String,
    test: String,
}

fn lines() -> Vec<Line> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| code"));
    rows.map(|line| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [code, message, family, encoded, decoded, test] = <[String; 6]>::try_from(cells).unwrap();
        Line { code, message, family, encoded, decoded, test }
    })
    .collect()
}

fn line(arrow: char, code: u8, title: &str, family: Family, encoded: &str, decoded: &str) -> [String; 5] {
    [format!("{code:02X}"), format!("{arrow} {title}"), family.title().into(), encoded.into(), decoded.into()]
}

/// What the code does with every message, in the order of its tables.
fn done() -> Vec<[String; 5]> {
    let both = |kind| Family::ALL.map(|family| (kind, family));
    let requests = REQUESTS.iter().flat_map(|row| both(row.kind));
    let responses = RESPONSES.iter().flat_map(|row| Family::ALL.map(|family| (row.kind, family)));
    let requests = requests.map(|(kind, family)| {
        let Row { code, title, .. } = *kind.row();
        let (encoded, decoded) = request_there(request(kind), family);
        line('→', code, title, family, encoded, decoded)
    });
    let responses = responses.map(|(kind, family)| {
        let Row { code, title, .. } = *kind.row();
        let there = if kind.known_to(family) { response_back(response(kind, family), family) } else { ("–", "–") };
        line('←', code, title, family, there.0, there.1)
    });
    requests.chain(responses).collect()
}

/// Sends a request from one codec to the other.
fn request_there(request: Request, family: Family) -> (&'static str, &'static str) {
    let mut wire = BytesMut::new();
    match HostCodec::new(family, Discipline::Strict).encode(&request, &mut wire) {
        Err(SendError::NotSupported(_)) if wire.is_empty() => ("refused", "–"),
        Ok(()) => match TerminalCodec::new(family, Discipline::Strict).decode(&mut wire) {
            Ok(Some(Ok(heard))) if heard == request && wire.is_empty() => ("yes", "yes"),
            _ => ("yes", "no"),
        },
        _ => ("no", "no"),
    }
}

fn response_back(response: Response, family: Family) -> (&'static str, &'static str) {
    let mut wire = BytesMut::new();
    match TerminalCodec::new(family, Discipline::Strict).encode(&response, &mut wire) {
        Ok(()) => match HostCodec::new(family, Discipline::Strict).decode(&mut wire) {
            Ok(Some(Ok(heard))) if heard == response && wire.is_empty() => ("yes", "yes"),
            _ => ("yes", "no"),
        },
        Err(_) => ("no", "no"),
    }
}

/// One request of each kind.
fn request(kind: RequestKind) -> Request {
    let (session, amount, reference) = (TerminalSessionId(11), Amount::from_minor(2500), SessionReference(7));
    let raw = RawPayload::from(vec![0x01, 0x02]);
    match kind {
        RequestKind::Reset => Request::Reset,
        RequestKind::Synchronize => Request::Synchronize,
        RequestKind::Protocol => Request::Protocol(Protocol { version: 3, options: Options::EVENTS }),
        RequestKind::Setup => Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }),
        RequestKind::Enable => Request::Enable,
        RequestKind::Disable => Request::Disable,
        RequestKind::GetStatus => Request::GetStatus,
        RequestKind::RequestIds => Request::RequestIds,
        RequestKind::StartSession => Request::StartSession(StartSession::new(amount, reference)),
        RequestKind::ReadCard => Request::ReadCard(ReadCard::new(reference)),
        RequestKind::AuthSession => Request::AuthSession,
        RequestKind::CancelSession => Request::CancelSession,
        RequestKind::CommitSession => Request::CommitSession { session, amount },
        RequestKind::VoidSession => Request::VoidSession { session },
        RequestKind::UpdateSession => Request::UpdateSession { session, amount },
        RequestKind::ListSessions => Request::ListSessions { offset: 62 },
        RequestKind::RemoveSessions => Request::RemoveSessions(raw),
        RequestKind::UiRequest => Request::UiRequest(Ui::spinner("Wait")),
        RequestKind::SelectLanguage => Request::SelectLanguage(raw),
        RequestKind::ProprietaryExchange => Request::ProprietaryExchange(raw),
        RequestKind::MiFare => Request::MiFare(raw),
        RequestKind::ReadFile => Request::ReadFile(raw),
        RequestKind::GetConnectionInfo => Request::GetConnectionInfo(raw),
        RequestKind::GetReceipt => Request::GetReceipt(raw),
        RequestKind::GetTransactionRecord => Request::GetTransactionRecord(raw),
        RequestKind::Control => Request::Control(Control::Reboot),
    }
}

/// One response of each kind.
fn response(kind: ResponseKind, family: Family) -> Response {
    let (session, amount, dol) = (TerminalSessionId(11), Amount::from_minor(2500), Dol::default());
    let raw = RawPayload::from(vec![0x01, 0x02]);
    match kind {
        ResponseKind::Result => Response::Result(Verdict::Ok),
        ResponseKind::Synchronize => Response::Synchronize,
        ResponseKind::Protocol => Response::Protocol(Protocol { version: 3, options: Options::EVENTS }),
        ResponseKind::Status => Response::Status(Status { state: TerminalState::Enabled, running: false }),
        ResponseKind::Ids => {
            let model = (family == Family::Apollo).then(|| "Apollo".to_owned());
            Response::Ids(Ids { serial_number: "S-1".into(), model, software: vec!["1.2".into()] })
        }
        ResponseKind::SessionList => Response::SessionList(SessionList { total: 1, sessions: vec![session] }),
        ResponseKind::CardRead => Response::CardRead(dol),
        ResponseKind::ProprietaryCardRead => Response::ProprietaryCardRead(dol),
        ResponseKind::Approved => Response::Approved { session, dol },
        ResponseKind::PartiallyApproved => Response::PartiallyApproved { session, amount, dol },
        ResponseKind::Declined => Response::declined(Some(0x09)),
        ResponseKind::Cancelled => Response::Cancelled,
        ResponseKind::UpdateResult => {
            Response::UpdateResult(UpdateResult { outcome: UpdateOutcome::Partly, session, amount, change: 500, reason: 0 })
        }
        ResponseKind::TransactionEvent => Response::TransactionEvent(TransactionEvent::Started),
        ResponseKind::UiEvent => Response::UiEvent { button: "yes".into() },
        ResponseKind::ProprietaryResponse => Response::ProprietaryResponse(raw),
        ResponseKind::File => Response::File(raw),
        ResponseKind::ConnectionInfo => Response::ConnectionInfo(raw),
        ResponseKind::Receipt => Response::Receipt(raw),
        ResponseKind::TransactionRecord => Response::TransactionRecord(raw),
    }
}

/// The table has one line for each message and family, and says what the code does with it.
#[test]
fn the_table_says_what_the_code_does() {
    let told: Vec<[String; 5]> = lines()
        .into_iter()
        .map(|Line { code, message, family, encoded, decoded, .. }| [code, message, family, encoded, decoded])
        .collect();
    assert_eq!(told, done());
}

/// Every message that a family knows has a test over that family's real wire, which exists and is a test.
#[test]
fn every_message_has_its_end_to_end_test() {
    let mut wrong = BTreeSet::new();
    for line in lines() {
        if line.encoded != "yes" {
            assert_eq!(line.test, "–", "{line:?}");
        } else if !is_a_test(line.test.trim_matches('`')) {
            wrong.insert(line);
        }
    }
    assert_eq!(wrong, BTreeSet::new());
}

#[test]
fn a_missing_test_would_be_noticed() {
    assert!(is_a_test("coverage::a_missing_test_would_be_noticed"));
    for wrong in [
        "coverage::is_a_test",
        "coverage::nobody_wrote_this",
        "nowhere::reset_on_apollo",
        "a_missing_test_would_be_noticed",
        "–",
    ] {
        assert!(!is_a_test(wrong), "{wrong}");
    }
}

/// Whether this path names a test of this program, as `cargo test` would run it.
fn is_a_test(path: &str) -> bool {
    let Some((modules, function)) = path.rsplit_once("::") else { return false };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(modules.replace("::", "/")).with_extension("rs");
    let Ok(text) = fs::read_to_string(file) else { return false };
    let mut attributes = String::new();
    for line in text.lines() {
        if line.starts_with("#[") {
            attributes.push_str(line);
        } else if line.contains(&format!("fn {function}(")) {
            return attributes.contains("test]");
        } else {
            attributes.clear();
        }
    }
    false
}
