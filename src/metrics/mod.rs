//! Every metric: its name, unit, help text and labels, and typed handles to count with. Nothing else names a metric.
//!
//! All series of a configured terminal exist from the start, at 0, so that a rate over the first event is right and an alert
//! on an absent series means an absent terminal. The registry belongs to the value and not to the process: two fleets can live
//! side by side.

mod names;
mod part;
mod process;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::formatting::{write_help_line, write_type_line};

use crate::id::TerminalId;
use crate::money::Currency;
use crate::protocol::Family;
use crate::time::Timestamp;

pub use names::{COMMANDS, FRAME_ERROR_KINDS, RESTART_REASONS};
pub use terminal::{Attempt, Decided, Disposed, Reconciled, TerminalMetrics};

use part::Part;
use process::Process;

/// Room for the two lines before the series of a metric.
const HEADER_BYTES: usize = 250;

/// All metrics of one fleet.
pub struct Metrics {
    program: Part,
    currency: Currency,
    terminals: RwLock<Terminals>,
    append_duration: Histogram,
    journal_errors: Counter,
    journal_writable: Gauge,
    journal_damaged: Gauge,
    journal_slow: Gauge,
    stranded: Gauge,
    stranded_amount: Gauge,
    api_certificate_expiry: Gauge,
    event_streams: Gauge,
    process: Option<Process>,
}

#[derive(Default)]
struct Terminals {
    present: BTreeMap<TerminalId, Arc<TerminalMetrics>>,
    /// Those that are configured no more: their series are not shown, and go on when they come back.
    former: BTreeMap<(TerminalId, &'static str), Arc<TerminalMetrics>>,
}

impl Metrics {
    /// The metrics of these terminals, all at 0.
    pub fn new(version: &str, revision: &str, currency: Currency, terminals: &[(TerminalId, Family)]) -> Self {
        let program = Part::new();
        let build = vec![("version", version.to_owned()), ("revision", revision.to_owned())];
        program.gauge(&names::BUILD_INFO, build).set(1.0);
        let metrics = Self {
            currency,
            terminals: RwLock::default(),
            append_duration: program.histogram(&names::JOURNAL_APPEND_DURATION, Vec::new()),
            journal_errors: program.counter(&names::JOURNAL_ERRORS, Vec::new()),
            journal_writable: program.gauge(&names::JOURNAL_WRITABLE, Vec::new()),
            journal_damaged: program.gauge(&names::JOURNAL_DAMAGED, Vec::new()),
            journal_slow: program.gauge(&names::JOURNAL_SLOW, Vec::new()),
            stranded: program.gauge(&names::SESSIONS_STRANDED, Vec::new()),
            stranded_amount: program.gauge(&names::STRANDED_AMOUNT, vec![("currency", currency.as_str().to_owned())]),
            api_certificate_expiry: program.gauge(&names::API_CERTIFICATE_EXPIRY, Vec::new()),
            event_streams: program.gauge(&names::EVENT_STREAMS, Vec::new()),
            process: Process::new(&program),
            program,
        };
        terminals.iter().for_each(|(id, family)| metrics.begin_terminal(id, *family));
        metrics
    }

    /// The series of one more terminal begin, or those of one that has come back go on.
    pub fn begin_terminal(&self, id: &TerminalId, family: Family) {
        let mut terminals = self.terminals.write().unwrap_or_else(PoisonError::into_inner);
        let former = terminals.former.remove(&(id.clone(), family.as_str()));
        let begun = former.unwrap_or_else(|| Arc::new(TerminalMetrics::new(id, family, self.currency)));
        terminals.present.insert(id.clone(), begun);
    }

    /// A terminal is configured no more, and nothing of it is open: its series end, so that no alert looks at what they said last.
    pub fn end_terminal(&self, id: &TerminalId, family: Family) {
        let mut terminals = self.terminals.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = terminals.present.remove(id) {
            terminals.former.insert((id.clone(), family.as_str()), ended);
        }
    }

    fn all(&self) -> Vec<Arc<TerminalMetrics>> {
        self.terminals.read().unwrap_or_else(PoisonError::into_inner).present.values().cloned().collect()
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        let program = self.program.text(|| self.update_process());
        let terminals = self.all();
        let terminals: Vec<_> = terminals.iter().map(|terminal| terminal.text()).collect();
        let parts = || std::iter::once(&program).chain(&terminals);

        let lines: usize = parts().flat_map(|sections| sections.iter()).map(String::len).sum();
        let mut text = String::with_capacity(lines + names::ALL.len() * HEADER_BYTES);
        for (place, name) in names::ALL.iter().enumerate() {
            let mut series = parts().filter_map(|sections| sections.get(place)).filter(|lines| !lines.is_empty()).peekable();
            if series.peek().is_some() {
                write_help_line(&mut text, name.name, None, None, name.help);
                write_type_line(&mut text, name.name, None, None, name.kind.as_str());
                series.for_each(|lines| text.push_str(lines));
            }
        }
        text
    }

    /// Makes the texts of parts that changed, so that the next scrape finds them; folds, too, what histograms have gathered, which
    /// would grow for ever where nobody scrapes. To be called often, on a thread on which nobody waits.
    pub fn upkeep(&self) {
        drop(self.program.text(|| ()));
        for terminal in self.all() {
            drop(terminal.text());
        }
    }

    fn update_process(&self) {
        if let Some(process) = &self.process {
            process.update();
        }
    }

    /// A terminal's own; none when it was not configured.
    pub fn terminal(&self, terminal: &TerminalId) -> Option<Arc<TerminalMetrics>> {
        self.terminals.read().unwrap_or_else(PoisonError::into_inner).present.get(terminal).cloned()
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

    /// Whether appending takes so long that no cards are taken.
    pub fn set_journal_slow(&self, slow: bool) {
        self.journal_slow.set(f64::from(u8::from(slow)));
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

    /// How many read `/v1/events`.
    pub fn set_event_streams(&self, open: usize) {
        self.event_streams.set(open as f64);
    }
}
