//! Chance, all of it from the seed.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// A stream of chance.
#[derive(Debug)]
pub(crate) struct Dice(SmallRng);

impl Dice {
    /// The stream of a seed; each `stream` is another one.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }

    /// Whether something of this likelihood, 0 to 1, happens.
    pub(crate) fn chance(&mut self, likelihood: f64) -> bool {
        likelihood > 0.0 && self.0.random::<f64>() < likelihood
    }

    /// A number from the first to the last.
    pub(crate) fn number(&mut self, from: u32, to: u32) -> u32 {
        self.0.random_range(from..=to.max(from))
    }

    /// Likewise, as an index.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length.max(1))
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// The index of one of these weights.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.number(0, weights.iter().sum::<u32>().saturating_sub(1));
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// A time from so many to so many milliseconds.
    pub(crate) fn millis(&mut self, from: u32, to: u32) -> Duration {
        Duration::from_millis(u64::from(self.number(from, to)))
    }

    /// How long until something happens that happens about this often: mostly sooner, sometimes much later.
    pub(crate) fn until_next(&mut self, about: Duration) -> Duration {
        let unit: f64 = self.0.random::<f64>().max(1e-6);
        about.mul_f64((-unit.ln()).min(6.0)).max(Duration::from_millis(1))
    }

    /// A seed for somebody else.
    pub(crate) fn seed(&mut self) -> u64 {
        self.0.random()
    }
}
