//! How long a scrape takes in a depot of a thousand terminals: while they do what they always do, and when every single one has
//! changed since the program last looked, which it does each second. Beside them, in the same run, copying a text of that length:
//! the least that any scrape costs.

use std::time::{Duration, Instant};

use criterion::Criterion;
use quittance::id::TerminalId;
use quittance::metrics::Metrics;
use quittance::protocol::Family;

/// How many terminals.
const TERMINALS: usize = 1000;

/// How many of them answer a status within a second: each is asked every 15 s (`keepalive`).
const ANSWERS_A_SECOND: usize = TERMINALS / 15;

/// How often each is measured.
const SCRAPES: usize = 15;

/// Prints the medians and their ratio.
pub(crate) fn bench(_: &mut Criterion) {
    let terminals: Vec<(TerminalId, Family)> =
        (0..TERMINALS).map(|number| (format!("bay-{number:04}").parse().unwrap(), Family::Apollo)).collect();
    let metrics = Metrics::new("bench", "bench", "EUR".parse().unwrap(), &terminals);
    let text = metrics.render();
    let answers = |answers: usize| {
        for (id, _) in terminals.iter().take(answers) {
            metrics.terminal(id).unwrap().exchange("get_status", Duration::from_millis(3));
        }
    };
    let usual = median(|| answers(ANSWERS_A_SECOND), || metrics.render());
    let all = median(|| answers(TERMINALS), || metrics.render());
    let copy = median(|| (), || std::hint::black_box(&text).clone());
    eprintln!(
        "scrape of {TERMINALS} terminals, {} lines, {} bytes: {usual:?} when {ANSWERS_A_SECOND} changed, {all:?} when all changed; \
         {copy:?} for copying as many bytes (medians of {SCRAPES}); ratios {:.1} and {:.1}",
        text.lines().count(),
        text.len(),
        usual.as_secs_f64() / copy.as_secs_f64(),
        all.as_secs_f64() / copy.as_secs_f64(),
    );
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the time")]
fn median(before: impl Fn(), mut work: impl FnMut() -> String) -> Duration {
    let mut took: Vec<_> = (0..SCRAPES)
        .map(|_| {
            before();
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
