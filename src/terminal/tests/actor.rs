//! G1, with the actors as they are, a simulated terminal behind a real socket, and a journal with handles: no frame that can move
//! money leaves before the journal holds its intent. The terminal's own log of frames is the witness.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;

use crate::id::{SessionId, TerminalId};
use crate::journal::record::{DeadManAction, Report, Trigger};
use crate::journal::{Fact, Journal, MemoryJournal, Record};
use crate::link::{Address, Event, Generation, Loss, Outcome, Settings, Ticket, Timeouts, Told};
use crate::metrics::Metrics;
use crate::money::Amount;
use crate::protocol::request::Options;
use crate::protocol::response::TerminalState;
use crate::protocol::{Dol, Family, Quirks, RawPayload, Request, Response};
use crate::random::Randomness;
use crate::recorder::Recorders;
use crate::session::actor::Observer as SessionObserver;
use crate::session::policy::{self, Authorise, DuplicateTap, OrphanPolicy};
use crate::session::{Refusal, Session, Wish};
use crate::sim::{Command as Sent, Depot, HoldState, Policy, SimCard, SimConfig, SimHandle};
use crate::terminal::asking::Ask;
use crate::terminal::requests::{Instruct, Open, Reconcile};
use crate::terminal::settings::Screens;
use crate::terminal::view::View;
use crate::terminal::world::{FromTerminal, Observer, OpenLink, Surroundings};
use crate::terminal::{TerminalActor, TerminalSettings};
use crate::time::{Clock, Timestamp};

/// Sees what the fleet would see.
struct Witness {
    view: watch::Sender<Option<View>>,
    session: watch::Sender<Option<Session>>,
}

impl SessionObserver for Witness {
    fn session_changed(&self, _: Option<&Session>, session: &Session, _: &[Record]) {
        self.session.send_replace(Some(session.clone()));
    }
}

impl Observer for Witness {
    fn terminal_changed(&self, view: View) {
        self.view.send_replace(Some(view));
    }
    fn exchanged(&self, _: &TerminalId, _: &Request, _: &Outcome, _: Duration) {}
    fn frame_error(&self, _: &TerminalId, _: &'static str) {}
    fn certificate(&self, _: &TerminalId, _: crate::link::Whose, _: Timestamp) {}
    fn reconciled(&self, _: &TerminalId, _: &Report, _: Timestamp) {}
    fn holds(&self, _: &TerminalId, _: &mut dyn Iterator<Item = &Session>, _: Option<Duration>, _: Timestamp) {}
}

/// A fleet that opens a lost link at once.
struct Fleet(Option<Addr<TerminalActor>>);

impl Actor for Fleet {
    type Context = Context<Self>;
}

impl Handler<FromTerminal> for Fleet {
    type Result = ();

