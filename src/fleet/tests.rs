//! The whole fleet in one process: real terminals' actors over real TCP to simulated terminals, and a journal in memory whose
//! answers a test can hold back. What is waited for is an event; a limit only ends a build that is broken.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config;
use crate::id::{SessionReference, TerminalSessionId};
use crate::journal::memory::MemoryJournal;
use crate::journal::record::{AtEnd, Cause, DeadMan, DeadManAction, Decision, Learned, Origin};
use crate::journal::{Entry, Fact};
use crate::protocol::Family;
use crate::protocol::response::TerminalState;
use crate::session::State;
use crate::session::replay::{Replay, Replayed};
use crate::sim::{Command as Heard, Depot, SimCard, SimConfig, SimHandle};
use crate::terminal::actor::Crash;

/// Nothing here takes longer on a machine that is merely slow.
const LIMIT: Duration = Duration::from_secs(60);

/// A fleet of one Apollo, and everything around it.
struct Rig {
    fleet: Fleet,
    journal: MemoryJournal,
    depot: Depot,
    name: TerminalId,
    metrics: Arc<Metrics>,
}

impl Rig {
    async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    /// With a past, from which records may be missing.
    async fn start_with(records: Vec<Record>) -> Self {
        let mut replay = Replay::new("EUR".parse().unwrap());
        for record in &records {
            replay.take(record);
        }
        let Replayed { ledger, unsound, .. } = replay.end(false);
        let name: TerminalId = "bay-01".parse().unwrap();
        let depot = Depot::start(vec![SimConfig::apollo(name.clone())]).await.unwrap();
        let text = format!(
            "[site]\nid = \"test\"\ncurrency = \"EUR\"\n[policy]\nterminal_timeout_action = \"void\"\nretry = [\"10ms\"]\n\
             [supervision]\nbackoff_min = \"10ms\"\nbackoff_max = \"50ms\"\nintensity = 100\n\
             [[terminals]]\nid = \"bay-01\"\nfamily = \"apollo\"\nconnectors = 2\nserial_number = \"APO-bay-01\"\n\
             link = {{ tcp = \"{}\" }}\n",
            depot.address(&name).unwrap()
        );
        let config = config::parse(&text, &config::Environment::new()).unwrap();
        let families = [(name.clone(), Family::Apollo)];
        let metrics = Arc::new(Metrics::new("test", "test", config.site.currency, &families));
        let journal = MemoryJournal::with(records);
        let settings = Settings {
            terminals: config.terminals,
            remembered: Vec::new(),
            supervision: config.supervision,
            currency: config.site.currency,
            arbiters: Vec::new(),
            random: Randomness::of_system(),
            unsound,
        };
        let kept: Arc<dyn Journal> = Arc::new(journal.clone());
        let fleet = Fleet::start(settings, kept, Clock::start(), Arc::clone(&metrics), ledger);
        let rig = Self { fleet, journal, depot, name, metrics };
        rig.settled().await;
        rig
    }

    fn terminal(&self) -> &SimHandle {
        self.depot.terminal(&self.name).unwrap()
    }

    /// Until the terminal is set up and reconciled.
    async fn settled(&self) {
        let settled = async {
            while !self.fleet.terminal("bay-01").is_ok_and(|view| view.link == LinkState::Up && view.reconciled) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, settled).await.unwrap();
    }

    async fn open(&self) -> SessionId {
        let wanted = Wanted {
            terminal: self.name.clone(),
            amount: Amount::from_minor(5000),
            connector: None,
            caller_reference: None,
            idempotency: None,
        };
        self.fleet.open(wanted).await.unwrap().0.id
    }

    async fn tap(&self, card: u32) {
        self.terminal().wait_until(TerminalState::WaitCard).await;
        assert!(self.terminal().tap(&SimCard::numbered(card)));
    }

    async fn until(&self, session: SessionId, state: &'static str) -> Session {
        let session = self.fleet.wait(session, LIMIT, |session| session.state_name() == state).await.unwrap();
        assert_eq!(session.state_name(), state);
        session
    }

    async fn held(&self, card: u32) -> SessionId {
        let session = self.open().await;
        self.tap(card).await;
        self.until(session, "approved").await;
        session
    }

    fn crash(&self) {
        self.fleet.actor(&self.name).unwrap().try_send(Crash).unwrap();
    }

    /// Until the crashed actor has been replaced by one that is settled.
    async fn rebuilt(&self) {
        let rebuilt = |record: &Record| matches!(record.entry.fact, Fact::Rebuilt);
        let appended = async {
            while !self.journal.records().iter().any(rebuilt) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, appended).await.unwrap();
        self.settled().await;
    }
}

