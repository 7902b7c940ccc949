//! What a watcher's terminal is told.

use super::*;

/// Each line replaces the one that was there, and what was below goes.
#[test]
fn a_redraw_leaves_nothing_of_the_last_one() {
    assert_eq!(in_place("T", "a\nb\n", 0), "\u{1b}[HT\u{1b}[K\n\u{1b}[K\na\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
}

/// A terminal never scrolls: what does not fit is counted.
#[test]
fn what_does_not_fit_is_counted() {
    let painted = in_place("T", "a\nb\nc\nd\n", 5);
    assert_eq!(painted, "\u{1b}[HT\u{1b}[K\n\u{1b}[K\na\u{1b}[K\n… and 3 more lines\u{1b}[K\n\u{1b}[J");
    assert_eq!(painted.lines().count(), 5);
    assert!(!in_place("T", "a\nb\n", 5).contains("more"));
}

#[test]
fn an_interval_that_would_only_load_the_server_is_refused() {
    assert_eq!(parse_every("5s"), Ok(Duration::from_secs(5)));
    assert!(parse_every("0s").is_err() && parse_every("soon").is_err());
}
