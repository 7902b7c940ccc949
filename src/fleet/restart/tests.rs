use super::*;
use crate::link::Loss;
use crate::metrics::RESTART_REASONS;
use crate::tls::Fault;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn history() -> History {
    History::new(Supervision {
        backoff_min: seconds(1),
        backoff_max: seconds(8),
        intensity: 5,
        period: seconds(60),
        quarantine_retry: seconds(300),
    })
}

enum Do {
    Fail(Reason),
    Settle,
}

fn given_up(trouble: Trouble) -> Reason {
    Reason::Link(Ending::GivenUp(trouble))
}

#[test]
fn histories() {
    use Do::{Fail, Settle};
    let lost = || Fail(Reason::Link(Ending::Lost(Loss::Closed)));
    let identity = || Fail(given_up(Trouble::Identity));
    let asked = || Fail(given_up(Trouble::Asked));
    let again = |after| Some(Verdict::Again { after: seconds(after) });
    let quarantine = |after| Some(Verdict::Quarantine { after: seconds(after) });
    // (second, what happens, what follows); jitter is 1, so every wait is a whole one.
    type Row = (&'static str, Vec<(u64, Do, Option<Verdict>)>);
    let table: Vec<Row> = vec![
        (
            "longer each time, then quarantine, which stays",
            vec![
                (0, lost(), again(1)),
                (1, lost(), again(2)),
                (3, lost(), again(4)),
                (7, lost(), again(8)),
                (15, lost(), quarantine(300)),
                (315, lost(), quarantine(300)),
                (999, lost(), quarantine(300)),
            ],
        ),
        (
            "never longer than the longest, when failures are rare",
            vec![
                (0, lost(), again(1)),
                (50, lost(), again(2)),
                (100, lost(), again(4)),
                (150, lost(), again(8)),
                (200, lost(), again(8)),
                (250, lost(), again(8)),
            ],
        ),
        ("a link that does not hold forgives nothing", vec![(0, lost(), again(1)), (1, Settle, None), (60, lost(), again(2))]),
        (
            "a link that held forgives",
            vec![(0, lost(), again(1)), (1, lost(), again(2)), (3, Settle, None), (63, lost(), again(1))],
        ),
        ("another device: at once", vec![(0, identity(), quarantine(300))]),
        (
            "out of quarantine by holding",
            vec![(0, identity(), quarantine(300)), (300, Settle, None), (360, Fail(Reason::Panic), again(1))],
        ),
        (
            "not out of quarantine by a short success",
            vec![(0, identity(), quarantine(300)), (300, Settle, None), (359, lost(), quarantine(300))],
        ),
        (
            "who asks for another link gets it at once, also out of quarantine",
            vec![
                (0, lost(), again(1)),
                (1, asked(), again(0)),
                (2, lost(), again(1)),
                (5, identity(), quarantine(300)),
                (6, asked(), again(0)),
                (7, lost(), again(1)),
            ],
        ),
    ];
    for (name, steps) in table {
        let mut history = history();
        for (second, action, expected) in steps {
            let now = Timestamp::from_unix_millis(0).after(seconds(second));
            let verdict = match action {
                Fail(reason) => Some(history.failed(&reason, now, 1.0)),
                Settle => {
                    history.settled(now);
                    None
                }
            };
            assert_eq!(verdict, expected, "{name}, second {second}");
        }
    }
}

/// Every label has a series that starts at zero, and every such series has a label that can come.
#[test]
fn every_reason_has_its_series() {
    let losses = [
        Loss::Refused(String::new()),
        Loss::Tls(Fault::NotTls),
        Loss::Closed,
        Loss::Io(String::new()),
        Loss::Timeout("commit_session"),
        Loss::Garbage,
        Loss::OutOfStep,
        Loss::Dropped,
    ];
    let lost = losses.map(|loss| Reason::Link(Ending::Lost(loss)));
    let reasons = lost.into_iter().chain(Trouble::ALL.map(given_up)).chain([Reason::Panic]);
    let mut labels: Vec<_> = reasons.map(|reason| reason.label()).collect();
    labels.sort_unstable();
    labels.dedup();
    let mut series = RESTART_REASONS.to_vec();
    series.sort_unstable();
    assert_eq!(labels, series);
}
