//! Where the numbers are, and how they become Prometheus' text. What is registered stays: there is no idle time after which a
//! series would go, so a gauge survives a night without traffic and a counter never starts again.
//!
//! Own code, since a scrape of a thousand terminals must be done within a tenth of a second (`tests/bench/scrape.rs`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::names::{Kind, Name};

/// Labels in the order in which they are shown.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A series.
#[derive(Default)]
struct Cell {
    /// A counter's count; the bits of a gauge's value, or of the sum of a histogram.
    value: AtomicU64,
    /// A histogram's counts: one for each limit, one for what is beyond the last; not cumulated.
    counts: Box<[AtomicU64]>,
}

/// Only grows.
pub(super) struct Counter(Arc<Cell>);

/// Goes up and down.
pub(super) struct Gauge(Arc<Cell>);

/// Durations, counted in buckets.
pub(super) struct Histogram {
    limits: &'static [f64],
    cell: Arc<Cell>,
}

impl Counter {
    pub(super) fn increment(&self, by: u64) {
        self.0.value.fetch_add(by, Ordering::Relaxed);
    }
}

impl Gauge {
    pub(super) fn set(&self, value: f64) {
        self.0.value.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl Histogram {
    pub(super) fn record(&self, seconds: f64) {
        let place = self.limits.partition_point(|limit| *limit < seconds);
        if let Some(count) = self.cell.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let longer = |sum| Some((f64::from_bits(sum) + seconds).to_bits());
        // The closure always has an answer, so this cannot fail.
        let _ = self.cell.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, longer);
    }
}

/// A metric with all its series, by their labels as they are shown.
struct Family {
    name: &'static Name,
    series: RwLock<BTreeMap<String, Arc<Cell>>>,
}

/// All series of a fleet. Counting takes no lock; only adding a series and reading all of them do.
pub(super) struct Registry(Vec<Family>);

impl Registry {
    /// Metrics without any series.
    pub(super) fn new(names: &'static [Name]) -> Self {
        Self(names.iter().map(|name| Family { name, series: RwLock::default() }).collect())
    }

    /// The counter with these labels; it begins at 0.
    pub(super) fn counter(&self, name: &Name, labels: &Labels) -> Counter {
        Counter(self.cell(name, labels, 0))
    }

    /// The gauge with these labels; it begins at 0.
    pub(super) fn gauge(&self, name: &Name, labels: &Labels) -> Gauge {
        Gauge(self.cell(name, labels, 0))
    }

    /// The histogram with these labels; it begins empty.
    pub(super) fn histogram(&self, name: &Name, labels: &Labels) -> Histogram {
        let limits = if let Kind::Histogram(limits) = name.kind { limits } else { &[] };
        Histogram { limits, cell: self.cell(name, labels, limits.len().saturating_add(1)) }
    }

    fn cell(&self, name: &Name, labels: &Labels, counts: usize) -> Arc<Cell> {
        let new = || Arc::new(Cell { value: AtomicU64::new(0), counts: (0..counts).map(|_| AtomicU64::new(0)).collect() });
        // A name that is not in the table would be counted and never shown; a test compares the table with what is shown.
        let Some(family) = self.0.iter().find(|family| family.name.name == name.name) else { return new() };
        let mut series = family.series.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(series.entry(shown(labels)).or_insert_with(new))
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub(super) fn render(&self, out: &mut String) {
        for Family { name, series } in &self.0 {
            let series = series.read().unwrap_or_else(PoisonError::into_inner);
            if series.is_empty() {
                continue;
            }
            let Name { name, kind, help } = name;
            out.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind.as_str(), "\n"]);
            let limits: Vec<String> = match kind {
                Kind::Histogram(limits) => limits.iter().map(f64::to_string).chain(["+Inf".to_owned()]).collect(),
                Kind::Counter | Kind::Seconds | Kind::Gauge => Vec::new(),
            };
            for (labels, cell) in series.iter() {
                cell.render(name, kind, &limits, labels, out);
            }
        }
    }
}

impl Cell {
    fn render(&self, name: &str, kind: &Kind, limits: &[String], labels: &str, out: &mut String) {
        let value = self.value.load(Ordering::Relaxed);
        match kind {
            Kind::Counter => integer(out, name, "", labels, "", value),
            Kind::Seconds | Kind::Gauge => float(out, name, "", labels, f64::from_bits(value)),
            Kind::Histogram(_) => {
                let mut below = 0_u64;
                for (limit, count) in limits.iter().zip(&self.counts) {
                    below = below.saturating_add(count.load(Ordering::Relaxed));
                    integer(out, name, "_bucket", labels, limit, below);
                }
                float(out, name, "_sum", labels, f64::from_bits(value));
                integer(out, name, "_count", labels, "", below);
            }
        }
    }
}

fn head(out: &mut String, name: &str, suffix: &str, labels: &str, limit: &str) {
    out.extend([name, suffix]);
    match (labels, limit) {
        ("", "") => {}
        (labels, "") => out.extend(["{", labels, "}"]),
        ("", limit) => out.extend(["{le=\"", limit, "\"}"]),
        (labels, limit) => out.extend(["{", labels, ",le=\"", limit, "\"}"]),
    }
    out.push(' ');
}

// Writing to a String cannot fail.
fn integer(out: &mut String, name: &str, suffix: &str, labels: &str, limit: &str, value: u64) {
    head(out, name, suffix, labels, limit);
    let _ = writeln!(out, "{value}");
}

fn float(out: &mut String, name: &str, suffix: &str, labels: &str, value: f64) {
    head(out, name, suffix, labels, "");
    let _ = writeln!(out, "{value}");
}

fn shown(labels: &Labels) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let shown: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    shown.join(",")
}