/// An Apollo cannot say what became of an Auth whose answer was lost. Once the terminal's own timer is past, and its action is to
/// void, the doubt is over by rule; with the other action a person must find out.
#[actix::test]
async fn doubt_ends_with_the_terminals_own_timer() {
    for (action, state, series) in [
        (
            DeadManAction::Void,
            "expired",
            "quittance_sessions_disposed_total{terminal=\"bay-01\",family=\"apollo\",outcome=\"expired\"} 1",
        ),
        (DeadManAction::Commit, "uncertain", "quittance_sessions_uncertain{terminal=\"bay-01\",family=\"apollo\"} 1"),
    ] {
        let long_ago = Timestamp::from_unix_millis(1_700_000_000_000);
        let id = SessionId::new(long_ago, [7; 10]);
        let facts = [
            Fact::Opened {
                origin: Origin::Api,
                connector: Some(Connector(1)),
                reference: Some(SessionReference(10)),
                caller_reference: None,
                amount: Some(Amount::from_minor(5000)),
                currency: "EUR".parse().unwrap(),
                idempotency: None,
                device: None,
            },
            Fact::AuthoriseIntended { card: None, dead_man: DeadMan { at: Some(long_ago), action } },
            Fact::AuthoriseUnanswered { cause: Cause::LinkLost },
        ];
        let record = |(seq, fact)| {
            let entry = Entry { at: long_ago, terminal: Some("bay-01".parse().unwrap()), session: Some(id), fact };
            Record { seq, entry }
        };
        let rig = Rig::start_with((1..).zip(facts).map(record).collect()).await;
        rig.until(id, state).await;
        let text = rig.metrics.render();
        assert!(text.contains(series), "{text}");
        assert!(text.contains("quittance_sessions_in_doubt{terminal=\"bay-01\",family=\"apollo\"} 0"));
        assert!(text.contains("quittance_ledger_imbalance{terminal=\"bay-01\",family=\"apollo\"} 0"));
    }
}

/// A terminal's actor panics while it holds money: the supervisor builds it anew from the journal, the hold is still there, and
/// is committed once.
#[actix::test]
async fn a_panic_is_survived_with_the_hold() {
    let rig = Rig::start().await;
    let session = rig.held(1).await;
    rig.crash();
    rig.rebuilt().await;
    assert_eq!(rig.fleet.session(session).await.unwrap().state, State::Held);

    rig.fleet.instruct(session, Wish::Commit(Amount::from_minor(3140))).await.unwrap();
    rig.until(session, "committed").await;
    let ledger = rig.depot.bank().ledger();
    assert_eq!((ledger.committed.count, ledger.captured, rig.terminal().count(Heard::Commit)), (1, 3140, 1));
    assert!(rig.metrics.render().contains("reason=\"panic\"} 1"));
}

