//! When a journal is slow, and when it is in step again.

use super::*;
use crate::journal::pace::Pace;
use crate::journal::{Health, MemoryJournal, PacedJournal};
use crate::time::Clock;

const LIMIT: Duration = Duration::from_secs(1);

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(MORNING + millis)
}

/// When it began and when it ended, in milliseconds.
type Append = (i64, i64);

/// Each append by its beginning and its end, in milliseconds, in the order of their ends; and whether the journal is slow at that time.
fn slow_after(appends: &[Append], then: i64) -> bool {
    let mut pace = Pace::new(LIMIT);
    let mut started: Vec<_> = appends.iter().map(|append| (*append, None)).collect();
    let mut times: Vec<(i64, usize, bool)> = Vec::new();
    for (at, (began, ended)) in appends.iter().enumerate() {
        times.extend([(*began, at, false), (*ended, at, true)]);
    }
    times.sort_by_key(|(time, _, end)| (*time, *end));
    for (time, at, end) in times.into_iter().filter(|(time, _, _)| *time <= then) {
        match started[at].1.take() {
            Some(known) if end => pace.ended(known, moment(time)),
            _ => started[at].1 = Some(pace.began(moment(time))),
        }
    }
    pace.slow(moment(then)).is_some()
}

/// Three slow appends one after the other, within a minute, are too much; two, or three of the same sync, or three in a day, are not.
#[test]
fn one_slow_append_is_bad_luck_and_three_are_a_state() {
    let cases: [(&str, &[Append], i64, bool); 8] = [
        ("nothing", &[], 0, false),
        ("at the limit", &[(0, 1000), (1000, 2000), (2000, 3000)], 3000, false),
        ("two", &[(0, 1001), (2000, 3001)], 3001, false),
        ("three", &[(0, 1001), (2000, 3001), (4000, 5001)], 5001, true),
        ("three that waited for one disk", &[(0, 1500), (10, 1501), (20, 1502)], 1502, false),
        ("three in a long time", &[(0, 1001), (30_000, 31_001), (70_000, 71_001)], 71_001, false),
        ("fast ones between", &[(0, 1001), (1100, 1101), (2000, 3001), (3100, 3101), (4000, 5001)], 5001, true),
        ("one that hangs", &[(0, 60_000)], 5001, true),
    ];
    for (what, appends, then, slow) in cases {
        assert_eq!(slow_after(appends, then), slow, "{what}");
    }
    assert!(!slow_after(&[(0, 60_000)], 5000), "not yet");
}

/// It is in step again only after half a minute without one that takes more than half the limit.
#[test]
fn slow_is_left_later_than_it_is_entered() {
    let slow = [(0, 1001), (2000, 3001), (4000, 5001)];
    let and = |more: &[Append]| [slow.as_slice(), more].concat();
    assert!(slow_after(&slow, 35_000));
    assert!(!slow_after(&slow, 35_001));
    assert!(slow_after(&and(&[(20_000, 20_501)]), 50_500));
    assert!(!slow_after(&and(&[(20_000, 20_501)]), 50_501));
    assert!(!slow_after(&and(&[(20_000, 20_500)]), 35_001));
    // One that is under way for longer than the limit keeps it slow.
    assert!(slow_after(&and(&[(30_000, 90_000)]), 40_000));
    assert!(!slow_after(&and(&[(39_500, 90_000)]), 40_000));
}

/// Another limit judges anew; the same one changes nothing.
#[test]
fn another_limit_judges_anew() {
    let mut pace = Pace::new(LIMIT);
    let started = pace.began(moment(0));
    assert_eq!(pace.slow(moment(5001)), Some("its appends take longer than 1000 ms (journal.slow_after)".to_owned()));
    pace.limit(LIMIT);
    assert!(pace.slow(moment(5002)).is_some());
    pace.ended(started, moment(5003));
    pace.limit(LIMIT * 2);
    assert!(pace.slow(moment(5004)).is_none());
}

/// What is wrong with the journal itself goes before its pace, and an append whose answer nobody waits for is over.
#[tokio::test(start_paused = true)]
async fn health_knows_the_pace() {
    let inner = MemoryJournal::new();
    let journal = PacedJournal::new(Arc::new(inner.clone()), Clock::start(), LIMIT);
    inner.hold();
    let hanging = journal.append(vec![opened(1, "bay-01")]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(matches!(journal.health(), Health::Slow(why) if why.contains("1000 ms")));
    inner.release();
    hanging.await.unwrap();
    assert!(matches!(journal.health(), Health::Slow(_)), "not yet");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(journal.health(), Health::Writable);
    inner.hold();
    drop(journal.append(vec![opened(2, "bay-01")]));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(journal.health(), Health::Writable);
    inner.release();
    inner.refuse_next(2);
    journal.append(vec![opened(3, "bay-01")]).await.unwrap_err();
    assert!(matches!(journal.health(), Health::Failing(_)));
}
