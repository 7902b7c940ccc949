//! How long a decision takes to become a frame: from the request to commit, over two durable appends (the decision, the
//! attempt), to the Commit as the terminal reads it from its wire. Beside it the same two appends alone, in the same run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use quittance::config;
use quittance::fleet::{Fleet, Settings, Wanted};
use quittance::journal::{Entry, Fact, Journal, SqliteJournal};
use quittance::metrics::Metrics;
use quittance::money::Amount;
use quittance::session::ledger::Ledger;
use quittance::session::{State, Wish};
use quittance::sim::{Command as Heard, Depot, SimCard, SimConfig};
use quittance::time::Clock;

/// How many sessions are taken from tap to commit for the figures that are printed.
const SESSIONS: usize = 60;

/// Prints the medians and their ratio; criterion's own statistics would need a fresh hold for every iteration.
#[expect(clippy::disallowed_methods, reason = "a bench measures the time")]
pub(crate) fn bench(_: &mut Criterion) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("journal.db");
    let (mut wire, mut appends) = actix::System::new().block_on(async move {
        let clock = Clock::start();
        let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&path, Arc::new(())).unwrap());
        let name: quittance::id::TerminalId = "bay-01".parse().unwrap();
        let depot = Depot::start(vec![SimConfig::apollo(name.clone())]).await.unwrap();
        let text = format!(
            "[site]\nid = \"bench\"\ncurrency = \"EUR\"\n[policy]\nterminal_timeout_action = \"void\"\n\
             [[terminals]]\nid = \"bay-01\"\nfamily = \"apollo\"\nlink = {{ tcp = \"{}\" }}\n",
            depot.address(&name).unwrap()
        );
        let config = config::parse(&text, &config::Environment::new()).unwrap();
        let currency = config.site.currency;
        let families = [(name.clone(), quittance::protocol::Family::Apollo)];
        let metrics = Arc::new(Metrics::new("bench", "bench", currency, &families));
        let settings = Settings {
            terminals: config.terminals,
            remembered: Vec::new(),
            supervision: config.supervision,
            currency,
            arbiters: Vec::new(),
            random: quittance::random::Randomness::of_system(),
            unsound: None,
        };
        let fleet = Fleet::start(settings, Arc::clone(&journal), clock, metrics, Ledger::default());
        let terminal = depot.terminal(&name).unwrap();
        terminal.wait_until_enabled().await;

        let (mut wire, mut appends) = (Vec::new(), Vec::new());
        for number in 0..SESSIONS {
            let wanted = Wanted {
                terminal: name.clone(),
                amount: Amount::from_minor(5000),
                connector: None,
                caller_reference: None,
                idempotency: None,
            };
            let session = loop {
                // The terminal is enabled a moment before it is reconciled.
                match fleet.open(wanted.clone()).await {
                    Ok((session, _)) => break session,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            terminal.wait_until(quittance::protocol::response::TerminalState::WaitCard).await;
            terminal.tap(&SimCard::numbered(u32::try_from(number).unwrap()));
            let limit = Duration::from_secs(60);
            fleet.wait(session.id, limit, |session| session.state == State::Held).await.unwrap();

            let commits = terminal.count(Heard::Commit);
            let began = Instant::now();
            let (decided, ()) = tokio::join!(
                fleet.instruct(session.id, Wish::Commit(Amount::from_minor(3140))),
                terminal.wait_for_requests(Heard::Commit, commits + 1),
            );
            wire.push(began.elapsed());
            decided.unwrap();
            fleet.wait(session.id, limit, |session| session.ended()).await.unwrap();

            let began = Instant::now();
            for _ in 0..2 {
                let fact = Fact::Drained { by: "a bench".to_owned() };
                journal.append(vec![Entry { at: clock.now(), terminal: None, session: None, fact }]).await.unwrap();
            }
            appends.push(began.elapsed());
        }
        fleet.go_down(Duration::ZERO).await;
        (wire, appends)
    });
    wire.sort_unstable();
    appends.sort_unstable();
    let (wire, appends) = (wire[SESSIONS / 2], appends[SESSIONS / 2]);
    eprintln!(
        "commit: {wire:?} from request to frame on the wire, {appends:?} for two durable appends alone (medians of {SESSIONS}); \
         ratio {:.2}",
        wire.as_secs_f64() / appends.as_secs_f64()
    );
}
