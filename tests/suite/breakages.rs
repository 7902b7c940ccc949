//! Ways to break a depot, and which alert says so after how long: the table in README. Times are divided, and told as they would
//! be undivided. It takes minutes, so it runs when it is asked for:
//! `cargo test --test suite breakages -- --ignored --nocapture`.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quittance::protocol::response::Reason;
use quittance::sim::{Command, Fault};
use serde_json::{Value, json};

use super::prometheus::{Alert, Watchers};
use super::rig::{Builder, Rig, SmallDisk};

/// Twenty seconds of the rules are one second here.
const FASTER: f64 = 20.0;

/// Longer than the longest that is waited for: a quarter of an hour of the rules.
const LIMIT: Duration = Duration::from_secs(170);

/// What was broken, where, when, and what should be said.
struct Breakage {
    what: &'static str,
    alert: &'static str,
    instance: &'static str,
    terminal: Option<&'static str>,
    at: Instant,
    said_after: Option<Duration>,
}

impl Breakage {
    fn is_told_by(&self, alert: &Alert) -> bool {
        let here = |label: &str, value: Option<&str>| value.is_none_or(|value| alert.labels[label] == value);
        alert.name == self.alert && here("instance", Some(self.instance)) && here("terminal", self.terminal)
    }
}

/// The depots: most things happen to one terminal and are tried side by side in the first; the others lose what they have only one of.
struct Depots {
    broken: Mutex<Vec<Breakage>>,
}

impl Depots {
    fn broke(&self, what: &'static str, instance: &'static str, terminal: Option<&'static str>, alert: &'static str) {
        let breakage = Breakage { what, alert, instance, terminal, at: Instant::now(), said_after: None };
        self.broken.lock().unwrap().push(breakage);
    }
}

fn patient() -> Builder {
    // As in a depot, except for what the test would have to wait for.
    Rig::builder().supervision("intensity", "5").supervision("period", "\"60s\"").supervision("quarantine_retry", "\"10s\"")
}

fn held(rig: &Rig, terminal: &str) -> String {
    let session = rig.approve(terminal, 5000);
    rig.energy(&session, 100);
    session
}

fn decide(rig: &Rig, session: &str) {
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
    assert_eq!(status, 202, "{body}");
}