    fn handle(&mut self, message: FromTerminal, _: &mut Self::Context) {
        if let (FromTerminal::LinkLost { .. }, Some(terminal)) = (message, &self.0) {
            terminal.try_send(OpenLink { quarantined: false }).unwrap();
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Watch(Addr<TerminalActor>);

impl Handler<Watch> for Fleet {
    type Result = ();

    fn handle(&mut self, watch: Watch, _: &mut Self::Context) {
        self.0 = Some(watch.0);
    }
}

fn settings(id: &TerminalId, address: &str) -> TerminalSettings {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    TerminalSettings {
        id: id.clone(),
        family: Family::Apollo,
        link: Settings {
            address: Address::Tcp(address.to_owned()),
            family: Family::Apollo,
            quirks: Quirks::of(Family::Apollo),
            timeouts: Timeouts { command: minutes(1), commit: minutes(1), authorise: minutes(1), card: minutes(1) },
        },
        connectors: 2,
        // So often that the terminal's log shows how long nothing else came.
        keepalive: Some(Duration::from_millis(20)),
        serial_number: None,
        preauth: None,
        screens: Screens::default(),
        options: Options::DETAILED_CODES,
        policy: policy::Policy {
            terminal_timeout: minutes(24 * 60),
            terminal_timeout_action: DeadManAction::Void,
            plug_in_timeout: minutes(5),
            max_session: minutes(12 * 60),
            on_max_session: crate::journal::record::AtEnd::CommitLastKnown,
            orphan_policy: OrphanPolicy::Void,
            duplicate_tap: DuplicateTap::VoidEarlier,
            tap_to_stop: true,
            authorise: Authorise::Auto,
            authorise_within: Duration::from_secs(27),
            max_hold: Amount::from_minor(10_000),
            retry: vec![Duration::from_millis(1)],
            reconcile_every: minutes(15),
            max_undelivered: 10,
            settle_within: None,
        },
        record: None,
    }
}

struct Stand {
    /// Kept, since the terminals end with it.
    _depot: Depot,
    sim: SimHandle,
    journal: MemoryJournal,
    terminal: Addr<TerminalActor>,
    view: watch::Receiver<Option<View>>,
    session: watch::Receiver<Option<Session>>,
}

impl Stand {
    async fn set_up() -> Self {
        Self::set_up_with(|_| {}).await
    }

    async fn set_up_with(change: impl FnOnce(&mut TerminalSettings)) -> Self {
        let id: TerminalId = "bay-01".parse().unwrap();
        let depot = Depot::start(vec![SimConfig::apollo(id.clone())]).await.unwrap();
        let sim = depot.terminal(&id).unwrap().clone();
        let journal = MemoryJournal::new();
        let (view, mut views) = watch::channel(None);
        let (session_sender, session) = watch::channel(None);
        let fleet = Fleet(None).start();
        let clock = Clock::start();
        let currency = "EUR".parse().unwrap();
        let metrics = Metrics::new("0", "0", currency, &[(id.clone(), Family::Apollo)]);
        let around = Surroundings {
            journal: Arc::new(journal.clone()) as Arc<dyn Journal>,
            past_unsure: false,
            clock,
            random: Randomness::of_system(),
            observer: Arc::new(Witness { view, session: session_sender }),
            currency,
            recorders: Arc::new(Recorders::new(clock, Arc::new(metrics))),
            fleet: fleet.clone().recipient(),
        };
        let mut settings = settings(&id, depot.address(&id).unwrap());
        change(&mut settings);
        let terminal = TerminalActor::new(settings, around, Vec::new(), false).start();
        fleet.send(Watch(terminal.clone())).await.unwrap();
        terminal.send(OpenLink { quarantined: false }).await.unwrap();
        views.wait_for(|view| view.as_ref().is_some_and(|view| view.reconciled)).await.unwrap();
        Self { _depot: depot, sim, journal, terminal, view: views, session }
    }

    async fn open(&self) -> SessionId {
        let session = SessionId::new(Clock::start().now(), rand::random());
        let amount = Amount::from_minor(5000);
        let open = Open { session, amount, connector: None, caller_reference: None, idempotency: None };
        self.terminal.send(open).await.unwrap().unwrap();
        self.sim.wait_until(TerminalState::WaitCard).await;
        session
    }

    async fn state(&mut self, name: &str) -> Session {
        let reached = |session: &Option<Session>| session.as_ref().is_some_and(|session| session.state_name() == name);
        self.session.wait_for(reached).await.unwrap().clone().unwrap()
    }

    /// The terminal hears two more keep-alives: whatever was asked for before them would have come by now.
    async fn two_keepalives(&self) {
        let count = self.sim.count(Sent::GetStatus) + 2;
        self.sim.wait_for_requests(Sent::GetStatus, count).await;
    }

    async fn appends_held(&self, count: usize) {
        while self.journal.held() < count {
            tokio::task::yield_now().await;
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.journal.records().iter().map(|record| record.entry.fact.kind()).filter(|kind| *kind != "reconciled").collect()
    }
}

#[actix::test]
async fn a_card_that_the_journal_cannot_remember_is_not_authorised() {
    let mut stand = Stand::set_up().await;
    stand.open().await;
    stand.journal.refuse_next(1);
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    stand.sim.wait_for_requests(Sent::Cancel, 1).await;
    let session = stand.state("cancelled").await;
    assert_eq!(session.hold, None);
    assert_eq!(stand.sim.count(Sent::Auth), 0);
    assert_eq!(stand.kinds(), ["opened", "cancelled"]);
    assert_eq!(stand.sim.bank().holds(), []);
    // There is space again, and the terminal takes the next card.
    stand.open().await;
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    stand.state("approved").await;
}

/// What was compared and done is shown when the journal holds it, and not before.
#[actix::test]
async fn a_report_that_the_journal_cannot_remember_is_not_shown() {
    let mut stand = Stand::set_up().await;
    let report = |view: &Option<View>| view.as_ref().and_then(|view| view.last_reconciliation.clone());
    let first = report(&stand.view.wait_for(|view| report(view).is_some()).await.unwrap());
    stand.journal.refuse_next(1);
    let refused = stand.terminal.send(Reconcile).await.unwrap();
    assert!(matches!(refused, Err(Refusal::JournalUnavailable(_))), "{refused:?}");
    stand.two_keepalives().await;
    assert_eq!(report(&stand.view.borrow()), first);
    stand.terminal.send(Reconcile).await.unwrap().unwrap();
    let second = |view: &Option<View>| report(view).is_some_and(|(_, report)| report.trigger == Trigger::Demand);
    stand.view.wait_for(second).await.unwrap();
}

#[actix::test]
async fn nothing_leaves_while_the_journal_has_not_answered() {
    let mut stand = Stand::set_up().await;
    let session = stand.open().await;

    stand.journal.hold();
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    stand.appends_held(1).await;
    stand.two_keepalives().await;
    assert_eq!((stand.sim.count(Sent::Auth), stand.kinds().len()), (0, 1));
    stand.journal.release();
    stand.state("approved").await;

    stand.journal.hold();
    let commit = Instruct { session, wish: Wish::Commit(Amount::from_minor(3140)) };
    let answer = actix::spawn(stand.terminal.send(commit));
    stand.appends_held(1).await;
    stand.two_keepalives().await;
    assert_eq!(stand.sim.count(Sent::Commit), 0);
    assert!(!answer.is_finished(), "nobody is told of a decision that is not durable");

    // The decision is durable now, and is told; the intent of its first attempt is not, and nothing is sent.
    assert!(stand.journal.release_one());
    assert_eq!(answer.await.unwrap().unwrap().unwrap().state_name(), "committing");
    stand.appends_held(1).await;
    // The lane is the session's already, so there is no keep-alive to wait for: the actor has nothing more to do.
    stand.terminal.send(OpenLink { quarantined: false }).await.unwrap();
    assert_eq!(stand.sim.count(Sent::Commit), 0);

    stand.journal.release();
    stand.state("committed").await;
    assert_eq!(stand.sim.count(Sent::Commit), 1);
    let holds = stand.sim.bank().holds();
    assert!(
        matches!(holds[..], [ref hold] if matches!(hold.state, HoldState::Captured { amount, .. } if amount.minor() == 3140))
    );
    let expected = ["opened", "authorise_intended", "hold_placed", "disposal_decided", "attempt_started", "disposed"];
    assert_eq!(stand.kinds(), expected);
}

/// A disposal that is refused for want of a proper state sets the terminal up again, but not under the hands of a driver whose
/// card is being authorised: that money would be in doubt.
#[actix::test]
async fn a_new_set_up_waits_for_an_authorisation() {
    let mut stand = Stand::set_up().await;
    let first = stand.open().await;
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    stand.state("approved").await;

    stand.open().await;
    let slow = SimCard::numbered(2);
    stand.sim.bank().set_policy(&slow, Policy { answers_after: Duration::from_millis(300), ..Policy::APPROVE });
    assert!(stand.sim.tap(&slow));
    stand.sim.wait_for_requests(Sent::Auth, 2).await;

    // The second card is being authorised, and the first hold's void is refused.
    stand.sim.refuse_next(Sent::Void, 0x05);
    let set_ups = stand.sim.count(Sent::Setup);
    stand.terminal.send(Instruct { session: first, wish: Wish::Void }).await.unwrap().unwrap();
    stand.sim.wait_for_requests(Sent::Setup, set_ups + 1).await;
    let facts = stand.kinds();
    assert!(facts.contains(&"attempt_refused"), "{facts:?}");
    assert!(!facts.contains(&"authorise_unanswered"), "{facts:?}");
    assert_eq!(facts.iter().filter(|kind| **kind == "hold_placed").count(), 2, "{facts:?}");
}

/// An Auth waits for the end of a request that could cost its link. Answered, it goes on; not answered, the card is dropped with the link,
/// and no money is in doubt.
#[actix::test]
async fn an_auth_waits_for_the_end_of_somebodys_request() {
    for answered in [true, false] {
        let mut stand = Stand::set_up_with(|settings| {
            settings.keepalive = Some(Duration::from_secs(3600));
            settings.link.timeouts.command = Duration::from_millis(if answered { 60_000 } else { 300 });
        })
        .await;
        stand.open().await;
        stand.sim.drop_answer_to(Sent::ConnectionInfo, true);
        let ask = Ask { request: Request::GetConnectionInfo(RawPayload::default()), by: "anna".to_owned() };
        let asked = actix::spawn(stand.terminal.send(ask));
        stand.sim.wait_for_requests(Sent::ConnectionInfo, 1).await;
        assert!(stand.sim.tap(&SimCard::numbered(1)));
        // Its intent is durable, and still it does not leave.
        stand.state("authorising").await;
        stand.terminal.send(OpenLink { quarantined: false }).await.unwrap();
        assert_eq!(stand.sim.count(Sent::Auth), 0);
        if answered {
            stand.sim.send(Response::ConnectionInfo(RawPayload::default()));
            assert!(asked.await.unwrap().unwrap().is_ok());
            stand.state("approved").await;
            assert_eq!(stand.sim.count(Sent::Auth), 1);
        } else {
            stand.state("failed").await;
            assert!(asked.await.unwrap().unwrap().is_err());
            assert_eq!(stand.sim.count(Sent::Auth), 0);
            assert_eq!(stand.kinds(), ["opened", "authorise_intended", "failed"]);
        }
    }
}

/// A terminal that refuses to start may have been restarted: its status is asked for at once, long before the next keep-alive.
#[actix::test]
async fn a_refused_start_makes_a_status_due() {
    let mut stand = Stand::set_up_with(|settings| settings.keepalive = Some(Duration::from_secs(3600))).await;
    let known = stand.sim.count(Sent::GetStatus);
    stand.sim.refuse_next(Sent::Start, 0x05);
    let session = SessionId::new(Clock::start().now(), rand::random());
    let amount = Amount::from_minor(5000);
    let open = Open { session, amount, connector: None, caller_reference: None, idempotency: None };
    stand.terminal.send(open).await.unwrap().unwrap();
    stand.state("failed").await;
    stand.sim.wait_for_requests(Sent::GetStatus, known + 1).await;
}

/// A button that is stuck fills neither the journal nor its queue: one press at a time is made durable, and the next one when that is done.
#[actix::test]
async fn one_button_at_a_time_is_journaled() {
    let stand = Stand::set_up().await;
    let press = async |button: &str| {
        let event = Event::Unasked(Response::UiEvent { button: button.to_owned() });
        stand.terminal.send(Told { link: Generation(1), event }).await.unwrap();
    };
    stand.journal.hold();
    for button in ["one", "two", "three"] {
        press(button).await;
    }
    stand.appends_held(1).await;
    stand.terminal.send(OpenLink { quarantined: false }).await.unwrap();
    assert_eq!(stand.journal.held(), 1);
    stand.journal.release();
    while stand.kinds().is_empty() {
        tokio::task::yield_now().await;
    }
    while stand.kinds().len() < 2 {
        press("four").await;
    }
    let records = stand.journal.records().into_iter();
    let buttons = records.filter_map(|record| match record.entry.fact {
        Fact::ButtonPressed { button } => Some(button),
        _ => None,
    });
    let buttons: Vec<String> = buttons.collect();
    assert_eq!(buttons, ["one", "four"]);
}

/// A session is committed under the number that another one is given while its card is being authorised. Either the terminal uses numbers
/// again, or it had forgotten the older session by then, and the commit has ended the newer hold: the newer session says so.
#[actix::test]
async fn a_commit_under_a_number_that_is_given_out_meanwhile_is_remembered() {
    let mut stand = Stand::set_up().await;
    let older = stand.open().await;
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    let number = stand.state("approved").await.open_terminal_session().unwrap();
    stand.open().await;
    stand.sim.drop_answer_to(Sent::Auth, true);
    assert!(stand.sim.tap(&SimCard::numbered(2)));
    stand.sim.wait_for_requests(Sent::Auth, 2).await;
    stand.terminal.send(Instruct { session: older, wish: Wish::Commit(Amount::from_minor(1240)) }).await.unwrap().unwrap();
    stand.state("committed").await;
    stand.sim.send(Response::Approved { session: number, dol: Dol::default() });
    let newer = stand.state("approved").await;
    while !stand.kinds().contains(&"number_shared") {
        tokio::task::yield_now().await;
    }
    let shared = stand.journal.records().into_iter().rfind(|record| record.entry.fact.kind() == "number_shared").unwrap();
    assert_eq!((shared.entry.session, shared.entry.fact), (Some(newer.id), Fact::NumberShared { with: older }));
}

/// A card that is presented to a terminal that scans gets a session before anything else, and without one it is dropped. The next
/// driver is served.
#[actix::test]
async fn a_scanned_card_without_a_durable_session_is_dropped() {
    let mut stand = Stand::set_up_with(|settings| settings.preauth = Some(Amount::from_minor(2500))).await;
    stand.sim.wait_until(TerminalState::WaitCard).await;
    stand.journal.refuse_next(1);
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    stand.sim.wait_for_requests(Sent::Start, 2).await;
    assert_eq!((stand.sim.count(Sent::Cancel), stand.sim.count(Sent::Auth)), (1, 0));
    assert_eq!(stand.kinds(), Vec::<&str>::new());
    stand.sim.wait_until(TerminalState::WaitCard).await;
    assert!(stand.sim.tap(&SimCard::numbered(1)));
    let session = stand.state("approved").await;
    assert_eq!(session.amount_requested, Some(Amount::from_minor(2500)));
    assert_eq!(stand.kinds(), ["opened", "authorise_intended", "hold_placed"]);
}

/// What a link says after the next one was opened is not taken for the next one's: its loss would end the exchanges of the new one,
/// and an approval on it would be somebody else's.
#[actix::test]
async fn an_old_link_is_not_heard() {
    let stand = Stand::set_up().await;
    stand.open().await;
    for event in [Event::Lost(Loss::Closed), Event::Ended { ticket: Ticket(0), outcome: Outcome::Unsent, took: Duration::ZERO }]
    {
        stand.terminal.send(Told { link: Generation(0), event }).await.unwrap();
    }
    stand.two_keepalives().await;
    assert_eq!(stand.sim.count(Sent::Reset), 1, "the link was given up");
    let lost = Told { link: Generation(1), event: Event::Lost(Loss::Closed) };
    stand.terminal.send(lost).await.unwrap();
    stand.sim.wait_for_requests(Sent::Reset, 2).await;
}
