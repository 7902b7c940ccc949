//! The back-off at its ends.

use std::time::Duration;

use crate::link::backoff::delay;

const MIN: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(60);

#[test]
fn doubles_from_min_to_max() {
    let table = [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (32, 60), (33, 60), (u32::MAX, 60)];
    for (failures, seconds) in table {
        assert_eq!(delay(failures, MIN, MAX, 1.0), Duration::from_secs(seconds), "after {failures} failures");
        assert_eq!(delay(failures, MIN, MAX, 0.0), Duration::from_secs(seconds) / 2, "after {failures} failures, no jitter");
    }
    assert_eq!(delay(3, MIN, MAX, 0.5), Duration::from_secs(3));
}

#[test]
fn stays_within_its_bounds_whatever_it_is_given() {
    for jitter in [-1.0, 0.0, 0.999_999, 1.0, 7.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let waited = delay(u32::MAX, MIN, MAX, jitter);
        assert!(waited >= MAX / 2 && waited <= MAX, "jitter {jitter} gives {waited:?}");
    }
    assert_eq!(delay(1, MAX, MIN, 1.0), MAX, "a max below min counts as min");
    assert_eq!(delay(u32::MAX, Duration::ZERO, MAX, 1.0), Duration::ZERO);
    assert!(delay(u32::MAX, Duration::MAX, Duration::MAX, 1.0) >= Duration::MAX / 2);
}
