//! Time as the program knows it. A [`Timestamp`] is wall-clock time, since deadlines must survive a restart. Inside a run it is
//! counted on from the start by the monotonic clock ([`Clock`]), so a jump of the wall clock neither fires nor delays a
//! deadline; the jump is noticed, logged, and taken over at the next start.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A moment in UTC, to the millisecond. Written as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment so many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z, for metrics.
    pub fn unix_seconds(self) -> f64 {
        // Exact for the next 285 thousand years: 2^53 milliseconds.
        self.0 as f64 / 1000.0
    }

    /// This much later. The far end of time stands for what does not fit.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; nothing when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0)).map_or(Duration::ZERO, Duration::from_millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let nanos = i128::from(self.0).saturating_mul(1_000_000);
        let text = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|moment| moment.format(format).ok());
        f.write_str(text.as_deref().unwrap_or("9999-12-31T23:59:59.999Z"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = OffsetDateTime::parse(text, &Rfc3339)?;
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(Self(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = time::error::Parse;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

/// Where drivers (never machines) learn what time it is. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Timestamp,
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock that reads the wall clock once, now, and counts on monotonically.
    #[expect(clippy::disallowed_methods, reason = "the one place where wall and monotonic time come in")]
    pub fn start() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self::starting_at(Timestamp(i64::try_from(millis).unwrap_or(i64::MAX)))
    }

    /// A clock that says `started` now; for simulations.
    #[expect(clippy::disallowed_methods, reason = "the one place where wall and monotonic time come in")]
    pub fn starting_at(started: Timestamp) -> Self {
        Self { started, origin: tokio::time::Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.started.after(self.origin.elapsed())
    }

    /// The same clock, or, if it says less than this, one that says this now. Whoever has set the wall clock back while the program was
    /// down would otherwise make what the journal holds look as if it were still to come.
    #[must_use]
    pub fn not_before(self, moment: Timestamp) -> Self {
        if self.now() < moment { Self::starting_at(moment) } else { self }
    }

    /// The time in microseconds since 1970-01-01T00:00:00Z, for what people read beside other traces of the same wire.
    pub fn unix_micros(&self) -> i64 {
        let since = i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.started.0.saturating_mul(1000).saturating_add(since)
    }

    /// The monotonic instant at which this clock will say `moment`; what timers sleep until.
    pub fn instant_of(&self, moment: Timestamp) -> tokio::time::Instant {
        // A year is longer than any timer of ours, and keeps the addition from overflowing.
        let ahead = moment.since(self.started).min(Duration::from_secs(366 * 24 * 3600) + self.origin.elapsed());
        self.origin + ahead
    }

    /// How far the wall clock has moved against this one, in milliseconds: more than a few mean that somebody set it.
    #[expect(clippy::disallowed_methods, reason = "compares the two clocks")]
    pub fn drift_millis(&self) -> i64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        i64::try_from(wall).unwrap_or(i64::MAX).saturating_sub(self.now().unix_millis())
    }
}
