//! The rules of answers, as tables: what goes in, and everything that comes out. Setting up, timing and noise.

use std::time::Duration;

use bytes::Bytes;

use crate::id::{SessionReference, TerminalSessionId};
use crate::journal::record::Cause;
use crate::link::exchange::{Action, Exchanges, Lane};
use crate::link::{Loss, Order, Outcome, Ticket, Timeouts};
use crate::money::Amount;
use crate::protocol::request::{Control, ReadCard, Request, StartSession, Ui};
use crate::protocol::response::{
    Reason, Response, Status, TerminalState, TransactionEvent, UpdateOutcome, UpdateResult, Verdict,
};
use crate::protocol::{Dol, RawPayload};
use crate::time::Timestamp;

pub(super) const OK: Response = Response::Result(Verdict::Ok);
pub(super) const NOT_OK: Response = Response::Result(Verdict::NotOk(None));
pub(super) const COMMIT: Request = Request::CommitSession { session: TerminalSessionId(10), amount: Amount::from_minor(100) };
pub(super) const VOID: Request = Request::VoidSession { session: TerminalSessionId(10) };

pub(super) fn start() -> Request {
    let (amount, reference) = (Amount::from_minor(2500), SessionReference(7));
    Request::StartSession(StartSession::new(amount, reference))
}

pub(super) const UPDATE: Request = Request::UpdateSession { session: TerminalSessionId(10), amount: Amount::from_minor(100) };

pub(super) fn update_of(session: u32) -> Response {
    let (session, amount) = (TerminalSessionId(session), Amount::from_minor(100));
    Response::UpdateResult(UpdateResult { outcome: UpdateOutcome::Approved, session, amount, change: 0, reason: 0 })
}

fn raw() -> RawPayload {
    RawPayload::from(vec![0x01, 0x02])
}

pub(super) fn approved() -> Response {
    Response::Approved { session: TerminalSessionId(10), dol: Dol::default() }
}

pub(super) const fn status(state: TerminalState) -> Response {
    Response::Status(Status { state, running: false })
}

/// The machine, with a clock that is moved by hand, and everything written at once unless said otherwise.
pub(super) struct Bench {
    machine: Exchanges,
    now: Timestamp,
    tickets: u64,
    pub(super) slow_wire: bool,
}

impl Bench {
    pub(super) fn opening() -> Self {
        let second = Duration::from_secs;
        let timeouts = Timeouts { command: second(10), commit: second(60), authorise: second(30), card: second(120) };
        Self { machine: Exchanges::new(timeouts), now: Timestamp::from_unix_millis(0), tickets: 0, slow_wire: false }
    }

    /// Ticket 1 is used up.
    pub(super) fn in_step() -> Self {
        let mut bench = Self::opening();
        bench.ask(Request::Synchronize);
        assert_eq!(bench.frame(Response::Synchronize), [answered(1, Response::Synchronize)]);
        bench
    }

    /// With these asked for from ticket 2 on.
    pub(super) fn with(requests: impl IntoIterator<Item = Request>) -> Self {
        let mut bench = Self::in_step();
        for request in requests {
            bench.ask(request);
        }
        bench
    }

    pub(super) fn ask(&mut self, request: Request) -> Vec<Action> {
        self.tickets += 1;
        let actions = self.machine.ask(Order { ticket: Ticket(self.tickets), request }, self.now);
        self.write(actions)
    }

    pub(super) fn frame(&mut self, response: Response) -> Vec<Action> {
        let actions = self.machine.frame(response, self.now);
        self.write(actions)
    }

    pub(super) fn noise(&mut self) -> Vec<Action> {
        let actions = self.machine.resynchronised(self.now);
        self.write(actions)
    }

    pub(super) fn lost(&mut self, loss: Loss) -> Vec<Action> {
        self.machine.lost(loss, self.now)
    }

    pub(super) fn after(&mut self, millis: u64) -> Vec<Action> {
        self.now = self.now.after(Duration::from_millis(millis));
        let actions = self.machine.tick(self.now);
        self.write(actions)
    }

    pub(super) fn deadline(&self) -> Option<i64> {
        self.machine.next_deadline().map(Timestamp::unix_millis)
    }