/// A record is lost in the middle of a session: whoever builds its crashed actor anew has the session as the start had it, and it can be
/// ended as before.
#[actix::test]
async fn a_panic_on_a_damaged_journal_is_survived_with_the_hold() {
    let now = Clock::start().now();
    let id = SessionId::new(now, [7; 10]);
    let dead_man = DeadMan { at: Some(now.after(Duration::from_secs(24 * 3600))), action: DeadManAction::Void };
    let opened = Fact::Opened {
        origin: Origin::Api,
        connector: Some(Connector(1)),
        reference: Some(SessionReference(10)),
        caller_reference: None,
        amount: Some(Amount::from_minor(5000)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    };
    let held = Fact::HoldPlaced {
        terminal_session_id: TerminalSessionId(11),
        amount: Some(Amount::from_minor(5000)),
        learned: Learned::Approved,
        plug_in_by: now.after(Duration::from_secs(300)),
        end_by: now.after(Duration::from_secs(12 * 3600)),
        at_end: AtEnd::CommitLastKnown,
        dead_man,
    };
    let unanswered = Fact::UpdateUnanswered { cause: Cause::Timeout };
    // Lost: that Auth is about to be sent, and that the hold is about to be raised.
    let records = [(1, opened), (3, held), (5, unanswered)].map(|(seq, fact)| {
        let entry = Entry { at: now, terminal: Some("bay-01".parse().unwrap()), session: Some(id), fact };
        Record { seq, entry }
    });
    let rig = Rig::start_with(records.to_vec()).await;
    let before = rig.fleet.session(id).await.unwrap();
    assert_eq!((before.state_name(), before.version), ("approved", 2));
    rig.crash();
    rig.rebuilt().await;
    assert_eq!(rig.fleet.session(id).await.unwrap(), before);
    assert_eq!(rig.fleet.terminal("bay-01").unwrap().undisposed, 1);
    // It crashes once more, between what it appends and what it tells of that.
    rig.journal.hold();
    let fleet = rig.fleet.clone();
    drop(actix::spawn(async move { fleet.instruct(id, Wish::Void).await }));
    let waiting = async |appends| {
        while rig.journal.held() < appends {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, waiting(1)).await.unwrap();
    rig.crash();
    tokio::time::timeout(LIMIT, waiting(2)).await.unwrap();
    rig.journal.release();
    let decided = rig.fleet.wait(id, LIMIT, |session| session.disposal.is_some()).await.unwrap();
    assert_eq!(decided.disposal.map(|disposal| disposal.decision), Some(Decision::Void));
    let text = rig.metrics.render();
    for series in [
        "quittance_sessions_undisposed{terminal=\"bay-01\",family=\"apollo\"} 1",
        "quittance_ledger_imbalance{terminal=\"bay-01\",family=\"apollo\"} 0",
    ] {
        assert!(text.contains(series), "{text}");
    }
}

/// Damage that is found while the program runs: the journal cannot be read as a whole then, and some sessions not at all. Whoever builds a
/// crashed actor anew has what can be found by name, and the rest as it was shown.
#[actix::test]
async fn a_panic_on_a_journal_that_is_damaged_meanwhile_is_survived_with_the_holds() {
    let rig = Rig::start().await;
    let (first, second) = (rig.held(1).await, rig.held(2).await);
    rig.journal.damage(first);
    rig.crash();
    rig.rebuilt().await;
    assert_eq!(rig.fleet.terminal("bay-01").unwrap().undisposed, 2);
    for session in [first, second] {
        rig.fleet.instruct(session, Wish::Commit(Amount::from_minor(3140))).await.unwrap();
        rig.until(session, "committed").await;
    }
    assert_eq!(rig.depot.bank().ledger().captured, 6280);
    assert!(rig.metrics.render().contains("quittance_ledger_imbalance{terminal=\"bay-01\",family=\"apollo\"} 0"));
}

/// Until a crashed actor is built anew nobody speaks for its terminal: readers see that, and not what it has shown last.
#[actix::test]
async fn a_crashed_terminal_is_not_shown_as_it_was() {
    let rig = Rig::start().await;
    rig.held(1).await;
    rig.journal.hold();
    rig.crash();
    let shown = async {
        loop {
            let view = rig.fleet.terminal("bay-01").unwrap();
            if view.link == LinkState::Down {
                return view;
            }
            tokio::task::yield_now().await;
        }
    };
    let view = tokio::time::timeout(LIMIT, shown).await.unwrap();
    assert_eq!((view.state, view.reconciled, view.undisposed), ("unreachable", false, 1));
    assert!(view.last_error.as_ref().unwrap().contains("has crashed"), "{view:?}");
    let up = "quittance_link_up{terminal=\"bay-01\",family=\"apollo\"} 0";
    assert!(rig.metrics.render().contains(up), "{}", rig.metrics.render());
    rig.journal.release();
    rig.rebuilt().await;
}

/// Quarantine keeps a link closed for minutes, but no actor away: deadlines are its, and people hand their decisions over to it.
#[actix::test]
async fn quarantine_keeps_no_actor_away() {
    let rig = Rig::start().await;
    let session = rig.held(1).await;
    rig.terminal().set_serial_number("of another device");
    rig.terminal().cut();
    let decided = async {
        while rig.fleet.terminal("bay-01").unwrap().link != LinkState::Quarantined {
            tokio::task::yield_now().await;
        }
        rig.crash();
        while rig.fleet.actor(&rig.name).is_ok() {
            tokio::task::yield_now().await;
        }
        loop {
            match rig.fleet.instruct(session, Wish::Void).await {
                Ok(session) => return session,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let decided = tokio::time::timeout(LIMIT, decided).await.unwrap();
    assert_eq!(decided.state_name(), "voiding");
    assert_eq!(rig.fleet.terminal("bay-01").unwrap().link, LinkState::Quarantined);
    assert_eq!(rig.terminal().count(Heard::Void), 0);
}

/// A panic while a card flow waits: no hold was possible, so the session has failed, and the next driver is served.
#[actix::test]
async fn a_panic_ends_a_card_flow_without_a_hold() {
    let rig = Rig::start().await;
    let session = rig.open().await;
    rig.terminal().wait_until(TerminalState::WaitCard).await;
    rig.crash();
    rig.rebuilt().await;
    rig.until(session, "failed").await;
    rig.held(2).await;
}

/// G1: while the journal has not answered, the decision is not sent. The terminal's own log of frames is the witness.
#[actix::test]
async fn no_commit_leaves_before_the_journal_has_it() {
    let rig = Rig::start().await;
    let session = rig.held(1).await;
    rig.journal.hold();
    let fleet = rig.fleet.clone();
    let decided = actix::spawn(async move { fleet.instruct(session, Wish::Commit(Amount::from_minor(100))).await });
    let waiting = async {
        while rig.journal.held() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap();
    assert_eq!(rig.terminal().count(Heard::Commit), 0);
    assert!(!decided.is_finished());
    rig.journal.release();
    decided.await.unwrap().unwrap();
    rig.until(session, "committed").await;
    assert_eq!(rig.terminal().count(Heard::Commit), 1);
}

/// The journal fails when a card has been read: no Auth leaves, the driver's card flow is cancelled, nobody's money is held.
#[actix::test]
async fn no_auth_leaves_when_the_journal_fails() {
    let rig = Rig::start().await;
    let session = rig.open().await;
    rig.terminal().wait_until(TerminalState::WaitCard).await;
    rig.journal.refuse_next(1);
    assert!(rig.terminal().tap(&SimCard::numbered(1)));
    rig.until(session, "cancelled").await;
    rig.terminal().wait_until_enabled().await;
    assert_eq!(rig.terminal().count(Heard::Auth), 0);
    assert_eq!(rig.depot.bank().holds().len(), 0);
    rig.held(2).await;
}

/// A decision that the journal refuses is refused, not sent, and can be made again, even differently.
#[actix::test]
async fn a_decision_that_is_not_durable_is_no_decision() {
    let rig = Rig::start().await;
    let session = rig.held(1).await;
    rig.journal.refuse_next(1);
    let refused = rig.fleet.instruct(session, Wish::Commit(Amount::from_minor(100))).await;
    assert_eq!(refused.unwrap_err().code(), "journal_unavailable");
    assert_eq!(rig.fleet.session(session).await.unwrap().state, State::Held);
    assert_eq!(rig.terminal().count(Heard::Commit), 0);
    let again = async {
        // The session says for a second that it waits for its journal.
        while rig.fleet.instruct(session, Wish::Void).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, again).await.unwrap();
    rig.until(session, "voided").await;
}

/// Half a day without a customer, in simulated time: no series goes, no counter begins again, and what is held stays held. (A
/// recorder that forgets what was not touched for a while would hide a forgotten hold.)
#[actix::test]
async fn a_quiet_night_takes_nothing_from_the_metrics() {
    let rig = Rig::start().await;
    let first = rig.held(1).await;
    rig.fleet.instruct(first, Wish::Commit(Amount::from_minor(3140))).await.unwrap();
    rig.until(first, "committed").await;
    let open = rig.held(2).await;
    rig.fleet.instruct(open, Wish::Energy(Amount::from_minor(100))).await.unwrap();
    let series = |text: &str| -> BTreeMap<String, f64> {
        let samples =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
        samples.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect()
    };
    let evening = series(&rig.metrics.render());
    tokio::time::pause();
    let fell_asleep = rig.fleet.inner.clock.now();
    tokio::time::sleep(Duration::from_secs(11 * 3600)).await;
    let slept = rig.fleet.inner.clock.now().since(fell_asleep);
    tokio::time::resume();
    assert!(slept >= Duration::from_secs(11 * 3600), "{slept:?}");
    let text = rig.metrics.render();
    let morning = series(&text);

    assert_eq!(evening.keys().collect::<Vec<_>>(), morning.keys().collect::<Vec<_>>());
    let counts = |series: &&String| ["_total{", "_count{", "_bucket{", "_sum{"].iter().any(|part| series.contains(part));
    for series in evening.keys().filter(counts) {
        assert!(morning[series] >= evening[series], "{series}: {} after {}", morning[series], evening[series]);
    }
    for (series, value) in [
        ("quittance_sessions_undisposed{", 1.0),
        ("quittance_held_amount_minor{", 5000.0),
        ("quittance_sessions_approved_total{", 2.0),
        ("quittance_committed_amount_minor_total{", 3140.0),
        ("quittance_ledger_imbalance{", 0.0),
    ] {
        let shown: Vec<f64> = morning.iter().filter(|(name, _)| name.starts_with(series)).map(|(_, value)| *value).collect();
        assert_eq!(shown, [value], "{series}");
    }
    let oldest = |series: &BTreeMap<String, f64>| series["quittance_oldest_undisposed_timestamp_seconds{terminal=\"bay-01\",family=\"apollo\"}"];
    assert!(oldest(&morning) > 0.0 && oldest(&morning) == oldest(&evening));
    // The night was lived through and not skipped: the terminal was asked for its status all the time.
    let asked = |series: &BTreeMap<String, f64>| series["quittance_exchange_duration_seconds_count{terminal=\"bay-01\",family=\"apollo\",command=\"get_status\"}"];
    assert!(asked(&morning) - asked(&evening) > 1000.0, "{text}");
}
