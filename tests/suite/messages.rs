//! Every message of PSP on its real wire: an Apollo over TCP, a P6X over a pseudo terminal, through the program's own link. What a
//! terminal is told is read from the simulated terminal, and what it says from the link, so that neither end checks itself.
//!
//! One test for each message and family that knows it, called `MESSAGE_on_FAMILY`.

mod card;
mod holds;
mod setup;

use actix::{Actor, Context, Handler};
use quittance::id::{SessionReference, TerminalId};
use quittance::link::{self, Address, Event, Generation, Order, Orders, Outcome, Ticket, Timeouts, Told};
use quittance::money::Amount;
use quittance::protocol::request::{Options, Protocol, Setup, StartSession, TimeoutAction};
use quittance::protocol::response::{TerminalState, Verdict};
use quittance::protocol::{BlockFormat, Dol, Family, Quirks, Request, Response, message};
use quittance::sim::{Depot, Heard, SimCard, SimConfig, SimHandle};
use quittance::time::Clock;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::rig::LIMIT;

const OK: Response = Response::Result(Verdict::Ok);
const SETUP: Setup = Setup { timeout_seconds: 3600, action: TimeoutAction::Void };

/// A terminal, and the program's link to it.
struct Bench {
    terminal: SimHandle,
    /// What came though nobody had asked.
    unasked: Vec<Response>,
    events: mpsc::UnboundedReceiver<Event>,
    orders: Orders,
    tickets: u64,
    /// Dropped last.
    _depot: Depot,
    _folder: TempDir,
}

