//! What the demo shows: a table that is drawn again and again, or a line for those who have no screen.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use quittance::sim::Ledger;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

use super::client::{Client, number, text};
use super::diary::{Diary, euros, minutes};
use super::setup::{CONNECTORS, Place};

/// A screen whose size nobody knows.
const USUAL_SIZE: (usize, usize) = (100, 40);

/// How many lines are never holds or the diary.
const FRAME: usize = 22;

/// The gauges and counters that are shown.
const METRICS: [&str; 7] = [
    "quittance_sessions_undisposed",
    "quittance_sessions_overdue",
    "quittance_sessions_in_doubt",
    "quittance_sessions_uncertain",
    "quittance_ledger_imbalance",
    "quittance_held_amount_minor",
    "quittance_link_restarts_total",
];

/// What the orchestrator says of itself at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    terminals: Vec<Value>,
    sessions: Vec<Value>,
    /// Sums over all terminals.
    metrics: HashMap<&'static str, f64>,
}

impl View {
    /// Asks the API; nothing when it does not answer.
    pub(crate) async fn ask(client: &Client) -> Option<Self> {
        let (_, terminals) = client.get("/v1/terminals").await.ok()?;
        let (_, sessions) = client.get("/v1/sessions?undisposed=true&limit=100").await.ok()?;
        let page = client.text("/metrics").await.ok()?;
        let metrics = METRICS.into_iter().map(|name| (name, sum(&page, name))).collect();
        Some(Self { terminals: list(&terminals, "terminals"), sessions: list(&sessions, "sessions"), metrics })
    }

    fn metric(&self, name: &str) -> f64 {
        self.metrics.get(name).copied().unwrap_or(f64::NAN)
    }

    fn counts(&self) -> String {
        let [undisposed, overdue, in_doubt, uncertain, imbalance, ..] = METRICS.map(|name| self.metric(name));
        format!(
            "undisposed {undisposed}, overdue {overdue}, in doubt {in_doubt}, uncertain {uncertain}; ledger imbalance {imbalance}"
        )
    }
}

/// Everything that is shown.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// What the orchestrator said last.
    pub(crate) view: &'a View,
    /// Whether it answers now.
    pub(crate) answers: bool,
    /// Its process, while it runs.
    pub(crate) pid: Option<u32>,
    /// How often it was started.
    pub(crate) starts: u32,
    /// Where its API is.
    pub(crate) url: &'a str,
    /// Where its files are.
    pub(crate) place: &'a Place,
    /// What the bank knows.
    pub(crate) bank: &'a Ledger,
    /// What has happened.
    pub(crate) diary: &'a Diary,
    /// What decides what happens.
    pub(crate) seed: u64,
    /// Whether everybody is leaving.
    pub(crate) ending: bool,
}

impl Scene<'_> {
    /// For people without a screen.
    pub(crate) fn line(&self) -> String {
        let told = if self.answers { self.view.counts() } else { "the API does not answer".to_owned() };
        format!("{} {told}; bank: {}", minutes(self.diary.running()), self.bank_line())
    }

    /// For people with one, whose height is given.
    pub(crate) fn lines(&self, height: usize) -> Vec<String> {
        let mut lines = vec![format!(
            "Quittance demo, {}, seed {}{}",
            minutes(self.diary.running()),
            self.seed,
            if self.ending {
                "; ending: decided disposals are still delivered"
            } else {
                "; Ctrl-C ends it and prints the ledger"
            }
        )];
        lines.push(String::new());
        lines.push(match self.pid {
            Some(pid) => format!("orchestrator  pid {pid}, start number {}; to see it survive: kill -9 {pid}", self.starts),
            None => "orchestrator  DOWN; it is started again in a moment".to_owned(),
        });
        lines.push(format!("API           {0}/v1/sessions  {0}/metrics", self.url));
        lines.push(format!("journal       {}", self.place.journal.display()));
        lines.push(String::new());
        lines.push("TERMINAL  FAMILY  LINK         STATE        OPEN  RECONCILED  LAST ERROR".to_owned());
        let view = self.view;
        lines.extend(view.terminals.iter().map(terminal));
        lines.push(String::new());

        lines.push("TERMINAL  HOLD   STATE           HELD  ENERGY  AGE    DISPOSAL".to_owned());
        let room = height.saturating_sub(FRAME).max(4);
        let (holds, events) = (room * 3 / 5, room - room * 3 / 5);
        let now = self.diary.now().unix_millis();
        lines.extend(view.sessions.iter().rev().take(holds).map(|session| hold(session, now)));
        if view.sessions.len() > holds {
            lines.push(format!("… and {} more", view.sessions.len() - holds));
        }
        lines.push(String::new());
        if self.answers {
            lines.push(format!("orchestrator  {}", view.counts()));
            let held = view.metric("quittance_held_amount_minor") / 100.0;
            let restarts = view.metric("quittance_link_restarts_total");
            lines.push(format!("              {held:.2} EUR held; links restarted {restarts} times since it was started"));
        } else {
            lines.push("orchestrator  does not answer; what is shown is what it said last".to_owned());
            lines.push(String::new());
        }
        lines.push(format!("bank          {}", self.bank_line()));
        lines.push(String::new());
        lines.extend(self.diary.last(events));
        lines
    }

    fn bank_line(&self) -> String {
        let bank = self.bank;
        format!(
            "{} approved, {} committed, {} voided, {} expired, {} open; {} EUR held, {} EUR captured; {} violations",
            bank.approved.count,
            bank.committed.count,
            bank.voided.count,
            bank.expired.count,
            bank.open.count,
            euros(bank.open.amount),
            euros(bank.captured),
            bank.violations.len()
        )
    }
}

