//! Messages that set a terminal up, ask it how it is, or show something on it.

use quittance::link::{Event, Loss};
use quittance::protocol::request::{Button, Control, Options, Protocol, Ui};
use quittance::protocol::response::{Ids, Reason, Status, TerminalState, Verdict};
use quittance::protocol::{Family, RawPayload, Request, Response};
use quittance::sim::{Paper, Screen};

use super::{Bench, OK, SETUP};

const APOLLO: Family = Family::Apollo;
const P6X: Family = Family::P6x;
const PLAIN: Options = Options(0);

async fn reset(family: Family) {
    let mut bench = Bench::enabled(family, PLAIN).await;
    assert_eq!(bench.ask(Request::Reset).await, OK);
    assert_eq!(bench.state(), TerminalState::Offline);
    bench.was_told(&Request::Reset);
}

#[actix::test]
async fn reset_on_apollo() {
    reset(APOLLO).await;
}

#[actix::test]
async fn reset_on_p6x() {
    reset(P6X).await;
}

async fn synchronize(family: Family) {
    let mut bench = Bench::new(family).await;
    assert_eq!(bench.ask(Request::Synchronize).await, Response::Synchronize);
    assert_eq!(bench.state(), TerminalState::Online);
    bench.was_told(&Request::Synchronize);
}

#[actix::test]
async fn synchronize_on_apollo() {
    synchronize(APOLLO).await;
}

#[actix::test]
async fn synchronize_on_p6x() {
    synchronize(P6X).await;
}

/// Every option of the family is accepted; what only the other one has is left out of the echo (assumption 12).
async fn protocol(family: Family, accepted: u32) {
    let mut bench = Bench::new(family).await;
    bench.ask(Request::Synchronize).await;
    let ask = |options| Request::Protocol(Protocol { version: 3, options: Options(options) });
    let echo = bench.ask(ask(accepted)).await;
    assert_eq!(echo, Response::Protocol(Protocol { version: 3, options: Options(accepted) }));
    bench.was_told(&ask(accepted));
    // Whatever was switched over: the next exchange is understood on both sides.
    assert_eq!(bench.ask(Request::Setup(SETUP)).await, OK);
}

#[actix::test]
async fn protocol_on_apollo() {
    protocol(APOLLO, 0x1F).await;
}

#[actix::test]
async fn protocol_on_p6x() {
    protocol(P6X, 0x03).await;
}

async fn setup(family: Family) {
    let mut bench = Bench::new(family).await;
    bench.ask(Request::Synchronize).await;
    assert_eq!(bench.ask(Request::Setup(SETUP)).await, OK);
    assert_eq!(bench.state(), TerminalState::Disabled);
    bench.was_told(&Request::Setup(SETUP));
}

#[actix::test]
async fn setup_on_apollo() {
    setup(APOLLO).await;
}

#[actix::test]
async fn setup_on_p6x() {
    setup(P6X).await;
}

async fn enable_and_disable(family: Family) {
    let mut bench = Bench::enabled(family, PLAIN).await;
    for (request, state) in [
        (Request::Disable, TerminalState::Disabled),
        (Request::Enable, TerminalState::Enabled),
        (Request::Enable, TerminalState::Enabled),
    ] {
        assert_eq!(bench.ask(request.clone()).await, OK);
        assert_eq!(bench.state(), state);
        bench.was_told(&request);
    }
}

#[actix::test]
async fn enable_on_apollo() {
    enable_and_disable(APOLLO).await;
}

#[actix::test]
async fn enable_on_p6x() {
    enable_and_disable(P6X).await;
}

#[actix::test]
async fn disable_on_apollo() {
    enable_and_disable(APOLLO).await;
}

#[actix::test]
async fn disable_on_p6x() {
    enable_and_disable(P6X).await;
}

async fn get_status(family: Family) {
    let mut bench = Bench::enabled(family, PLAIN).await;
    let status = |state, running| Response::Status(Status { state, running });
    assert_eq!(bench.ask(Request::GetStatus).await, status(TerminalState::Enabled, false));
    bench.was_told(&Request::GetStatus);
    bench.send(super::start(100));
    bench.wait_for(TerminalState::WaitCard).await;
    assert_eq!(bench.ask(Request::GetStatus).await, status(TerminalState::WaitCard, true));
}

