//! A comparison of our holds with the terminal's own, as the journal remembers it.

use serde::{Deserialize, Serialize};

use crate::id::{SessionId, TerminalSessionId};
use crate::time::Timestamp;

/// What one reconciliation compared, found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What made us look.
    pub trigger: Trigger,
    /// The terminal's list, or none when it cannot list or did not answer.
    pub on_terminal: Option<Vec<TerminalSessionId>>,
    /// What our journal held open on this terminal with a known number.
    pub in_journal: Vec<TerminalSessionId>,
    /// Every disagreement, and what was done about it.
    pub discrepancies: Vec<Discrepancy>,
    /// How it went.
    pub result: ReportResult,
    /// Why it failed, in words for a person.
    pub error: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
}

/// What made us reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The link came up.
    Connect,
    /// `policy.reconcile_every`.
    Periodic,
    /// Somebody asked.
    Demand,
}

/// How a reconciliation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportResult {
    /// Both sides agree, as far as they can be compared.
    Clean,
    /// Something differed and was acted upon.
    Repaired,
    /// It could not be completed.
    Failed,
}

impl ReportResult {
    /// The name used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Repaired => "repaired",
            Self::Failed => "failed",
        }
    }
}

/// One disagreement between our memory and the terminal's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// What kind.
    pub kind: DiscrepancyKind,
    /// The terminal's number, when there is one.
    pub terminal_session_id: Option<TerminalSessionId>,
    /// Our session, when there is one.
    pub session: Option<SessionId>,
    /// What was done.
    pub action: String,
    /// Why that.
    pub why: String,
}

/// Kinds of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscrepancyKind {
    /// The terminal holds what we do not know.
    OrphanOnTerminal,
    /// The terminal holds an approval that we never heard.
    LostApproval,
    /// We hold what the terminal does not know.
    MissingOnTerminal,
    /// A disposal whose answer was lost has been carried out.
    DisposalConfirmed,
    /// A disposal whose answer was lost has not been carried out.
    DisposalOutstanding,
    /// An authorisation whose answer was lost has placed no hold.
    NoHold,
}

impl DiscrepancyKind {
    /// Every kind, so that each one's series can start at zero.
    pub const ALL: [Self; 6] = [
        Self::OrphanOnTerminal,
        Self::LostApproval,
        Self::MissingOnTerminal,
        Self::DisposalConfirmed,
        Self::DisposalOutstanding,
        Self::NoHold,
    ];

    /// The name used in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrphanOnTerminal => "orphan_on_terminal",
            Self::LostApproval => "lost_approval",
            Self::MissingOnTerminal => "missing_on_terminal",
            Self::DisposalConfirmed => "disposal_confirmed",
            Self::DisposalOutstanding => "disposal_outstanding",
            Self::NoHold => "no_hold",
        }
    }
}
