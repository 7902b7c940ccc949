//! How fast the parts are whose speed matters. Each has a module; each measures a plain yardstick in the same run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking")]

mod commit;
mod events;
mod journal;
mod protocol;
mod scrape;

criterion::criterion_group!(journal_benches, journal::bench);
criterion::criterion_group!(commit_benches, commit::bench);
criterion::criterion_group!(events_benches, events::bench);
criterion::criterion_group!(scrape_benches, scrape::bench);
criterion::criterion_main!(protocol::benches, journal_benches, commit_benches, events_benches, scrape_benches);
