use super::*;

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

#[test]
fn histories() {
    use Do::{Fail, Settle};
    let lost = || Fail(Reason::Lost(Loss::Closed));
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
        ("another device: at once", vec![(0, Fail(Reason::Identity), quarantine(300))]),
        (
            "out of quarantine by holding",
            vec![(0, Fail(Reason::Identity), quarantine(300)), (300, Settle, None), (360, Fail(Reason::Panic), again(1))],
        ),
        (
            "not out of quarantine by a short success",
            vec![(0, Fail(Reason::Identity), quarantine(300)), (300, Settle, None), (359, lost(), quarantine(300))],
        ),
        (
            "dropping a link is no failure",
            vec![
                (0, Fail(Reason::Lost(Loss::Dropped)), again(1)),
                (1, Fail(Reason::Lost(Loss::Dropped)), again(1)),
                (2, Fail(Reason::Lost(Loss::Dropped)), again(1)),
                (3, Fail(Reason::Lost(Loss::Dropped)), again(1)),
                (4, Fail(Reason::Lost(Loss::Dropped)), again(1)),
                (5, Fail(Reason::Identity), quarantine(300)),
                (6, Fail(Reason::Lost(Loss::Dropped)), quarantine(1)),
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

#[test]
fn quarantine_ends_while_the_link_holds() {
    let at = |second| Timestamp::from_unix_millis(0).after(seconds(second));
    let mut history = history();
    history.failed(&Reason::Identity, at(0), 0.5);
    assert_eq!(history.leaves_quarantine_at(), None);
    history.settled(at(300));
    assert_eq!(history.leaves_quarantine_at(), Some(at(360)));
    assert!(history.quarantined(at(359)));
    assert!(!history.quarantined(at(360)));
}
