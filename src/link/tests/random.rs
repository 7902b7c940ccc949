//! Random orders, answers, times, noise and losses against a terminal that keeps the truth: what it answered to which request.
//! The machine under test is never asked what it believes; it is judged by its actions only.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::exchange::{COMMIT, OK, VOID, approved, start, status};

use crate::id::TerminalSessionId;
use crate::link::exchange::{Action, Exchanges, Lane};
use crate::link::{Loss, Order, Outcome, Ticket, Timeouts};
use crate::protocol::Dol;
use crate::protocol::request::{Options, Protocol, Request, Setup, TimeoutAction};
use crate::protocol::response::{Ids, Reason, Response, SessionList, TerminalState, TransactionEvent, Verdict};
use crate::time::Timestamp;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody orders one of [`orders`].
    Ask(usize),
    /// The first byte of what is to be written leaves, and the terminal has it.
    Begin,
    /// The terminal answers the oldest command that it has.
    Work(u8),
    /// The card flow goes on at the terminal.
    Card(u8),
    /// The oldest frame arrives.
    Deliver,
    /// So many seconds pass.
    Wait(u16),
    /// Time passes until the machine wants to be told.
    Deadline,
    /// Garbage; so many frames are lost with it.
    Noise(usize),
    /// The terminal starts anew.
    Restart,
    /// The last frame arrives once more. From here on the terminal is a liar.
    Duplicate,
    /// A frame arrives that nobody has sent. As above.
    Invent(usize),
    /// The wire is gone.
    Lose,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..orders().len()).prop_map(Step::Ask),
        10 => Just(Step::Begin),
        8 => any::<u8>().prop_map(Step::Work),
        5 => any::<u8>().prop_map(Step::Card),
        10 => Just(Step::Deliver),
        2 => (0u16..200).prop_map(Step::Wait),
        1 => Just(Step::Deadline),
        1 => (0usize..3).prop_map(Step::Noise),
        1 => Just(Step::Restart),
    ]
}

fn any_lie() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_step(),
        1 => Just(Step::Duplicate),
        1 => (0..inventions().len()).prop_map(Step::Invent),
        1 => Just(Step::Lose),
    ]
}

/// Everything that can be asked for; what moves money more often than the rest.
fn orders() -> Vec<Request> {
    let setup = Setup { timeout_seconds: 60, action: TimeoutAction::Void };
    vec![
        start(),
        start(),
        Request::AuthSession,
        Request::AuthSession,
        COMMIT,
        COMMIT,
        VOID,
        Request::ListSessions { offset: 0 },
        Request::CancelSession,
        Request::CancelSession,
        Request::GetStatus,
        Request::Enable,
        Request::Disable,
        Request::Reset,
        Request::Synchronize,
        Request::Protocol(Protocol { version: 3, options: Options(0) }),
        Request::Setup(setup),
        Request::RequestIds,
    ]
}

fn inventions() -> Vec<Response> {
    vec![
        OK,
        Response::Result(Verdict::NotOk(None)),
        Response::Cancelled,
        Response::CardRead(Dol::default()),
        approved(),
        Response::declined(None),
        status(TerminalState::Enabled),
        status(TerminalState::WaitCard),
        Response::Synchronize,
        Response::SessionList(SessionList { total: 0, sessions: Vec::new() }),
    ]
}