#[actix::test]
async fn get_status_on_apollo() {
    get_status(APOLLO).await;
}

#[actix::test]
async fn get_status_on_p6x() {
    get_status(P6X).await;
}

/// As other pages have it: with the code of Result (conflict C1). Results of two bytes are told from it all the same.
#[actix::test]
async fn status_on_apollo() {
    let mut bench = Bench::new(APOLLO).await;
    bench.terminal.set_quirks(|quirks| quirks.status_as_result = true);
    bench.set_up(Options::DETAILED_CODES).await;
    let status = Status { state: TerminalState::Enabled, running: false };
    assert_eq!(bench.ask(Request::GetStatus).await, Response::Status(status));
    assert_eq!(bench.ask(Request::Enable).await, OK);
}

#[actix::test]
async fn status_on_p6x() {
    get_status(P6X).await;
}

async fn request_ids(family: Family, wanted: Ids) {
    let mut bench = Bench::enabled(family, PLAIN).await;
    assert_eq!(bench.ask(Request::RequestIds).await, Response::Ids(wanted));
    bench.was_told(&Request::RequestIds);
}

fn apollo_ids() -> Ids {
    let software = ["platform", "2.4.1", "2025-11", "psp", "3.1.0"].map(str::to_owned).to_vec();
    Ids { serial_number: "APO-bay-01".into(), model: Some("Apollo".into()), software }
}

fn p6x_ids() -> Ids {
    Ids { serial_number: "P6X-bay-01".into(), model: None, software: vec!["P6X-PSP-4.7.0".into()] }
}

#[actix::test]
async fn request_ids_on_apollo() {
    request_ids(APOLLO, apollo_ids()).await;
}

#[actix::test]
async fn request_ids_on_p6x() {
    request_ids(P6X, p6x_ids()).await;
}

#[actix::test]
async fn ids_on_apollo() {
    request_ids(APOLLO, apollo_ids()).await;
}

#[actix::test]
async fn ids_on_p6x() {
    request_ids(P6X, p6x_ids()).await;
}

/// A Result, refused and accepted; with option 0x08 it has a reason.
#[actix::test]
async fn result_on_apollo() {
    for (options, reason) in [(PLAIN, None), (Options::DETAILED_CODES, Some(Reason(0x05)))] {
        let mut bench = Bench::enabled(APOLLO, options).await;
        assert_eq!(bench.ask(Request::CancelSession).await, Response::Result(Verdict::NotOk(reason)));
        assert_eq!(bench.ask(Request::Enable).await, OK);
    }
}

#[actix::test]
async fn result_on_p6x() {
    let mut bench = Bench::enabled(P6X, PLAIN).await;
    assert_eq!(bench.ask(Request::CancelSession).await, Response::Result(Verdict::NotOk(None)));
    assert_eq!(bench.ask(Request::Enable).await, OK);
}

/// Its payload is unknown, so it must arrive as it was given; always allowed.
#[actix::test]
async fn select_language_on_apollo() {
    let mut bench = Bench::new(APOLLO).await;
    bench.ask(Request::Synchronize).await;
    let request = Request::SelectLanguage(RawPayload::from(&b"nl"[..]));
    assert_eq!(bench.ask(request.clone()).await, OK);
    assert_eq!(bench.terminal.language().as_deref(), Some(&b"nl"[..]));
    bench.was_told(&request);
}

/// Either side of conflict C2: a terminal with the codes exchanged takes it as Read Card and refuses it, and nothing is lost.
#[actix::test]
async fn select_language_on_an_apollo_with_other_codes() {
    let mut bench = Bench::new(APOLLO).await;
    bench.terminal.set_quirks(|quirks| quirks.swapped_read_card = true);
    bench.ask(Request::Synchronize).await;
    let request = Request::SelectLanguage(RawPayload::from(&b"nl"[..]));
    assert_eq!(bench.ask(request).await, Response::Result(Verdict::NotOk(None)));
    assert_eq!((bench.terminal.language(), bench.state()), (None, TerminalState::Online));
}

