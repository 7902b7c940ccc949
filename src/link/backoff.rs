//! How long to wait before the next attempt. Pure: randomness is an argument.

use std::time::Duration;

/// The wait after so many failures in a row: `min`, then twice as long each time, at most `max`. Half of it is fixed and half
/// follows `jitter` (0 to 1), so that terminals which failed together do not come back together, and none comes back at
/// once. So the wait lies between `min / 2` and `max`. A `max` below `min` counts as `min`.
pub fn delay(failures_in_a_row: u32, min: Duration, max: Duration, jitter: f64) -> Duration {
    let doublings = failures_in_a_row.saturating_sub(1);
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let whole = min.saturating_mul(factor).min(max.max(min));
    let half = whole / 2;
    // What is no number must not become a wait of nothing.
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    // As a float the product may be rounded up past the half.
    let spread = Duration::try_from_secs_f64(half.as_secs_f64() * jitter).unwrap_or(half).min(half);
    half.saturating_add(spread)
}