/// Hears what the link says.
struct Ear(mpsc::UnboundedSender<Event>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Told> for Ear {
    type Result = ();

    fn handle(&mut self, told: Told, _: &mut Self::Context) {
        // The bench may be gone already.
        let _ = self.0.send(told.event);
    }
}

impl Bench {
    /// A terminal that has just been switched on, and a link that is open.
    async fn new(family: Family) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id: TerminalId = "bay-01".parse().unwrap();
        let config = match family {
            Family::Apollo => SimConfig::apollo(id.clone()),
            Family::P6x => SimConfig::p6x(id.clone(), folder.path().join("bay-01")),
        };
        let depot = Depot::start(vec![config]).await.unwrap();
        let at = depot.address(&id).unwrap().to_owned();
        let address = match family {
            Family::Apollo => Address::Tcp(at),
            Family::P6x => Address::Serial { path: at, baud: 57_600 },
        };
        let timeouts = Timeouts { command: LIMIT, commit: LIMIT, authorise: LIMIT, card: LIMIT };
        let (ear, events) = mpsc::unbounded_channel();
        let settings = link::Settings { address, family, quirks: Quirks::of(family), timeouts };
        let orders =
            link::open(settings, BlockFormat::Default, Generation(1), Clock::start(), Ear(ear).start().recipient(), None);
        let terminal = depot.terminal(&id).unwrap().clone();
        let mut bench = Self { terminal, unasked: Vec::new(), events, orders, tickets: 0, _depot: depot, _folder: folder };
        assert_eq!(bench.event().await, Event::Opened);
        bench
    }

    /// The same, set up with these options and enabled.
    async fn enabled(family: Family, options: Options) -> Self {
        let mut bench = Self::new(family).await;
        bench.set_up(options).await;
        bench
    }

    async fn set_up(&mut self, options: Options) {
        assert_eq!(self.ask(Request::Synchronize).await, Response::Synchronize);
        let protocol = Protocol { version: 3, options };
        assert_eq!(self.ask(Request::Protocol(protocol)).await, Response::Protocol(protocol));
        assert_eq!(self.ask(Request::Setup(SETUP)).await, OK);
        assert_eq!(self.ask(Request::Enable).await, OK);
        assert_eq!(self.state(), TerminalState::Enabled);
    }

    /// The same, with a card flow for this amount that waits for a card; its ticket.
    async fn waiting(family: Family, options: Options, amount: u32) -> (Self, u64) {
        let mut bench = Self::enabled(family, options).await;
        let ticket = bench.send(start(amount));
        bench.wait_for(TerminalState::WaitCard).await;
        (bench, ticket)
    }

    /// The same, with a card that was read.
    async fn read(family: Family, options: Options, amount: u32, card: &SimCard) -> Self {
        let (mut bench, ticket) = Self::waiting(family, options, amount).await;
        assert!(bench.terminal.tap(card));
        assert!(matches!(bench.answer(ticket).await, Response::CardRead(_)));
        bench
    }

    /// The same, with session 1001 that holds this amount.
    async fn holding(family: Family, options: Options, amount: u32) -> Self {
        let mut bench = Self::read(family, options, amount, &SimCard::numbered(1)).await;
        let approved = bench.ask(Request::AuthSession).await;
        assert_eq!(approved, Response::Approved { session: SESSION, dol: Dol::default() });
        bench
    }

    /// One more hold.
    async fn hold(&mut self, amount: u32, reference: u32) {
        let ticket =
            self.send(Request::StartSession(StartSession::new(Amount::from_minor(amount), SessionReference(reference))));
        self.wait_for(TerminalState::WaitCard).await;
        assert!(self.terminal.tap(&SimCard::numbered(1)));
        assert!(matches!(self.answer(ticket).await, Response::CardRead(_)));
        assert!(matches!(self.ask(Request::AuthSession).await, Response::Approved { .. }));
    }

    fn state(&self) -> TerminalState {
        self.terminal.snapshot().state
    }

    async fn wait_for(&self, state: TerminalState) {
        tokio::time::timeout(LIMIT, self.terminal.wait_until(state)).await.unwrap();
    }

    /// Sends it; its ticket.
    fn send(&mut self, request: Request) -> u64 {
        self.tickets += 1;
        self.orders.ask(Order { ticket: Ticket(self.tickets), request }).unwrap();
        self.tickets
    }

    /// What answers it.
    async fn ask(&mut self, request: Request) -> Response {
        let ticket = self.send(request);
        self.answer(ticket).await
    }

    /// What answers this ticket, which must be the next to end.
    async fn answer(&mut self, ticket: u64) -> Response {
        loop {
            match self.event().await {
                Event::Ended { ticket: ended, outcome: Outcome::Answered(response), .. } if ended == Ticket(ticket) => {
                    return response;
                }
                Event::Unasked(response) => self.unasked.push(response),
                other => panic!("instead of an answer to {ticket}: {other:?}"),
            }
        }
    }

    /// What answers it while a card is waited for, and ends that as well.
    async fn ask_while_waiting(&mut self, request: Request, waiting: u64) -> Response {
        let ticket = self.send(request);
        let mut answers = [None, None];
        for _ in 0..2 {
            match self.event().await {
                Event::Ended { ticket: Ticket(ended), outcome: Outcome::Answered(response), .. } if ended == ticket => {
                    answers[0] = Some(response);
                }
                Event::Ended { ticket: Ticket(ended), .. } if ended == waiting => answers[1] = Some(OK),
                other => panic!("instead of both ends: {other:?}"),
            }
        }
        let [Some(answer), Some(_)] = answers else { panic!("{answers:?}") };
        answer
    }

    /// The last request that the terminal has understood is this one. (The link asks for the status by itself when it is in doubt.)
    fn was_told(&self, request: &Request) {
        let own = |heard: &Heard| *request != Request::GetStatus && *heard == Heard::Request(Request::GetStatus);
        let heard = self.terminal.frames().into_iter().rev().filter_map(|frame| frame.heard).find(|heard| !own(heard));
        assert_eq!(heard, Some(Heard::Request(request.clone())));
    }

    /// The next thing that the terminal says though nobody asked.
    async fn unasked(&mut self) -> Response {
        match self.event().await {
            Event::Unasked(response) => response,
            other => panic!("instead of something unasked: {other:?}"),
        }
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.events.recv()).await.expect("something happens").expect("the link is there")
    }
}

/// The first session of a simulated terminal.
const SESSION: quittance::id::TerminalSessionId = quittance::id::TerminalSessionId(1001);

/// Start Session for this amount, with the reference 7.
fn start(amount: u32) -> Request {
    Request::StartSession(StartSession::new(Amount::from_minor(amount), SessionReference(7)))
}

/// The tests' names are what the table of messages refers to: there is one for each message and family that knows it, and none for
/// a family that does not.
#[test]
fn every_message_has_a_test_on_every_family_that_knows_it() {
    let tests =
        [include_str!("messages/card.rs"), include_str!("messages/holds.rs"), include_str!("messages/setup.rs")].concat();
    let requests = message::REQUESTS.iter().map(|row| (row.name, row.only));
    let responses = message::RESPONSES.iter().map(|row| (row.name, row.only));
    for (name, only) in requests.chain(responses) {
        for family in Family::ALL {
            let test = format!("#[actix::test]\nasync fn {name}_on_{}()", family.as_str());
            assert_eq!(tests.contains(&test), only.is_none_or(|only| only == family), "{test}");
        }
    }
}
