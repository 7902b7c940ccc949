//! How many requests a client may make: a token's bearer counts as one client, and everybody without one by their address. Far above what a
//! depot needs, it only keeps a program that has gone wild from taking the machine. What ends, keeps or protects a hold is never
//! counted: no disposal waits because somebody reads too much.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

/// After a pause, so many seconds' worth of requests may come at once.
const BURST_SECONDS: u32 = 5;

/// After so many strangers those that were not seen for a while are forgotten.
const FORGET_EVERY: usize = 1024;

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// The bearer of the token of this name.
    Token(String),
    /// Somebody without a token that is known.
    Address(IpAddr),
}

impl Client {
    /// Whoever speaks from this address. Whoever has one address of the sixth version has a whole network of them.
    pub(super) fn at(address: Option<IpAddr>) -> Self {
        Self::Address(match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            Some(address) => address,
            None => Ipv6Addr::UNSPECIFIED.into(),
        })
    }
}

type Counted<C> = RateLimiter<Client, DefaultKeyedStateStore<Client>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Counts requests. The clock is another one in tests.
pub(super) struct Limits<C: Clock = DefaultClock> {
    counted: Option<Counted<C>>,
    clock: C,
    strangers: AtomicUsize,
}

impl Limits {
    /// So many requests a second; none is no limit.
    pub(super) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self::with_clock(per_second, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limits<C> {
    fn with_clock(per_second: Option<NonZeroU32>, clock: C) -> Self {
        let quota = |per_second: NonZeroU32| {
            let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
            Quota::per_second(per_second).allow_burst(burst)
        };
        let counted =
            per_second.map(|per_second| RateLimiter::new(quota(per_second), DefaultKeyedStateStore::default(), clock.clone()));
        Self { counted, clock, strangers: AtomicUsize::new(0) }
    }

    /// Counts a request; if it is one too many, after how long to ask again.
    pub(super) fn take(&self, client: Client) -> Result<(), Duration> {
        let Some(counted) = &self.counted else { return Ok(()) };
        if matches!(client, Client::Address(_))
            && self.strangers.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1
        {
            counted.retain_recent();
        }
        counted.check_key(&client).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn token(name: &str) -> Client {
        Client::Token(name.to_owned())
    }

    /// A burst passes, the next one waits as long as it is told, and others do not notice.
    #[test]
    fn one_client_too_many_times() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(NonZeroU32::new(10), clock.clone());
        for _ in 0..50 {
            assert_eq!(limits.take(token("wild")), Ok(()));
        }
        let wait = limits.take(token("wild")).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(limits.take(token("charger")), Ok(()));
        assert_eq!(limits.take(Client::at(None)), Ok(()));
        clock.advance(wait);
        assert_eq!(limits.take(token("wild")), Ok(()));
        assert!(limits.take(token("wild")).is_err());
    }

    /// One network of the sixth version is one client, and an address of the fourth is the same however it is written.
    #[test]
    fn addresses() {
        let at = |text: &str| Client::at(Some(text.parse().unwrap()));
        assert_eq!(at("2001:db8:1:2::3"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::3"), at("2001:db8:1:3::3"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }

    #[test]
    fn no_limit() {
        let limits = Limits::with_clock(None, FakeRelativeClock::default());
        assert!((0..10_000).all(|_| limits.take(token("wild")).is_ok()));
    }

    /// Strangers are forgotten when they are quiet: a thousand addresses do not stay for ever.
    #[test]
    fn strangers_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(NonZeroU32::new(1), clock.clone());
        let stranger = |number: u32| Client::at(Some(IpAddr::V4(number.into())));
        (0..1000).for_each(|number| assert_eq!(limits.take(stranger(number)), Ok(())));
        clock.advance(Duration::from_secs(60));
        (0..24).for_each(|number| assert_eq!(limits.take(stranger(number)), Ok(())));
        assert!(limits.counted.as_ref().unwrap().len() < 100);
    }
}