    fn write(&mut self, actions: Vec<Action>) -> Vec<Action> {
        for action in &actions {
            if let (Action::Write { lane, .. }, false) = (action, self.slow_wire) {
                self.machine.began(*lane, self.now);
            }
        }
        actions
    }
}

pub(super) fn ended(ticket: u64, outcome: Outcome) -> Action {
    Action::Ended { ticket: Ticket(ticket), outcome, took: Duration::ZERO }
}

pub(super) fn answered(ticket: u64, response: Response) -> Action {
    ended(ticket, Outcome::Answered(response))
}

pub(super) fn unanswered(ticket: u64, cause: Cause) -> Action {
    ended(ticket, Outcome::Unanswered(cause))
}

pub(super) fn lose(loss: Loss) -> Action {
    Action::Lose(loss)
}

pub(super) fn fence() -> Action {
    Action::Write { lane: Lane::Fence, request: Request::GetStatus }
}

/// The same, but it took so long.
fn took(action: Action, millis: u64) -> Action {
    match action {
        Action::Ended { ticket, outcome, .. } => Action::Ended { ticket, outcome, took: Duration::from_millis(millis) },
        other => other,
    }
}

#[test]
fn each_command_is_ended_by_its_answer() {
    let ids = crate::protocol::response::Ids { serial_number: "1".into(), model: None, software: Vec::new() };
    let list = crate::protocol::response::SessionList { total: 0, sessions: Vec::new() };
    let table = [
        (Request::Reset, OK),
        (Request::Enable, OK),
        (Request::Disable, NOT_OK),
        (COMMIT, OK),
        (COMMIT, Response::Result(Verdict::NotOk(Some(Reason::SESSION_NOT_FOUND)))),
        (VOID, OK),
        (Request::Synchronize, Response::Synchronize),
        (Request::Synchronize, NOT_OK),
        (Request::GetStatus, status(TerminalState::Enabled)),
        (Request::RequestIds, Response::Ids(ids)),
        (Request::ListSessions { offset: 0 }, Response::SessionList(list)),
        (UPDATE, update_of(10)),
        (UPDATE, NOT_OK),
        (Request::UiRequest(Ui::spinner("Wait")), OK),
        (Request::SelectLanguage(raw()), OK),
        (Request::Control(Control::Reboot), OK),
        (Request::ProprietaryExchange(raw()), Response::ProprietaryResponse(raw())),
        (Request::MiFare(raw()), Response::ProprietaryResponse(raw())),
        (Request::ReadFile(raw()), Response::File(raw())),
        (Request::GetConnectionInfo(raw()), Response::ConnectionInfo(raw())),
        (Request::GetReceipt(raw()), Response::Receipt(raw())),
        (Request::GetTransactionRecord(raw()), Response::TransactionRecord(raw())),
        (Request::CancelSession, Response::Cancelled),
        (Request::CancelSession, NOT_OK),
        (Request::ReadCard(ReadCard::new(SessionReference(7))), Response::CardRead(Dol::default())),
        (start(), Response::ProprietaryCardRead(Dol::default())),
        (start(), Response::CardRead(Dol::default())),
        (start(), NOT_OK),
        (start(), Response::Cancelled),
        (Request::AuthSession, approved()),
        (Request::AuthSession, Response::declined(None)),
        (Request::AuthSession, Response::Cancelled),
        (Request::AuthSession, NOT_OK),
    ];
    for (request, response) in table {
        let mut bench = Bench::with([request.clone()]);
        assert_eq!(bench.frame(response.clone()), [answered(2, response)], "{request:?}");
        assert_eq!(bench.deadline(), None, "{request:?}");
    }
}

#[test]
fn frames_that_answer_nothing_lose_the_link() {
    let table: [(&[Request], Response); 14] = [
        (&[], OK),
        (&[], NOT_OK),
        (&[], Response::Synchronize),
        (&[], status(TerminalState::Enabled)),
        (&[], Response::Cancelled),
        (&[], Response::CardRead(Dol::default())),
        (&[], Response::declined(None)),
        (&[], update_of(10)),
        // Another session's: this one may be changed or not.
        (&[UPDATE], update_of(11)),
        (&[UPDATE], OK),
        (&[Request::GetReceipt(RawPayload::new(Bytes::new()))], Response::File(raw())),
        (&[Request::GetStatus], OK),
        (&[Request::CancelSession], OK),
        (&[Request::AuthSession], OK),
    ];
    for (open, response) in table {
        let mut bench = Bench::with(open.iter().cloned());
        let ends = open.iter().map(|_| unanswered(2, Cause::LinkLost));
        let expected: Vec<_> = ends.chain([lose(Loss::OutOfStep)]).collect();
        assert_eq!(bench.frame(response.clone()), expected, "{response:?} with {open:?} open");
        assert_eq!(bench.frame(OK), [], "nothing more after the loss");
    }
}