/// What may answer what, by the specification (PSP, sections 5 to 8).
fn fits(request: &Request, response: &Response) -> bool {
    let refused = matches!(response, Response::Result(Verdict::NotOk(_)));
    refused
        || match request {
            Request::Reset
            | Request::Setup(_)
            | Request::Enable
            | Request::Disable
            | Request::CommitSession { .. }
            | Request::VoidSession { .. }
            | Request::RemoveSessions(_)
            | Request::UiRequest(_)
            | Request::SelectLanguage(_)
            | Request::Control(_) => *response == OK,
            Request::Synchronize => *response == Response::Synchronize,
            Request::Protocol(_) => matches!(response, Response::Protocol(_)),
            Request::GetStatus => matches!(response, Response::Status(_)),
            Request::RequestIds => matches!(response, Response::Ids(_)),
            Request::ListSessions { .. } => matches!(response, Response::SessionList(_)),
            Request::CancelSession => *response == Response::Cancelled,
            Request::StartSession(_) | Request::ReadCard(_) => {
                matches!(response, Response::CardRead(_) | Response::ProprietaryCardRead(_) | Response::Cancelled)
            }
            Request::UpdateSession { .. } => matches!(response, Response::UpdateResult(_)),
            Request::ProprietaryExchange(_) | Request::MiFare(_) => matches!(response, Response::ProprietaryResponse(_)),
            Request::ReadFile(_) => matches!(response, Response::File(_)),
            Request::GetConnectionInfo(_) => matches!(response, Response::ConnectionInfo(_)),
            Request::GetReceipt(_) => matches!(response, Response::Receipt(_)),
            Request::GetTransactionRecord(_) => matches!(response, Response::TransactionRecord(_)),
            Request::AuthSession => matches!(
                response,
                Response::Approved { .. }
                    | Response::PartiallyApproved { .. }
                    | Response::Declined { .. }
                    | Response::Cancelled
            ),
        }
}

fn is_flow(request: &Request) -> bool {
    matches!(request, Request::StartSession(_) | Request::AuthSession)
}

/// What may not be written before a set-up, nor after garbage.
fn is_money(request: &Request) -> bool {
    is_flow(request) || matches!(request, Request::CommitSession { .. } | Request::VoidSession { .. })
}

/// What a wrong answer would cost money.
fn settles(request: &Request) -> bool {
    matches!(request, Request::ListSessions { .. }) || (is_money(request) && !matches!(request, Request::StartSession(_)))
}

/// The terminal: answers in order (assumption 13) and remembers what it answered to whom. The machine's own requests have no ticket.
struct Terminal {
    state: TerminalState,
    flow: Option<u64>,
    inbox: VecDeque<(Option<u64>, Request)>,
    air: VecDeque<Response>,
    truth: BTreeMap<u64, Response>,
}

impl Terminal {
    fn say(&mut self, to: Option<u64>, answer: Response) {
        if let Some(ticket) = to {
            self.truth.insert(ticket, answer.clone());
        }
        self.air.push_back(answer);
    }

    /// No two refusals are alike, so that one in the wrong place is seen.
    fn refuse(&mut self, to: Option<u64>) {
        self.say(to, Response::Result(Verdict::NotOk(to.map(|ticket| Reason(ticket as u8)))));
    }

    fn work(&mut self, choice: u8) {
        let Some((to, request)) = self.inbox.pop_front() else { return };
        let willing = !choice.is_multiple_of(4);
        let becomes = |terminal: &mut Self, state| (terminal.state, terminal.flow) = (state, None);
        match request {
            Request::Reset => {
                becomes(self, TerminalState::Offline);
                self.say(to, OK);
            }
            Request::Synchronize => {
                becomes(self, TerminalState::Online);
                self.say(to, Response::Synchronize);
            }
            Request::GetStatus => self.say(to, status(self.state)),
            Request::CancelSession if matches!(self.state, TerminalState::WaitCard | TerminalState::WaitAuth) => {
                if let Some(flow) = self.flow {
                    self.truth.insert(flow, Response::Cancelled);
                }
                becomes(self, TerminalState::Enabled);
                self.say(to, Response::Cancelled);
            }
            Request::StartSession(_) if self.state == TerminalState::Enabled && willing => {
                (self.state, self.flow) = (TerminalState::WaitCard, to);
            }
            Request::AuthSession if self.state == TerminalState::WaitAuth && self.flow.is_none() && willing => self.flow = to,
            Request::CancelSession | Request::StartSession(_) | Request::AuthSession => self.refuse(to),
            _ if !willing => self.refuse(to),
            Request::Enable => {
                if self.flow.is_none() {
                    self.state = TerminalState::Enabled;
                }
                self.say(to, OK);
            }
            Request::Protocol(protocol) => self.say(to, Response::Protocol(protocol)),
            Request::RequestIds => {
                self.say(to, Response::Ids(Ids { serial_number: "1".into(), model: None, software: Vec::new() }));
            }
            Request::ListSessions { .. } => {
                let sessions = to.map(|ticket| TerminalSessionId(ticket as u32)).into_iter().collect();
                self.say(to, Response::SessionList(SessionList { total: 1, sessions }));
            }
            Request::Setup(_) | Request::Disable | Request::CommitSession { .. } | Request::VoidSession { .. } => {
                self.say(to, OK);
            }
            // Nothing else is asked here.
            _ => self.refuse(to),
        }
    }

