//! How patiently the fleet restarts what fails.

use std::time::Duration;

/// The limits of restarting one terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// The shortest pause before a restart.
    pub backoff_min: Duration,
    /// The longest pause before a restart.
    pub backoff_max: Duration,
    /// So many failures within [`period`](Self::period) mean quarantine; at least 1.
    pub intensity: u32,
    /// The time within which failures are counted.
    pub period: Duration,
    /// How often a quarantined terminal is still tried.
    pub quarantine_retry: Duration,
}