#[test]
fn events_are_passed_on_at_any_time() {
    let button = Response::UiEvent { button: "yes".into() };
    assert_eq!(Bench::with([start()]).frame(button.clone()), [Action::Unasked(button)]);
    let event = Response::TransactionEvent(TransactionEvent::ReadingCard);
    for mut bench in [Bench::opening(), Bench::in_step(), Bench::with([start(), COMMIT])] {
        assert_eq!(bench.frame(event.clone()), [Action::Unasked(event.clone())]);
    }
}

#[test]
fn late_answers_do_not_get_past_the_echo_of_synchronize() {
    let mut bench = Bench::opening();
    bench.ask(Request::Reset);
    for late in [Response::Synchronize, status(TerminalState::Enabled), Response::Cancelled] {
        assert_eq!(bench.frame(late), []);
    }
    assert_eq!(bench.frame(OK), [answered(1, OK)]);
    assert_eq!(bench.frame(OK), [], "the second Result is the Reset's own, and harmless now");
    bench.ask(Request::Synchronize);
    assert_eq!(bench.frame(NOT_OK), []);
    assert_eq!(bench.frame(Response::Synchronize), [answered(2, Response::Synchronize)]);
    assert_eq!(bench.frame(OK), [lose(Loss::OutOfStep)]);
}

#[test]
fn no_money_is_asked_for_before_the_echo_of_synchronize() {
    for request in [start(), Request::AuthSession, COMMIT, VOID] {
        let mut bench = Bench::opening();
        assert_eq!(bench.ask(request), [ended(1, Outcome::Unsent)]);
    }
}

#[test]
fn an_occupied_lane_refuses() {
    let mut bench = Bench::with([start(), COMMIT]);
    assert_eq!(bench.ask(Request::AuthSession), [ended(4, Outcome::Unsent)]);
    assert_eq!(bench.ask(Request::GetStatus), [ended(5, Outcome::Unsent)]);
    assert_eq!(bench.frame(OK), [answered(3, OK)]);
}

#[test]
fn each_request_has_its_own_time() {
    let table = [
        (Request::Enable, 10_000),
        (COMMIT, 60_000),
        (VOID, 60_000),
        (Request::AuthSession, 30_000),
        (Request::CancelSession, 10_000),
    ];
    for (request, millis) in table {
        let name = request.name();
        let mut bench = Bench::with([request]);
        assert_eq!(bench.deadline(), Some(millis as i64), "{name}");
        assert_eq!(bench.after(millis - 1), [], "{name}");
        let end = took(unanswered(2, Cause::Timeout), millis);
        assert_eq!(bench.after(1), [end, lose(Loss::Timeout(name))], "{name}");
    }
}

#[test]
fn the_time_runs_from_the_first_byte() {
    let mut bench = Bench::in_step();
    bench.slow_wire = true;
    bench.ask(COMMIT);
    assert_eq!(bench.deadline(), None);
    bench.after(5_000);
    bench.machine.began(Lane::Command, bench.now);
    assert_eq!(bench.deadline(), Some(65_000));
    bench.after(1_000);
    assert_eq!(bench.frame(OK), [took(answered(2, OK), 1_000)]);
}

#[test]
fn one_that_is_late_takes_the_others_along() {
    let mut bench = Bench::with([Request::AuthSession, Request::Enable]);
    assert_eq!(
        bench.after(10_000),
        [
            took(unanswered(3, Cause::Timeout), 10_000),
            took(unanswered(2, Cause::LinkLost), 10_000),
            lose(Loss::Timeout("enable"))
        ]
    );
    assert_eq!(bench.deadline(), None);
    assert_eq!(bench.ask(Request::Enable), [ended(4, Outcome::Unsent)]);
}