    /// Something happens to the card flow; without a card flow, a Transaction Event says that nothing does.
    fn card(&mut self, choice: u8) {
        let flow = self.flow;
        if !matches!(self.state, TerminalState::WaitCard | TerminalState::WaitAuth) {
            return self.air.push_back(Response::TransactionEvent(TransactionEvent::Started));
        }
        let reads = self.state == TerminalState::WaitCard;
        (self.state, self.flow) = (TerminalState::Enabled, None);
        match (choice % 5, reads) {
            (0 | 1, true) => {
                self.state = TerminalState::WaitAuth;
                self.say(flow, Response::CardRead(Dol::default()));
            }
            // Assumption 7: a card that nobody authorises is dropped without a word.
            _ if flow.is_none() => {}
            (0 | 1, false) => {
                let session = TerminalSessionId(flow.unwrap_or_default() as u32);
                self.say(flow, Response::Approved { session, dol: Dol::default() });
            }
            (2, false) => self.say(flow, Response::declined(flow.map(|ticket| ticket as u8))),
            (2, true) => {}
            (3, _) => self.say(flow, Response::Cancelled),
            _ => self.refuse(flow),
        }
    }
}

/// An order that has not ended.
#[derive(Debug)]
struct Open {
    request: Request,
    written: bool,
    began: Option<Timestamp>,
    /// Garbage has come since.
    spoilt: bool,
}

struct World {
    machine: Exchanges,
    terminal: Terminal,
    now: Timestamp,
    tickets: u64,
    open: BTreeMap<u64, Open>,
    /// Told to be written, but no byte has left.
    pending: VecDeque<(Lane, Option<u64>, Request)>,
    last: Option<Response>,
    fence_out: bool,
    in_step: bool,
    lost: bool,
    honest: bool,
}

