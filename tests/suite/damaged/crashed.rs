//! A terminal's actor crashes while the journal is damaged: the one that is built anew has every hold that the start has found, and
//! whoever ends them finds it there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::System;
use quittance::config::{self, Environment};
use quittance::fleet::{self, Filter, Fleet};
use quittance::id::{SessionId, TerminalId};
use quittance::journal::{Entry, Fact, Health, Journal, Pending, Record, Selection, SqliteJournal};
use quittance::metrics::Metrics;
use quittance::money::Amount;
use quittance::random::Randomness;
use quittance::session::replay;
use quittance::session::{Session, Wish};
use quittance::sim::HoldState;
use quittance::terminal::view::LinkState;
use quittance::time::Clock;
use tokio::sync::watch;

use super::super::rig::Rig;
use super::{APOLLO, Files, P6X, open_by_record, sql};

/// No crash is survived more slowly on a machine that is merely slow.
const LIMIT: Duration = Duration::from_secs(30);

/// SQLite's pages.
const PAGE: usize = 4096;

/// A journal that has whoever appends a report of energy crash, when it is told to.
struct Crashing {
    journal: SqliteJournal,
    armed: AtomicBool,
}

impl Journal for Crashing {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let energy = entries.iter().any(|entry| matches!(entry.fact, Fact::EnergyReported { .. }));
        assert!(!(energy && self.armed.swap(false, Ordering::Relaxed)), "told to");
        self.journal.append(entries)
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        self.journal.read(after, limit)
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        self.journal.select(of, after, until, limit)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.journal.newest()
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        self.journal.session(session)
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.journal.sessions(terminal, before, limit)
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.journal.reconciliations(terminal, limit)
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.journal.around(terminal, from, to)
    }

    fn health(&self) -> Health {
        self.journal.health()
    }
}

/// A hold on each terminal, and a newer session that is over.
#[test]
fn a_crashed_actor_gets_its_holds_back_from_a_damaged_journal() {
    let rig = Rig::pair().connectors(2).start();
    let terminals = [APOLLO, P6X];
    let charging = terminals.map(|terminal| rig.approve(terminal, 5000));
    charging.iter().for_each(|session| rig.energy(session, 700));
    terminals.iter().for_each(|terminal| assert_eq!(rig.void(&rig.approve(terminal, 4000))["state"], "voided"));
    rig.kill9();
    drop(SqliteJournal::open(rig.journal(), Arc::new(())).unwrap());
    let whole = Files::of(rig.journal());

    for damage in [
        "SET body = body || ' ' WHERE seq = (SELECT min(seq) FROM record WHERE kind = 'authorise_intended')",
        "SET body = body || ' ' WHERE seq = (SELECT min(seq) FROM record WHERE kind = 'opened')",
        "SET session = CAST(x'3031ff' AS TEXT) WHERE seq = (SELECT min(seq) FROM record WHERE kind = 'disposed')",
        "SET session = CAST(x'3031ff' AS TEXT) WHERE seq = (SELECT min(seq) FROM record WHERE kind = 'opened')",
    ] {
        whole.put(rig.journal());
        sql(rig.journal(), &format!("UPDATE record {damage}"));
        assert!(survived(&rig, damage), "{damage}: it does not start");
    }
    let pages = whole.0[0].1.len() / PAGE;
    let started = (1..pages).filter(|page| {
        let mut files = whole.clone();
        files.0[0].1[page * PAGE..][..16].fill(0xEE);
        files.put(rig.journal());
        survived(&rig, &format!("page {page}"))
    });
    assert!(started.count() >= 2, "of {pages} pages");
    assert_eq!(rig.bank().violations(), []);
}

/// Starts on this journal, has both terminals' actors crash, and looks for what they had. False when it refuses to start.
fn survived(rig: &Rig, damage: &str) -> bool {
    let readable = open_by_record(rig.journal());
    System::new().block_on(async {
        let Some((fleet, journal, metrics)) = start(rig).await else { return false };
        until(damage, async || {
            let up = |terminal| fleet.terminal(terminal).is_ok_and(|view| view.link == LinkState::Up && view.reconciled);
            up(APOLLO) && up(P6X)
        })
        .await;
        let before = undisposed(&fleet).await;
        let known: BTreeSet<SessionId> = before.iter().map(|session| session.id).collect();
        for (session, (terminal, number)) in readable {
            let held = rig.bank().hold(&terminal, number).unwrap().state == HoldState::Held;
            assert!(!held || known.contains(&session), "{damage}: the hold of {session} can be read, and is not undisposed");
        }
        for session in before.iter().filter(|session| session.state_name() == "approved") {
            let energy = |amount| Wish::Energy(Amount::from_minor(amount));
            if fleet.instruct(session.id, energy(800)).await.is_err_and(|refusal| refusal.code() == "journal_unavailable") {
                // What cannot be remembered is not done, and that is told.
                assert!(matches!(journal.health(), Health::Failing(_)), "{damage}");
                fleet.go_down(Duration::ZERO).await;
                return false;
            }
            journal.armed.store(true, Ordering::Relaxed);
            drop(fleet.instruct(session.id, energy(900)).await);
            assert!(!journal.armed.load(Ordering::Relaxed), "{damage}: nothing has crashed");
            until(damage, async || fleet.instruct(session.id, energy(900)).await.is_ok()).await;
        }
        let after = undisposed(&fleet).await;
        let states =
            |sessions: &[Session]| sessions.iter().map(|session| (session.id, session.state.clone())).collect::<Vec<_>>();
        assert_eq!(states(&after), states(&before), "{damage}");
        let text = metrics.render();
        let sum = |name: &str| -> f64 {
            let series = text.lines().filter(|line| line.starts_with(name));
            series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
        };
        assert_eq!(sum("quittance_sessions_undisposed{"), after.len() as f64, "{damage}");
        assert_eq!(sum("quittance_ledger_imbalance{"), 0.0, "{damage}");
        fleet.go_down(Duration::ZERO).await;
        true
    })
}

/// As `quittance run` does it.
async fn start(rig: &Rig) -> Option<(Fleet, Arc<Crashing>, Arc<Metrics>)> {
    let config = config::load(&rig.config(), &Environment::new()).unwrap();
    let journal = SqliteJournal::open(rig.journal(), Arc::new(())).ok()?;
    let end_lost = journal.opened().end_lost;
    let journal = Arc::new(Crashing { journal, armed: AtomicBool::new(false) });
    let replayed = replay::whole(journal.as_ref(), config.site.currency, end_lost).await.ok()?;
    let names: Vec<_> = config.terminals.iter().map(|terminal| (terminal.id.clone(), terminal.family)).collect();
    let metrics = Arc::new(Metrics::new("test", "test", config.site.currency, &names));
    let settings = fleet::Settings {
        terminals: config.terminals,
        remembered: Vec::new(),
        supervision: config.supervision,
        currency: config.site.currency,
        arbiters: Vec::new(),
        random: Randomness::of_system(),
        unsound: replayed.unsound,
    };
    let clock = Clock::start().not_before(replayed.newest);
    let kept = Arc::clone(&journal) as Arc<dyn Journal>;
    let fleet = Fleet::start(settings, kept, clock, Arc::clone(&metrics), replayed.ledger);
    Some((fleet, journal, metrics))
}

async fn undisposed(fleet: &Fleet) -> Vec<Session> {
    let filter = Filter { undisposed: true, limit: usize::MAX, ..Filter::default() };
    fleet.sessions(filter).await.unwrap().0
}

async fn until(damage: &str, mut so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{damage}: never");
}