#[test]
fn a_lost_link_ends_each_exchange_once() {
    let mut bench = Bench::with([start()]);
    bench.slow_wire = true;
    bench.ask(COMMIT);
    assert_eq!(
        bench.lost(Loss::Closed),
        [unanswered(2, Cause::LinkLost), ended(3, Outcome::Unsent), lose(Loss::Closed)],
        "not one byte of the Commit was written"
    );
    assert_eq!(bench.lost(Loss::Dropped), []);
}

#[test]
fn start_session_past_its_time_is_asked_about() {
    let late = 130_000;
    let table = [
        (status(TerminalState::Enabled), vec![took(ended(2, Outcome::FlowEnded), late)]),
        (
            status(TerminalState::WaitCard),
            vec![took(unanswered(2, Cause::Timeout), late), lose(Loss::Timeout("start_session"))],
        ),
        (Response::CardRead(Dol::default()), vec![took(answered(2, Response::CardRead(Dol::default())), late)]),
    ];
    for (response, expected) in table {
        let mut bench = Bench::with([start()]);
        assert_eq!(bench.after(late), [fence()]);
        assert_eq!(bench.frame(response.clone()), expected, "{response:?}");
    }

    // No answer to that either.
    let mut bench = Bench::with([start()]);
    bench.after(late);
    let end = took(unanswered(2, Cause::LinkLost), late + 10_000);
    assert_eq!(bench.after(10_000), [end, lose(Loss::Timeout("get_status"))]);
}

#[test]
fn the_question_waits_for_the_command_lane_and_orders_wait_for_the_question() {
    let mut bench = Bench::with([start()]);
    bench.after(100_000);
    bench.ask(COMMIT);
    assert_eq!(bench.after(30_000), []);
    assert_eq!(bench.frame(OK), [took(answered(3, OK), 30_000), fence()]);
    assert_eq!(bench.ask(VOID), []);
    assert_eq!(
        bench.frame(status(TerminalState::Enabled)),
        [took(ended(2, Outcome::FlowEnded), 130_000), fence()],
        "the status that has ended the flow says nothing of what trails"
    );
    assert_eq!(bench.frame(status(TerminalState::Enabled)), [Action::Write { lane: Lane::Command, request: VOID }]);
}

#[test]
fn a_status_tells_of_a_card_flow_that_has_ended_silently() {
    let ends = [TerminalState::Offline, TerminalState::Online, TerminalState::Disabled, TerminalState::Enabled];
    for state in ends {
        let mut bench = Bench::with([start(), Request::GetStatus]);
        let expected = [answered(3, status(state)), ended(2, Outcome::FlowEnded)];
        assert_eq!(bench.frame(status(state)), expected);
    }
    for state in [TerminalState::WaitCard, TerminalState::WaitAuth] {
        let mut bench = Bench::with([start(), Request::GetStatus]);
        assert_eq!(bench.frame(status(state)), [answered(3, status(state))]);
    }
    // Asked before Start Session, it says nothing about it.
    let mut bench = Bench::with([Request::GetStatus, start()]);
    let enabled = status(TerminalState::Enabled);
    assert_eq!(bench.frame(enabled.clone()), [answered(2, enabled)]);
}

#[test]
fn after_noise_harmless_exchanges_go_on() {
    let mut bench = Bench::with([start(), Request::Enable]);
    assert_eq!(bench.noise(), []);
    assert_eq!(bench.frame(OK), [answered(3, OK)]);
    let read = Response::CardRead(Dol::default());
    assert_eq!(bench.frame(read.clone()), [answered(2, read)]);
}

/// A card flow that waits behind a fence has not left: a Cancel takes it away, and goes to the terminal all the same.
#[test]
fn what_has_not_left_is_cancelled_here() {
    let mut bench = Bench::with([Request::AuthSession]);
    bench.frame(approved());
    assert_eq!(bench.ask(start()), [fence()]);
    assert_eq!(bench.ask(Request::CancelSession), [ended(3, Outcome::Unsent)]);
    let cancel = Action::Write { lane: Lane::Command, request: Request::CancelSession };
    assert_eq!(bench.frame(status(TerminalState::Enabled)), [cancel]);
    assert_eq!(bench.frame(NOT_OK), [answered(4, NOT_OK)]);
}
