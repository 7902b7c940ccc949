//! Every metric: its name, unit, help text and labels, and typed handles to count with. Nothing else names a metric.
//!
//! All series of a configured terminal exist from the start, at 0, so that a rate over the first event is right and an alert
//! on an absent series means an absent terminal. The recorder belongs to the value and not to the process: two fleets can live
//! side by side.

mod names;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::id::TerminalId;
use crate::money::Currency;
use crate::protocol::Family;
use crate::time::Timestamp;

pub use names::{COMMANDS, FRAME_ERROR_KINDS, RESTART_REASONS};
pub use terminal::{Attempt, Decided, Disposed, Reconciled, TerminalMetrics};

use names::{Kind, Name};

/// All metrics of one fleet.
pub struct Metrics {
    handle: PrometheusHandle,
    terminals: BTreeMap<TerminalId, TerminalMetrics>,
    append_duration: Histogram,
    journal_errors: Counter,
    api_certificate_expiry: Gauge,
    rendering: Mutex<()>,
}

impl Metrics {
    /// The metrics of these terminals, all at 0.
    pub fn new(
        version: &str,
        revision: &str,
        currency: Currency,
        terminals: &[(TerminalId, Family)],
    ) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for name in names::ALL {
            if let Kind::Histogram(buckets) = name.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(name.name.to_owned()), buckets)?;
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let source = Source::new(recorder);

        let build = vec![Label::new("version", version.to_owned()), Label::new("revision", revision.to_owned())];
        source.gauge(&names::BUILD_INFO, build).set(1.0);
        let append_duration = source.histogram(&names::JOURNAL_APPEND_DURATION, Vec::new());
        let journal_errors = source.counter(&names::JOURNAL_ERRORS, Vec::new());
        let api_certificate_expiry = source.gauge(&names::API_CERTIFICATE_EXPIRY, Vec::new());
        let terminals =
            terminals.iter().map(|(id, family)| (id.clone(), TerminalMetrics::new(&source, id, *family, currency))).collect();
        Ok(Self { handle, terminals, append_duration, journal_errors, api_certificate_expiry, rendering: Mutex::new(()) })
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        // Two readers at once would write each other's states.
        let _one = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        for terminal in self.terminals.values() {
            terminal.write_state();
        }
        self.handle.render()
    }

    /// Folds what histograms have gathered. Rendering does so, too; call this now and then for when nobody reads.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// A terminal's own; none when it was not configured.
    pub fn terminal(&self, terminal: &TerminalId) -> Option<&TerminalMetrics> {
        self.terminals.get(terminal)
    }

    /// An append took so long until it was durable.
    pub fn append_duration(&self, took: Duration) {
        self.append_duration.record(took.as_secs_f64());
    }

    /// An append failed.
    pub fn journal_error(&self) {
        self.journal_errors.increment(1);
    }

    /// When the certificate of the API expires.
    pub fn set_api_certificate_expiry(&self, at: Timestamp) {
        self.api_certificate_expiry.set(at.unix_seconds());
    }
}

/// Makes series.
#[derive(Clone)]
struct Source(Arc<PrometheusRecorder>);

impl Source {
    const METADATA: Metadata<'static> = Metadata::new("quittance", Level::INFO, None);

    fn new(recorder: PrometheusRecorder) -> Self {
        for name in names::ALL {
            let (key, help) = (name.name.into(), name.help.into());
            match name.kind {
                Kind::Counter => recorder.describe_counter(key, None, help),
                Kind::Gauge => recorder.describe_gauge(key, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(key, None, help),
            }
        }
        Self(Arc::new(recorder))
    }

    fn counter(&self, name: &Name, labels: Vec<Label>) -> Counter {
        let counter = self.0.register_counter(&Key::from_parts(name.name, labels), &Self::METADATA);
        counter.increment(0);
        counter
    }

    fn gauge(&self, name: &Name, labels: Vec<Label>) -> Gauge {
        let gauge = self.0.register_gauge(&Key::from_parts(name.name, labels), &Self::METADATA);
        gauge.set(0.0);
        gauge
    }

    fn histogram(&self, name: &Name, labels: Vec<Label>) -> Histogram {
        self.0.register_histogram(&Key::from_parts(name.name, labels), &Self::METADATA)
    }
}
