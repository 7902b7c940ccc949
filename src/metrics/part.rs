//! A part of what a scrape says: the series of one terminal, or those of the program itself.
//!
//! A thousand terminals have hundreds of thousands of series, and from one scrape to the next few of them change. So each part keeps
//! its text until one of its own series changes, and a scrape makes anew only the texts of parts that did. Nothing that it says is
//! old: a part whose series have changed never shows the text from before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::names::{self, Kind, Name};

/// Labels in the order in which they are shown.
pub(super) type Labels = Vec<(&'static str, String)>;

/// What a part says of each metric, in the order of the table of metrics: the lines of its series, without their header.
pub(super) type Sections = Vec<String>;

const METADATA: Metadata<'static> = Metadata::new("quittance", Level::INFO, None);

/// Series that are made, changed and shown together.
pub(super) struct Part {
    recorder: PrometheusRecorder,
    changed: Arc<AtomicBool>,
    kept: Mutex<Sections>,
}

impl Part {
    pub(super) fn new() -> Self {
        Self { recorder: recorder(), changed: Arc::new(AtomicBool::new(true)), kept: Mutex::default() }
    }

    /// A series that exists from now on, at 0.
    pub(super) fn counter(&self, name: &Name, labels: Labels) -> Counter {
        let counter = self.recorder.register_counter(&key(name, labels), &METADATA);
        let counter = Counter::from_arc(Arc::new(Watched { series: counter, changed: Arc::clone(&self.changed) }));
        counter.increment(0);
        counter
    }

    /// A series that exists from now on, at 0.
    pub(super) fn gauge(&self, name: &Name, labels: Labels) -> Gauge {
        let gauge = self.recorder.register_gauge(&key(name, labels), &METADATA);
        let series = Watched { series: gauge, changed: Arc::clone(&self.changed) };
        // No value that is ever set has these bits, so the first one counts as a change.
        let gauge = Gauge::from_arc(Arc::new(WatchedGauge { series, last: AtomicU64::new(f64::NAN.to_bits()) }));
        gauge.set(0.0);
        gauge
    }

    /// A series that exists from now on, without an observation.
    pub(super) fn histogram(&self, name: &Name, labels: Labels) -> Histogram {
        let histogram = self.recorder.register_histogram(&key(name, labels), &METADATA);
        self.changed.store(true, Ordering::Release);
        Histogram::from_arc(Arc::new(Watched { series: histogram, changed: Arc::clone(&self.changed) }))
    }

    /// What the part says now. `prepare` may set series before; no other reader is between the two.
    pub(super) fn text(&self, prepare: impl FnOnce()) -> MutexGuard<'_, Sections> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        prepare();
        // Taken back before the values are read: what changes meanwhile is seen now or marks the part again.
        if self.changed.swap(false, Ordering::AcqRel) {
            *kept = sections(&self.recorder.handle().render());
        }
        kept
    }
}

/// Without an idle time: it would make gauges vanish and counters start again after a quiet night.
fn recorder() -> PrometheusRecorder {
    let histograms = names::ALL.iter().filter_map(|name| match name.kind {
        Kind::Histogram(limits) => Some((Matcher::Full(name.name.to_owned()), limits)),
        Kind::Counter | Kind::Gauge => None,
    });
    let builder = histograms.fold(PrometheusBuilder::new(), |builder, (name, limits)| {
        // Only an empty list of limits is refused; then there would be quantiles instead, and a test would say so.
        builder.set_buckets_for_metric(name, limits).unwrap_or_default()
    });
    builder.build_recorder()
}

fn key(name: &Name, labels: Labels) -> Key {
    let labels: Vec<Label> = labels.into_iter().map(|(label, value)| Label::new(label, value)).collect();
    Key::from_parts(name.name, labels)
}

/// Takes the library's text apart: a line with name and type before the series of each metric, an empty line after them.
fn sections(text: &str) -> Sections {
    let mut sections = vec![String::new(); names::ALL.len()];
    for metric in text.split_terminator("\n\n") {
        let Some((header, lines)) = metric.split_once('\n') else { continue };
        let name = header.split(' ').nth(2);
        if let Some(place) = names::ALL.iter().position(|known| Some(known.name) == name) {
            sections[place] = format!("{lines}\n");
        }
    }
    sections
}

/// A series that marks its part when it changes.
struct Watched<S> {
    series: S,
    changed: Arc<AtomicBool>,
}

impl<S> Watched<S> {
    /// Changes first, then marks: a reader that comes between the two reads the new value or is told to read again.
    fn change(&self, change: impl FnOnce(&S)) {
        change(&self.series);
        self.changed.store(true, Ordering::Release);
    }
}

impl CounterFn for Watched<Counter> {
    fn increment(&self, value: u64) {
        self.change(|counter| counter.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.change(|counter| counter.absolute(value));
    }
}

impl HistogramFn for Watched<Histogram> {
    fn record(&self, value: f64) {
        self.change(|histogram| histogram.record(value));
    }
}

/// Most of what gauges are told is what they show already: that is no change.
struct WatchedGauge {
    series: Watched<Gauge>,
    last: AtomicU64,
}

impl GaugeFn for WatchedGauge {
    fn increment(&self, value: f64) {
        self.last.store(f64::NAN.to_bits(), Ordering::Release);
        self.series.change(|gauge| gauge.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.last.store(f64::NAN.to_bits(), Ordering::Release);
        self.series.change(|gauge| gauge.decrement(value));
    }

    fn set(&self, value: f64) {
        if self.last.swap(value.to_bits(), Ordering::AcqRel) != value.to_bits() {
            self.series.change(|gauge| gauge.set(value));
        }
    }
}
