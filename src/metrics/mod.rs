//! Every metric: its name, unit, help text and labels, and typed handles to count with. Nothing else names a metric.
//!
//! All series of a configured terminal exist from the start, at 0, so that a rate over the first event is right and an alert
//! on an absent series means an absent terminal. The registry belongs to the value and not to the process: two fleets can live
//! side by side.

mod names;
mod process;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::id::TerminalId;
use crate::money::Currency;
use crate::protocol::Family;
use crate::time::Timestamp;

pub use names::{COMMANDS, FRAME_ERROR_KINDS, RESTART_REASONS};
pub use terminal::{Attempt, Decided, Disposed, Reconciled, TerminalMetrics};

use names::{Kind, Name};
use process::Process;

/// Labels in the order in which they are shown.
type Labels = Vec<(&'static str, String)>;

/// All metrics of one fleet.
pub struct Metrics {
    handle: PrometheusHandle,
    source: Source,
    currency: Currency,
    terminals: RwLock<BTreeMap<TerminalId, Arc<TerminalMetrics>>>,
    /// What the series of terminals begin with that are configured no more: they are not shown.
    hidden: RwLock<BTreeSet<String>>,
    append_duration: Histogram,
    journal_errors: Counter,
    journal_writable: Gauge,
    journal_damaged: Gauge,
    stranded: Gauge,
    stranded_amount: Gauge,
    api_certificate_expiry: Gauge,
    process: Option<Process>,
    rendering: Mutex<()>,
}

impl Metrics {
    /// The metrics of these terminals, all at 0.
    pub fn new(version: &str, revision: &str, currency: Currency, terminals: &[(TerminalId, Family)]) -> Self {
        let recorder = recorder();
        let handle = recorder.handle();
        let source = Source::new(recorder);
        let build = vec![("version", version.to_owned()), ("revision", revision.to_owned())];
        source.gauge(&names::BUILD_INFO, build).set(1.0);
        let metrics = Self {
            currency,
            terminals: RwLock::default(),
            hidden: RwLock::default(),
            append_duration: source.histogram(&names::JOURNAL_APPEND_DURATION, Vec::new()),
            journal_errors: source.counter(&names::JOURNAL_ERRORS, Vec::new()),
            journal_writable: source.gauge(&names::JOURNAL_WRITABLE, Vec::new()),
            journal_damaged: source.gauge(&names::JOURNAL_DAMAGED, Vec::new()),
            stranded: source.gauge(&names::SESSIONS_STRANDED, Vec::new()),
            stranded_amount: source.gauge(&names::STRANDED_AMOUNT, vec![("currency", currency.as_str().to_owned())]),
            api_certificate_expiry: source.gauge(&names::API_CERTIFICATE_EXPIRY, Vec::new()),
            process: Process::new(&source),
            rendering: Mutex::new(()),
            handle,
            source,
        };
        terminals.iter().for_each(|(id, family)| metrics.begin_terminal(id, *family));
        metrics
    }

    /// The series of one more terminal begin, or those of one that has come back go on.
    pub fn begin_terminal(&self, id: &TerminalId, family: Family) {
        let mut terminals = self.terminals.write().unwrap_or_else(PoisonError::into_inner);
        terminals.insert(id.clone(), Arc::new(TerminalMetrics::new(&self.source, id, family, self.currency)));
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).remove(&beginning(id, family));
    }

    /// A terminal is configured no more, and nothing of it is open: its series end, so that no alert looks at what they said last.
    pub fn end_terminal(&self, id: &TerminalId, family: Family) {
        self.terminals.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).insert(beginning(id, family));
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        // Two readers at once would write each other's states.
        let _one = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        for terminal in self.terminals.read().unwrap_or_else(PoisonError::into_inner).values() {
            terminal.write_state();
        }
        if let Some(process) = &self.process {
            process.update();
        }
        let text = self.handle.render();
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        if hidden.is_empty() {
            return text;
        }
        let shown =
            |line: &&str| !line.split_once('{').is_some_and(|(_, labels)| hidden.iter().any(|of| labels.starts_with(of)));
        text.split_inclusive('\n').filter(shown).collect()
    }

    /// Folds what histograms have gathered. Rendering does so, too; call this now and then for when nobody reads.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// A terminal's own; none when it was not configured.
    pub fn terminal(&self, terminal: &TerminalId) -> Option<Arc<TerminalMetrics>> {
        self.terminals.read().unwrap_or_else(PoisonError::into_inner).get(terminal).cloned()
    }

    /// An append took so long until it was durable.
    pub fn append_duration(&self, took: Duration) {
        self.append_duration.record(took.as_secs_f64());
    }

    /// An append failed.
    pub fn journal_error(&self) {
        self.journal_errors.increment(1);
    }

    /// Whether the journal can be written.
    pub fn set_journal_writable(&self, writable: bool) {
        self.journal_writable.set(f64::from(u8::from(writable)));
    }

    /// A part of the journal's past cannot be relied on. It does not heal while the program runs.
    pub fn journal_is_damaged(&self) {
        self.journal_damaged.set(1.0);
    }

    /// How many undisposed sessions belong to terminals that are not configured, and how much money they hold.
    pub fn set_stranded(&self, sessions: usize, minor: u64) {
        self.stranded.set(sessions as f64);
        self.stranded_amount.set(minor as f64);
    }

    /// When the certificate of the API expires.
    pub fn set_api_certificate_expiry(&self, at: Timestamp) {
        self.api_certificate_expiry.set(at.unix_seconds());
    }
}

/// The labels with which every series of a terminal begins.
fn beginning(terminal: &TerminalId, family: Family) -> String {
    format!("terminal=\"{terminal}\",family=\"{}\"", family.as_str())
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

    fn counter(&self, name: &Name, labels: Labels) -> Counter {
        let counter = self.0.register_counter(&key(name, labels), &Self::METADATA);
        counter.increment(0);
        counter
    }

    fn gauge(&self, name: &Name, labels: Labels) -> Gauge {
        let gauge = self.0.register_gauge(&key(name, labels), &Self::METADATA);
        gauge.set(0.0);
        gauge
    }

    fn histogram(&self, name: &Name, labels: Labels) -> Histogram {
        self.0.register_histogram(&key(name, labels), &Self::METADATA)
    }
}

fn key(name: &Name, labels: Labels) -> Key {
    let labels: Vec<Label> = labels.into_iter().map(|(label, value)| Label::new(label, value)).collect();
    Key::from_parts(name.name, labels)
}