#[test]
#[ignore = "takes minutes; prints the table in README"]
fn which_alert_tells_what_is_broken_and_after_how_long() {
    let disk = SmallDisk::mount().expect("a small file system must be mounted for this");
    let many = patient().apollos(9).with_serial_numbers().timeout("commit", "\"500ms\"").start();
    let killed = patient().apollos(1).start();
    let idle = patient().apollos(1).start();
    let full = patient().apollos(1).journal(disk.path().join("journal.db")).start();
    let lost = patient().p6xs(1).start();
    let looping = patient().apollos(1).start();
    let places = || {
        let rigs =
            [("many", &many), ("killed", &killed), ("idle", &idle), ("full", &full), ("lost", &lost), ("looping", &looping)];
        rigs.map(|(name, rig)| (name, rig.api.address()))
    };
    let watchers = Watchers::start(FASTER, &places()).expect("Prometheus and Alertmanager must be installed for this");
    let depots = Depots { broken: Mutex::new(Vec::new()) };
    let all_broken = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let table = scope.spawn(|| watch(&watchers, &depots, &all_broken));
        // Everything is whole, and Prometheus has seen it.
        let session =
            ["apollo-1", "apollo-2", "apollo-4", "apollo-6", "apollo-7", "apollo-8"].map(|terminal| held(&many, terminal));
        held(&killed, "apollo-1");
        held(&lost, "p6x-1");
        watchers.until("seen", |_| {
            (watchers.get("query?query=sum(quittance_sessions_undisposed)")["result"][0]["value"][1] == "8").then_some(())
        });

        let one = |what, terminal, alert| depots.broke(what, "many", Some(terminal), alert);
        many.terminal("apollo-1").unplug();
        one("a terminal with a hold is cut off", "apollo-1", "QuittanceLinkDownWithHolds");
        many.terminal("apollo-2").unplug();
        decide(&many, &session[1]);
        one("a terminal is cut off, and a commit is decided", "apollo-2", "QuittanceUndisposed");
        many.terminal("apollo-3").unplug();
        one("a terminal without holds is switched off", "apollo-3", "QuittanceLinkDown");
        many.terminal("apollo-4").set_serial_number("SOMEBODY-ELSE");
        many.terminal("apollo-4").cut();
        one("another device answers at the address", "apollo-4", "QuittanceWrongTerminal");
        let doubtful = many.open("apollo-5", 5000);
        many.terminal("apollo-5").approve_while_cut();
        many.tap("apollo-5", &many.new_card());
        many.wait_state(&doubtful, "in_doubt");
        one("the answer to an authorisation is lost (Apollo)", "apollo-5", "QuittanceInDoubt");
        many.terminal("apollo-6").power_cycle_forgetting();
        decide(&many, &session[3]);
        many.wait_state(&session[3], "uncertain");
        one("a terminal forgets its hold", "apollo-6", "QuittanceUncertain");
        (0..500).for_each(|_| many.terminal("apollo-7").plan(Command::Commit, Fault::LoseRequest));
        decide(&many, &session[4]);
        one("a terminal never answers Commit", "apollo-7", "QuittanceDisposalRetries");
        (0..500).for_each(|_| many.terminal("apollo-8").plan(Command::Setup, Fault::Refuse(Reason::INVALID_STATE)));
        many.terminal("apollo-8").cut();
        one("a terminal with a hold refuses Setup", "apollo-8", "QuittanceDeadManMismatch");
        for _ in 0..8 {
            many.until("up", || (many.metric("quittance_link_up", &[("terminal", "apollo-9")]) == 1.0).then_some(()));
            let lost = many.metric("quittance_link_restarts_total", &[("terminal", "apollo-9")]);
            many.terminal("apollo-9").cut();
            many.until("lost", || {
                (many.metric("quittance_link_restarts_total", &[("terminal", "apollo-9")]) > lost).then_some(())
            });
        }
        one("a loose plug: eight losses in a row", "apollo-9", "QuittanceLinkFlapping");

        disk.fill();
        // It notices with the next thing that it has to remember.
        let (status, body) = full.api.post("/v1/sessions", &json!({ "terminal": "apollo-1", "amount": 100 }));
        assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{body}");
        depots.broke("the disk is full", "full", None, "QuittanceJournalFailing");
        lost.kill9();
        for end in ["", "-wal", "-shm"] {
            let path = format!("{}{end}", lost.journal().display());
            assert!(fs::remove_file(&path).is_ok() || !end.is_empty(), "{path}");
        }
        lost.start_again();
        depots.broke("the journal is lost; the P6X holds an orphan", "lost", Some("p6x-1"), "QuittanceOrphanFound");
        watchers.moved(&places());
        killed.kill9();
        depots.broke("the orchestrator is killed with a hold", "killed", None, "QuittanceGoneWithHolds");
        idle.kill9();
        depots.broke("the orchestrator is killed without holds", "idle", None, "QuittanceDown");
        depots.broke("the orchestrator is killed again and again", "looping", None, "QuittanceRestartLoop");
        for _ in 0..4 {
            looping.kill9();
            looping.start_again();
            watchers.moved(&places());
            let start = started(&looping.api.metrics());
            watchers.until("scraped", |_| {
                let known = watchers.get("query?query=process_start_time_seconds");
                let mut known = known["result"].as_array().unwrap().iter();
                known.any(|series| series["value"][1] == start.as_str()).then_some(())
            });
        }
        all_broken.store(true, Ordering::Relaxed);
        eprintln!("\n| what is broken | alert | severity | after |\n|---|---|---|---|\n{}", table.join().unwrap());
    });
}

/// When the process says that it was started, in Prometheus' own words.
fn started(metrics: &str) -> String {
    metrics.lines().find_map(|line| line.strip_prefix("process_start_time_seconds ")).unwrap().to_owned()
}

/// Looks at the alerts until each breakage was told; the table's rows.
fn watch(watchers: &Watchers, depots: &Depots, all_broken: &AtomicBool) -> String {
    let began = Instant::now();
    let mut severities: Vec<(&str, Value)> = Vec::new();
    loop {
        let alerts = watchers.alerts();
        let mut broken = depots.broken.lock().unwrap();
        for breakage in broken.iter_mut().filter(|breakage| breakage.said_after.is_none()) {
            let told = alerts.iter().find(|alert| alert.state == "firing" && breakage.is_told_by(alert));
            if let Some(alert) = told {
                breakage.said_after = Some(breakage.at.elapsed());
                severities.push((breakage.what, alert.labels["severity"].clone()));
            }
        }
        if all_broken.load(Ordering::Relaxed) && broken.iter().all(|breakage| breakage.said_after.is_some()) {
            break;
        }
        let open: Vec<&str> = broken.iter().filter(|one| one.said_after.is_none()).map(|one| one.what).collect();
        assert!(began.elapsed() < LIMIT, "not told: {open:#?} of {alerts:#?}");
        drop(broken);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let broken = depots.broken.lock().unwrap();
    let row = |breakage: &Breakage| {
        let seconds = (breakage.said_after.unwrap().as_secs_f64() * FASTER).round() as u64;
        let severity = severities.iter().find(|(what, _)| *what == breakage.what).unwrap().1.as_str().unwrap().to_owned();
        format!("| {} | {} | {severity} | {} min {:02} s |", breakage.what, breakage.alert, seconds / 60, seconds % 60)
    };
    broken.iter().map(row).collect::<Vec<_>>().join("\n")
}
