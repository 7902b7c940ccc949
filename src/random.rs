//! Randomness as drivers bring it to machines: names of sessions, numbers of card flows, jitter. Never for secrets.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Where randomness comes from. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Randomness(Option<Arc<Mutex<StdRng>>>);

impl Randomness {
    /// The operating system's.
    pub const fn of_system() -> Self {
        Self(None)
    }

    /// The same seed and the same questions give the same answers; for simulations.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// What makes a session's name its own.
    pub fn name(&self) -> [u8; 10] {
        self.with(|random| random.random(), rand::random)
    }

    /// A number from 1 to the largest.
    pub fn number(&self) -> u32 {
        self.with(|random| random.random_range(1..=u32::MAX), || rand::random_range(1..=u32::MAX))
    }

    /// Something from 0 to 1, so that not everybody comes at once.
    pub fn jitter(&self) -> f64 {
        self.with(|random| random.random(), rand::random)
    }

    fn with<T>(&self, seeded: impl FnOnce(&mut StdRng) -> T, system: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(random) => seeded(&mut random.lock().unwrap_or_else(PoisonError::into_inner)),
            None => system(),
        }
    }
}