/// Result, then the reboot: the link ends, and the terminal begins anew.
#[actix::test]
async fn control_on_apollo() {
    let mut bench = Bench::enabled(APOLLO, PLAIN).await;
    assert_eq!(bench.ask(Request::Control(Control::Reboot)).await, OK);
    assert_eq!(bench.event().await, Event::Lost(Loss::Closed));
    assert_eq!(bench.state(), TerminalState::Offline);
    bench.was_told(&Request::Control(Control::Reboot));
}

async fn paper(family: Family, request: Request, paper: Paper, answer: fn(RawPayload) -> Response) {
    let mut bench = Bench::enabled(family, PLAIN).await;
    bench.terminal.set_paper(paper, Some(&[0x00, 0xFF, b'x']));
    assert_eq!(bench.ask(request.clone()).await, answer(vec![0x00, 0xFF, b'x'].into()));
    bench.was_told(&request);
    bench.terminal.set_paper(paper, None);
    assert_eq!(bench.ask(request).await, Response::Result(Verdict::NotOk(None)));
}

fn asked() -> RawPayload {
    RawPayload::from(&[0x01, 0x02][..])
}

#[actix::test]
async fn get_connection_info_on_apollo() {
    paper(APOLLO, Request::GetConnectionInfo(asked()), Paper::ConnectionInfo, Response::ConnectionInfo).await;
}

#[actix::test]
async fn connection_info_on_apollo() {
    paper(APOLLO, Request::GetConnectionInfo(RawPayload::default()), Paper::ConnectionInfo, Response::ConnectionInfo).await;
}

#[actix::test]
async fn get_receipt_on_apollo() {
    paper(APOLLO, Request::GetReceipt(asked()), Paper::Receipt, Response::Receipt).await;
}

#[actix::test]
async fn receipt_on_apollo() {
    paper(APOLLO, Request::GetReceipt(RawPayload::default()), Paper::Receipt, Response::Receipt).await;
}

#[actix::test]
async fn get_transaction_record_on_apollo() {
    let (request, answer) = (Request::GetTransactionRecord(asked()), Response::TransactionRecord);
    paper(APOLLO, request, Paper::TransactionRecord, answer).await;
}

#[actix::test]
async fn transaction_record_on_apollo() {
    let (request, answer) = (Request::GetTransactionRecord(RawPayload::default()), Response::TransactionRecord);
    paper(APOLLO, request, Paper::TransactionRecord, answer).await;
}

#[actix::test]
async fn read_file_on_p6x() {
    paper(P6X, Request::ReadFile(asked()), Paper::File, Response::File).await;
}

#[actix::test]
async fn file_on_p6x() {
    paper(P6X, Request::ReadFile(RawPayload::default()), Paper::File, Response::File).await;
}

#[actix::test]
async fn ui_request_on_apollo() {
    let mut bench = Bench::enabled(APOLLO, PLAIN).await;
    let screen = Ui::notification("Thank you").message("Total 12.40 €");
    assert_eq!(bench.ask(Request::UiRequest(screen.clone())).await, OK);
    assert_eq!(bench.terminal.snapshot().screen, Some(Screen::Ui(screen.clone())));
    bench.was_told(&Request::UiRequest(screen.clone()));
    // A terminal that wants the other layout refuses this one, and shows nothing of it.
    bench.terminal.set_quirks(|quirks| quirks.ui_type_first = true);
    let other = bench.ask(Request::UiRequest(Ui::spinner("Wait"))).await;
    assert_eq!(other, Response::Result(Verdict::NotOk(None)));
    assert_eq!(bench.terminal.snapshot().screen, Some(Screen::Ui(screen)));
}

#[actix::test]
async fn ui_event_on_apollo() {
    let mut bench = Bench::enabled(APOLLO, PLAIN).await;
    let yes = Button { name: "yes".into(), label: "Yes".into(), transparent: None };
    assert_eq!(bench.ask(Request::UiRequest(Ui::dialog("More?", &[yes]))).await, OK);
    assert!(!bench.terminal.press("no"));
    assert!(bench.terminal.press("yes"));
    assert_eq!(bench.unasked().await, Response::UiEvent { button: "yes".into() });
}
