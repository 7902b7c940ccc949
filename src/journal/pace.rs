//! Whether the journal keeps pace. Pure: the time is an argument.
//!
//! ```text
//!             3 slow appends within 60 s, or one that takes 5 times as long
//!   in step ───────────────────────────────────────────────────────────────► slow
//!      ▲                                                                       │  an append of more than half the limit
//!      └─────────────── 30 s without a slow one, and none under way ◄──────────┘  counts as slow now
//! ```
//!
//! A card's owner waits for several appends one after the other, so that one slow one is bad luck and three are a state. Appends that
//! overlap wait for the same disk, and count once. Where nothing is appended nothing is slow: cards are taken again after a while,
//! and a journal that is slow still is known by the next few appends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Timestamp;

/// So many slow appends …
const STRIKES: usize = 3;

/// … within this time mean that the journal is slow.
const WITHIN: Duration = Duration::from_secs(60);

/// So long it must not have been slow to be in step again.
const CALM: Duration = Duration::from_secs(30);

/// One append that takes so many times the limit is enough.
const FAR_TOO_LONG: u32 = 5;

/// Names an append that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Started(u64);

/// See the module.
#[derive(Clone, Debug)]
pub struct Pace {
    slow_after: Duration,
    under_way: BTreeMap<Started, Timestamp>,
    next: u64,
    /// When slow appends ended.
    strikes: VecDeque<Timestamp>,
    slow: bool,
}

impl Pace {
    /// A journal of which nothing is known; an append that takes longer than this is slow.
    pub fn new(slow_after: Duration) -> Self {
        Self { slow_after, under_way: BTreeMap::new(), next: 0, strikes: VecDeque::new(), slow: false }
    }

    /// Another limit: what was judged by the one before is forgotten.
    pub fn limit(&mut self, slow_after: Duration) {
        if slow_after != self.slow_after {
            self.slow_after = slow_after;
            self.strikes.clear();
            self.slow = false;
        }
    }

    /// An append is asked for.
    pub fn began(&mut self, now: Timestamp) -> Started {
        let started = Started(self.next);
        self.next = self.next.wrapping_add(1);
        self.under_way.insert(started, now);
        started
    }

    /// It was answered, well or not.
    pub fn ended(&mut self, started: Started, now: Timestamp) {
        let Some(began) = self.under_way.remove(&started) else { return };
        let limit = if self.slow { self.slow_after / 2 } else { self.slow_after };
        let overlaps = self.strikes.back().is_some_and(|last| began < *last);
        if now.since(began) > limit && (self.slow || !overlaps) {
            self.strikes.push_back(now);
            if self.strikes.len() > STRIKES {
                self.strikes.pop_front();
            }
        }
        self.judge(now);
    }

    /// Why the journal is too slow for new cards; none when it is not.
    pub fn slow(&mut self, now: Timestamp) -> Option<String> {
        self.judge(now);
        self.slow.then(|| {
            let limit = self.slow_after.as_millis();
            format!("its appends take longer than {limit} ms (journal.slow_after)")
        })
    }

    fn judge(&mut self, now: Timestamp) {
        let oldest = self.under_way.values().min().map_or(Duration::ZERO, |began| now.since(*began));
        if self.slow {
            let calm = self.strikes.back().is_none_or(|last| now.since(*last) >= CALM);
            if calm && oldest <= self.slow_after {
                self.slow = false;
                self.strikes.clear();
            }
        } else {
            let recent = self.strikes.iter().filter(|at| now.since(**at) < WITHIN).count();
            self.slow = recent >= STRIKES || oldest > self.slow_after.saturating_mul(FAR_TOO_LONG);
        }
    }
}