/// Standard output as a screen, if it is one.
#[derive(Debug)]
pub(crate) struct Screen {
    drawn: bool,
}

impl Screen {
    /// None when output goes to a file or a pipe.
    pub(crate) fn open() -> Option<Self> {
        io::stdout().is_terminal().then(|| Self { drawn: false })
    }

    /// Shows the scene in place of the last one.
    pub(crate) fn draw(&mut self, scene: &Scene<'_>) -> io::Result<()> {
        let (width, height) = tcgetwinsize(io::stdout())
            .ok()
            .filter(|size| size.ws_col > 0 && size.ws_row > 0)
            .map_or(USUAL_SIZE, |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        // Home, without a cursor; the first time on an empty screen.
        let mut frame = String::from(if self.drawn { "\x1b[H" } else { "\x1b[?25l\x1b[2J\x1b[H" });
        self.drawn = true;
        for line in scene.lines(height).iter().take(height.saturating_sub(1)) {
            frame.extend(line.chars().filter(|character| !character.is_control()).take(width));
            // The rest of the line may hold an older one.
            frame.push_str("\x1b[K\r\n");
        }
        frame.push_str("\x1b[J");
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The cursor comes back; if it cannot, there is no screen any more.
        let _ = write!(io::stdout(), "\x1b[?25h");
        let _ = io::stdout().flush();
    }
}

fn terminal(terminal: &Value) -> String {
    let reconciled = terminal.get("last_reconciliation").map_or("-", |report| match text(report, "result") {
        "" => "-",
        result => result,
    });
    let error = terminal.get("last_error").and_then(Value::as_str).unwrap_or("-");
    format!(
        "{:<9} {:<7} {:<12} {:<12} {:<5} {reconciled:<11} {error}",
        text(terminal, "id"),
        text(terminal, "family"),
        text(terminal, "link"),
        text(terminal, "state"),
        format!("{}/{CONNECTORS}", number(terminal, "undisposed").unwrap_or(0)),
    )
}

fn hold(session: &Value, now: i64) -> String {
    let money = |field| number(session, field).map_or_else(|| "-".to_owned(), euros);
    let approved = session.get("approved_at").cloned().and_then(|at| serde_json::from_value(at).ok());
    let age = approved.map_or_else(
        || "-".to_owned(),
        |at: quittance::time::Timestamp| {
            let millis = now.saturating_sub(at.unix_millis());
            minutes(std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        },
    );
    let disposal = session.get("disposal").filter(|disposal| !disposal.is_null()).map_or_else(String::new, |disposal| {
        let amount = number(disposal, "amount").unwrap_or(0);
        let decision = text(disposal, "decision");
        let what = if decision == "commit" { format!("commit {}", euros(amount)) } else { decision.to_owned() };
        let attempts = number(disposal, "attempts").unwrap_or(0);
        format!("{what} by {}, attempts {attempts} {}", text(disposal, "by"), text(disposal, "last_error"))
    });
    format!(
        "{:<9} {:<6} {:<12} {:>7} {:>7}  {age:<6} {disposal}",
        text(session, "terminal"),
        number(session, "terminal_session_id").map_or_else(|| "-".to_owned(), |id| id.to_string()),
        text(session, "state"),
        money("amount_held"),
        money("amount_energy"),
    )
}

fn list(answer: &Value, key: &str) -> Vec<Value> {
    answer.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The sum of a metric over its labels.
fn sum(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest,
        };
        rest.starts_with(' ').then(|| rest.trim().parse::<f64>().ok())?
    });
    samples.fold(0.0, |sum, sample| sum + sample)
}
