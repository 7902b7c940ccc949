//! How long a scrape takes in a depot of a thousand terminals. Beside it, in the same run, copying a text of that length: the
//! least that any scrape costs.

use std::time::Instant;

use criterion::Criterion;
use quittance::id::TerminalId;
use quittance::metrics::Metrics;
use quittance::protocol::Family;

/// How many terminals.
const TERMINALS: usize = 1000;

/// How often each is measured.
const SCRAPES: usize = 15;

/// Prints the medians and their ratio.
pub(crate) fn bench(_: &mut Criterion) {
    let terminals: Vec<(TerminalId, Family)> =
        (0..TERMINALS).map(|number| (format!("bay-{number:04}").parse().unwrap(), Family::Apollo)).collect();
    let metrics = Metrics::new("bench", "bench", "EUR".parse().unwrap(), &terminals);
    let text = metrics.render();
    let scrape = median(|| metrics.render());
    let copy = median(|| std::hint::black_box(&text).clone());
    eprintln!(
        "scrape: {scrape:?} for {TERMINALS} terminals, {} lines, {} bytes; {copy:?} for copying as many bytes (medians of \
         {SCRAPES}); ratio {:.1}",
        text.lines().count(),
        text.len(),
        scrape.as_secs_f64() / copy.as_secs_f64()
    );
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the time")]
fn median(mut work: impl FnMut() -> String) -> std::time::Duration {
    let mut took: Vec<_> = (0..SCRAPES)
        .map(|_| {
            let began = Instant::now();
            let made = std::hint::black_box(work());
            let took = began.elapsed();
            drop(made);
            took
        })
        .collect();
    took.sort_unstable();
    took[SCRAPES / 2]
}
