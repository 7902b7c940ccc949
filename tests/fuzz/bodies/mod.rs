//! What each fuzz target does with its bytes. Plain functions: `targets/` gives them to libFuzzer, and `tests/suite/fuzzed.rs`
//! gives them the corpus and random bytes, so that what a fuzzer has found stays found without one.
//!
//! A body panics when a promise is broken. The promises: nothing panics, every call makes progress, what is allocated is
//! bounded by what came, a frame that comes out went in, and what is encoded comes back the same.

mod config;
mod decoder;
mod explain;
pub(crate) mod messages;
mod payloads;
pub(crate) mod source;

pub(crate) use config::config;
pub(crate) use decoder::decoder;
pub(crate) use explain::explain;
pub(crate) use messages::round_trip;
pub(crate) use payloads::{dol, requests, responses};

/// A target.
pub(crate) type Body = fn(&[u8]);

/// Every target by its name, which is that of its file in `targets/` and of its folder in `corpus/`.
#[allow(dead_code, reason = "libFuzzer calls one at a time")]
pub(crate) const ALL: [(&str, Body); 7] = [
    ("config", config),
    ("decoder", decoder),
    ("dol", dol),
    ("explain", explain),
    ("requests", requests),
    ("responses", responses),
    ("round_trip", round_trip),
];

/// Runs what must not hold more than so many bytes at once.
fn within<T>(bytes: usize, what: impl FnOnce() -> T) -> T {
    let mut value = None;
    let used = allocation_counter::measure(|| value = Some(what()));
    assert!(used.bytes_max <= bytes as u64, "{} bytes at once, but {bytes} are enough", used.bytes_max);
    value.unwrap()
}
