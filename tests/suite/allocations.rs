//! What the heap is asked for on the way of a frame: nothing, where the message has a fixed size.

use bytes::BytesMut;
use quittance::id::TerminalSessionId;
use quittance::money::Amount;
use quittance::protocol::request::{Control, Options, Protocol, Setup, TimeoutAction};
use quittance::protocol::response::{Reason, Status, TerminalState, TransactionEvent, UpdateOutcome, UpdateResult, Verdict};
use quittance::protocol::{BlockFormat, Discipline, Dol, Family, HostCodec, Request, Response, TerminalCodec};
use tokio_util::codec::{Decoder as _, Encoder as _};

const FORMATS: [BlockFormat; 2] = [BlockFormat::Default, BlockFormat::Extended];

/// How often each frame is there.
const REPEATS: u64 = 100;

fn protocol() -> Protocol {
    Protocol { version: 3, options: Options::EVENTS.with(Options::DETAILED_CODES) }
}

/// Every response of a fixed size.
fn fixed_responses() -> Vec<Response> {
    vec![
        Response::Result(Verdict::Ok),
        Response::Result(Verdict::NotOk(None)),
        Response::Result(Verdict::NotOk(Some(Reason::SESSION_NOT_FOUND))),
        Response::Synchronize,
        Response::Protocol(protocol()),
        Response::Status(Status { state: TerminalState::WaitCard, running: true }),
        Response::declined(Some(0x09)),
        Response::Cancelled,
        Response::TransactionEvent(TransactionEvent::ReadingCard),
        Response::UpdateResult(UpdateResult {
            outcome: UpdateOutcome::Approved,
            session: TerminalSessionId(11),
            amount: Amount::from_minor(2_500),
            change: 500,
            reason: 0,
        }),
    ]
}

/// Every request of a fixed size that this family knows.
fn fixed_requests(family: Family) -> Vec<Request> {
    let session = TerminalSessionId(11);
    let amount = Amount::from_minor(2_500);
    let own = match family {
        Family::Apollo => {
            vec![Request::Protocol(protocol()), Request::UpdateSession { session, amount }, Request::Control(Control::Reboot)]
        }
        Family::P6x => vec![Request::ListSessions { offset: 63 }],
    };
    let both = [
        Request::Reset,
        Request::Synchronize,
        Request::Setup(Setup { timeout_seconds: 86_400, action: TimeoutAction::Void }),
        Request::Enable,
        Request::Disable,
        Request::GetStatus,
        Request::RequestIds,
        Request::AuthSession,
        Request::CancelSession,
        Request::CommitSession { session, amount },
        Request::VoidSession { session },
    ];
    both.into_iter().chain(own).collect()
}

#[test]
fn decoding_a_message_of_fixed_size_allocates_nothing() {
    for format in FORMATS {
        for discipline in [Discipline::Strict, Discipline::Resynchronise] {
            for family in [Family::Apollo, Family::P6x] {
                let mut terminal = TerminalCodec::new(family, discipline);
                let mut host = HostCodec::new(family, discipline);
                terminal.set_format(format);
                host.set_format(format);
                for response in fixed_responses() {
                    let mut wire = BytesMut::new();
                    (0..REPEATS).for_each(|_| terminal.encode(&response, &mut wire).unwrap());
                    let used = allocation_counter::measure(|| {
                        (0..REPEATS).for_each(|_| assert!(matches!(host.decode(&mut wire), Ok(Some(Ok(_))))));
                    });
                    assert_eq!(used.count_total, 0, "{response:?}, {format:?}");
                    assert!(wire.is_empty());
                }
                for request in fixed_requests(family) {
                    let mut wire = BytesMut::new();
                    (0..REPEATS).for_each(|_| host.encode(&request, &mut wire).unwrap());
                    let used = allocation_counter::measure(|| {
                        (0..REPEATS).for_each(|_| assert!(matches!(terminal.decode(&mut wire), Ok(Some(Ok(_))))));
                    });
                    assert_eq!(used.count_total, 0, "{request:?}, {format:?}");
                    assert!(wire.is_empty());
                }
            }
        }
    }
}

#[test]
fn encoding_a_message_of_fixed_size_into_a_warm_buffer_allocates_nothing() {
    for (format, family) in
        [(BlockFormat::Default, Family::Apollo), (BlockFormat::Extended, Family::Apollo), (BlockFormat::Default, Family::P6x)]
    {
        let mut terminal = TerminalCodec::new(family, Discipline::Strict);
        let mut host = HostCodec::new(family, Discipline::Strict);
        terminal.set_format(format);
        host.set_format(format);
        let mut out = BytesMut::with_capacity(64);
        for request in fixed_requests(family) {
            let used = allocation_counter::measure(|| {
                for _ in 0..REPEATS {
                    out.clear();
                    host.encode(&request, &mut out).unwrap();
                }
            });
            assert_eq!(used.count_total, 0, "{request:?}, {format:?}");
        }
        for response in fixed_responses() {
            let used = allocation_counter::measure(|| {
                for _ in 0..REPEATS {
                    out.clear();
                    terminal.encode(&response, &mut out).unwrap();
                }
            });
            assert_eq!(used.count_total, 0, "{response:?}, {format:?}");
        }
    }
}

/// The measure can fail: data objects are kept, so they cost their values and a list of them.
#[test]
fn data_objects_are_allocated_once_each() {
    let dol = Dol::parse(b"\xDF\xF0\x06\x02AB\xDF\xCA\x0B\x02CD");
    let mut wire = BytesMut::new();
    TerminalCodec::new(Family::Apollo, Discipline::Strict).encode(&Response::CardRead(dol), &mut wire).unwrap();
    let mut host = HostCodec::new(Family::Apollo, Discipline::Strict);
    let used = allocation_counter::measure(|| assert!(matches!(host.decode(&mut wire), Ok(Some(Ok(_))))));
    assert_eq!(used.count_total, 3);
}
