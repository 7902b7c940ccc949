//! Faults by chance, from a seed: the same seed and the same requests give the same faults.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use super::fault::Fault;

/// How likely each fault is for a request, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chances {
    /// The request is lost.
    pub lose_request: f64,
    /// The request is processed, the answer lost.
    pub lose_answer: f64,
    /// The link is cut before the request is processed.
    pub cut_before: f64,
    /// The link is cut after the request was processed, before the answer.
    pub cut_after: f64,
    /// A byte of the answer is wrong, and the checksum shows it.
    pub corrupt: f64,
}

impl Chances {
    /// Name and value of each.
    pub const fn each(&self) -> [(&'static str, f64, Fault); 5] {
        [
            ("lose_request", self.lose_request, Fault::LoseRequest),
            ("lose_answer", self.lose_answer, Fault::LoseAnswer),
            ("cut_before", self.cut_before, Fault::CutBefore),
            ("cut_after", self.cut_after, Fault::CutAfter),
            ("corrupt", self.corrupt, Fault::Corrupt),
        ]
    }
}

/// Chances and what decides them.
#[derive(Debug)]
pub(super) struct Dice {
    chances: Chances,
    random: StdRng,
}

impl Dice {
    pub(super) fn new(chances: Chances, seed: u64) -> Self {
        Self { chances, random: StdRng::seed_from_u64(seed) }
    }

    /// What befalls a request, or, if it is not the request that fails, its answer.
    pub(super) fn roll(&mut self, request: bool) -> Option<Fault> {
        // One throw decides between all of them, so that their chances add up.
        let mut left: f64 = self.random.random();
        for (_, chance, fault) in self.chances.each() {
            if fault.befalls_request() == request {
                if left < chance {
                    return Some(fault);
                }
                left -= chance;
            }
        }
        None
    }
}
