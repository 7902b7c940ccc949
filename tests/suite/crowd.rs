//! Two hundred terminals in one program: three of them in trouble are nobody else's.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::rig::Rig;

const APOLLOS: usize = 180;
const P6XS: usize = 20;

/// Chargers that come at once, as after a shift.
const AT_ONCE: usize = 16;

/// What trouble elsewhere may cost: on a quiet machine nothing, but a test shares its machine.
const SLOWER_AT_MOST: u32 = 5;

/// Trouble next door stays, and the load of a shared machine passes: so often it is measured before the neighbours are to blame.
const ROUNDS_AT_MOST: usize = 6;

#[test]
fn three_terminals_in_trouble_do_not_disturb_the_others() {
    let rig = Rig::builder().apollos(APOLLOS).p6xs(P6XS).timeout("command", "\"1s\"").start();
    let [refusing, noisy, silent] = ["apollo-1", "apollo-2", "apollo-3"];
    let names = rig.names();
    let others = &names[3..];
    assert_eq!(others.len(), 197);
    let before = a_session_each(&rig, others);

    rig.terminal(refusing).refuse_connections(true);
    rig.terminal(silent).set_silent(true);
    rig.terminal(silent).cut();
    let over = AtomicBool::new(false);
    let mut rounds = 1;
    let after = std::thread::scope(|scope| {
        let _ending = Ending(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rig.terminal(noisy).send_bytes(&[0x55; 64]);
                rig.pause();
            }
        });
        for bad in [refusing, noisy, silent] {
            rig.until("in trouble", || (rig.metric("quittance_link_up", &[("terminal", bad)]) == 0.0).then_some(()));
        }
        loop {
            rounds += 1;
            let after = a_session_each(&rig, others);
            if after <= before * SLOWER_AT_MOST || rounds == ROUNDS_AT_MOST {
                return after;
            }
        }
    });

    eprintln!("median commit: {before:?} with good neighbours, {after:?} with bad ones");
    assert!(after <= before * SLOWER_AT_MOST, "{after:?} instead of {before:?}");
    assert_eq!(rig.bank().holds().len(), rounds * others.len());
    assert_eq!(rig.bank().ledger().captured, rounds as u64 * 700 * 197);
    for bad in [refusing, noisy, silent] {
        rig.terminal(bad).clear_faults();
        rig.terminal(bad).refuse_connections(false);
        rig.until("up again", || (rig.metric("quittance_link_up", &[("terminal", bad)]) == 1.0).then_some(()));
    }
    rig.finish();
}

/// Ends the noise when it goes, also with a test that fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A session on each terminal, some at a time; the median of what their commits took.
fn a_session_each(rig: &Rig, names: &[String]) -> Duration {
    let next = AtomicUsize::new(0);
    let took = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let session = rig.approve(name, 1500);
                    let began = Instant::now();
                    let body = rig.commit(&session, 700);
                    let elapsed = began.elapsed();
                    assert_eq!(body["state"], "committed", "{body}");
                    took.lock().unwrap().push(elapsed);
                }
            });
        }
    });
    let mut took = took.into_inner().unwrap();
    took.sort_unstable();
    took[took.len() / 2]
}