impl World {
    /// Answers to a former link's requests are still on their way.
    fn with(stale: &[usize]) -> Self {
        let second = Duration::from_secs;
        let timeouts = Timeouts { command: second(10), commit: second(60), authorise: second(30), card: second(120) };
        // Reset is asked for first, so a stale echo of Synchronize, which comes before the answer to that, is no matter.
        let air = stale.iter().map(|index| inventions()[*index].clone()).collect();
        let (state, truth) = (TerminalState::Enabled, BTreeMap::new());
        let mut world = Self {
            machine: Exchanges::new(timeouts),
            terminal: Terminal { state, flow: None, inbox: VecDeque::new(), air, truth },
            now: Timestamp::from_unix_millis(0),
            tickets: 0,
            open: BTreeMap::new(),
            pending: VecDeque::new(),
            last: None,
            fence_out: false,
            in_step: false,
            lost: false,
            honest: true,
        };
        for (request, answers) in [(Request::Reset, stale.len() + 1), (Request::Synchronize, 2), (Request::Enable, 1)] {
            world.ask(request);
            world.begin();
            world.terminal.work(1);
            (0..answers).for_each(|_| world.deliver());
        }
        world
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ask(which) => self.ask(orders()[which].clone()),
            Step::Begin => self.begin(),
            Step::Work(choice) => self.terminal.work(choice),
            Step::Card(choice) => self.terminal.card(choice),
            Step::Deliver => self.deliver(),
            Step::Wait(seconds) => self.pass(Duration::from_secs(seconds.into())),
            Step::Deadline => {
                let Some(deadline) = self.machine.next_deadline() else { return };
                self.pass(deadline.since(self.now));
            }
            Step::Noise(frames) => {
                let lost = frames.min(self.terminal.air.len());
                self.terminal.air.drain(..lost);
                self.in_step = false;
                self.open.values_mut().for_each(|open| open.spoilt |= open.began.is_some());
                let actions = self.machine.resynchronised(self.now);
                self.judge(actions, None);
            }
            Step::Restart => {
                (self.terminal.state, self.terminal.flow) = (TerminalState::Offline, None);
                self.terminal.inbox.clear();
            }
            Step::Duplicate => {
                let Some(frame) = self.last.clone() else { return };
                self.honest = false;
                self.frame(frame);
            }
            Step::Invent(which) => {
                self.honest = false;
                self.frame(inventions()[which].clone());
            }
            Step::Lose => {
                let actions = self.machine.lost(Loss::Closed, self.now);
                self.judge(actions, None);
                assert!(self.lost);
            }
        }
    }

    fn ask(&mut self, request: Request) {
        self.tickets += 1;
        let (ticket, lane) = (self.tickets, is_flow(&request));
        let occupied = self.open.values().any(|open| is_flow(&open.request) == lane);
        self.open.insert(ticket, Open { request: request.clone(), written: false, began: None, spoilt: false });
        let actions = self.machine.ask(Order { ticket: Ticket(ticket), request }, self.now);
        self.judge(actions, None);
        assert!(!(occupied && self.open.contains_key(&ticket)), "two exchanges on one lane: {:?}", self.open);
    }

    fn begin(&mut self) {
        let Some((lane, ticket, request)) = self.pending.pop_front() else { return };
        if let Some(open) = ticket.and_then(|ticket| self.open.get_mut(&ticket)) {
            open.began = Some(self.now);
        }
        self.machine.began(lane, self.now);
        self.terminal.inbox.push_back((ticket, request));
        self.settle();
    }

    fn deliver(&mut self) {
        let Some(frame) = self.terminal.air.pop_front() else { return };
        self.last = Some(frame.clone());
        self.frame(frame);
    }

    fn frame(&mut self, frame: Response) {
        let echoed = self.open.values().any(|open| open.request == Request::Synchronize && open.began.is_some());
        self.in_step |= echoed && frame == Response::Synchronize;
        self.fence_out &= !matches!(frame, Response::Status(_));
        let actions = self.machine.frame(frame.clone(), self.now);
        self.judge(actions, Some(frame));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        let actions = self.machine.tick(self.now);
        self.judge(actions, None);
    }

    /// Everything that may be said of the actions, whatever the machine's reasons were.
    fn judge(&mut self, actions: Vec<Action>, came: Option<Response>) {
        let rivals: Vec<(u64, Request)> = self
            .open
            .iter()
            .filter(|(_, open)| open.began.is_some())
            .map(|(ticket, open)| (*ticket, open.request.clone()))
            .collect();
        for action in actions {
            let after_loss = matches!(action, Action::Ended { outcome: Outcome::Unsent, .. });
            assert!(!self.lost || after_loss, "after the loss: {action:?}");
            match action {
                Action::Write { lane, request } => self.judge_write(lane, request),
                Action::Ended { ticket, outcome, took } => {
                    let open = self.open.remove(&ticket.0).unwrap_or_else(|| panic!("{ticket:?} ends twice: {outcome:?}"));
                    assert_eq!(took, open.began.map_or(Duration::ZERO, |began| self.now.since(began)));
                    self.judge_end(ticket.0, &open, &outcome, &rivals, came.as_ref());
                }
                Action::Unasked(response) => {
                    assert_eq!(Some(&response), came.as_ref());
                    assert!(!matches!(response, Response::Result(_)));
                }
                Action::Lose(_) => {
                    assert!(self.open.is_empty(), "the link is lost, but these have not ended: {:?}", self.open);
                    self.pending.clear();
                    self.lost = true;
                }
            }
        }
        self.settle();
    }

    fn judge_write(&mut self, lane: Lane, request: Request) {
        assert!(!self.fence_out, "{request:?} is written while a fence is out");
        let ticket = match lane {
            Lane::Fence => {
                assert_eq!(request, Request::GetStatus);
                self.fence_out = true;
                None
            }
            Lane::Flow | Lane::Command => {
                let mine = |open: &Open| !open.written && open.request == request;
                let (ticket, open) = self.open.iter_mut().find(|(_, open)| mine(open)).expect("nobody asked for this");
                assert_eq!(lane == Lane::Flow, is_flow(&request));
                open.written = true;
                Some(*ticket)
            }
        };
        assert!(self.in_step || !is_money(&request), "{request:?} is written, but the link is not in step");
        self.pending.push_back((lane, ticket, request));
    }

    fn judge_end(&self, ticket: u64, open: &Open, outcome: &Outcome, rivals: &[(u64, Request)], came: Option<&Response>) {
        let request = &open.request;
        let answer = match outcome {
            Outcome::Unsent => return assert_eq!(open.began, None, "{request:?} was sent"),
            Outcome::Unanswered(_) => return assert!(open.began.is_some(), "{request:?} was not sent"),
            Outcome::FlowEnded => return assert!(matches!(request, Request::StartSession(_)) && open.began.is_some()),
            Outcome::Answered(answer) => answer,
        };
        assert!(open.began.is_some(), "answered before it was sent: {request:?}");
        assert!(fits(request, answer), "{answer:?} is no answer to {request:?}");
        if !settles(request) {
            return;
        }
        assert!(!open.spoilt, "{request:?} is settled by {answer:?}, which came after garbage");
        // When the card flow and our Cancel are both refused or both over, it is all the same which answer is whose.
        let cancelling = rivals.iter().any(|(_, rival)| *rival == Request::CancelSession);
        let no_hold = matches!(answer, Response::Cancelled | Response::Result(Verdict::NotOk(_)));
        if is_flow(request) && cancelling && no_hold {
            return;
        }
        if self.honest {
            assert_eq!(self.terminal.truth.get(&ticket), Some(answer), "{request:?} got an answer that was not its own");
        } else if came == Some(answer) {
            let rival = rivals.iter().find(|(other, rival)| *other != ticket && fits(rival, answer));
            assert_eq!(rival, None, "{request:?} is settled by {answer:?}, which may have been for another one");
        }
    }

    /// What holds at rest.
    fn settle(&self) {
        let lanes = self.open.values().filter(|open| is_flow(&open.request)).count();
        assert!(lanes <= 1 && self.open.len() - lanes <= 1, "more than one exchange on a lane: {:?}", self.open);
        let deadline = self.machine.next_deadline();
        assert!(deadline.is_none_or(|deadline| deadline > self.now && !self.lost), "{deadline:?} has passed");
    }

    /// The terminal falls silent: with time alone everything comes to an end.
    fn wait_for_the_end(&mut self) {
        for _ in 0..10 {
            (0..4).for_each(|_| self.begin());
            self.step(&Step::Deadline);
        }
        assert!(self.open.is_empty(), "these never end: {:?}", self.open);
    }
}

/// Answers to a former link, without the echo of Synchronize, which ends them.
fn any_stale() -> impl Strategy<Value = Vec<usize>> {
    vec((0..inventions().len()).prop_filter("ends them", |index| inventions()[*index] != Response::Synchronize), 0..3)
}

fn play(stale: &[usize], steps: &[Step]) {
    let mut world = World::with(stale);
    for step in steps {
        world.step(step);
    }
    world.wait_for_the_end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    /// A terminal that answers in order, and a wire that loses: an answer about money is always the one that the terminal gave.
    #[test]
    fn money_gets_its_own_answer(stale in any_stale(), steps in vec(any_step(), 1..100)) {
        play(&stale, &steps);
    }

    /// The same when frames come twice or out of nowhere: what fits two requests settles neither, and everything else holds.
    #[test]
    fn a_lie_breaks_no_rule(stale in any_stale(), steps in vec(any_lie(), 1..100)) {
        play(&stale, &steps);
    }
}
