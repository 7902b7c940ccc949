//! The table of metrics.

use crate::protocol::Family;

/// A metric.
pub(super) struct Name {
    /// Its name.
    pub(super) name: &'static str,
    /// What it counts.
    pub(super) kind: Kind,
    /// What it means, for a person.
    pub(super) help: &'static str,
}

/// What a metric is.
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, in buckets with these upper limits in seconds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its word in Prometheus' text format.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Every request that is exchanged: the `command` label.
pub const COMMANDS: [&str; 25] = [
    "reset",
    "synchronize",
    "protocol",
    "setup",
    "enable",
    "disable",
    "get_status",
    "request_ids",
    "start_session",
    "auth_session",
    "cancel_session",
    "commit_session",
    "void_session",
    "update_session",
    "list_sessions",
    "read_card",
    "ui_request",
    "select_language",
    "proprietary_exchange",
    "mifare",
    "read_file",
    "get_connection_info",
    "get_receipt",
    "get_transaction_record",
    "control",
];

/// Those that the program sends to a terminal by itself: their series are there from the start. The others are sent when a person asks
/// for them, and their series begin then; from the start they would double what a large depot has to say at each scrape.
pub(super) fn sent_unasked(command: &str, family: Family) -> bool {
    match command {
        "read_card"
        | "select_language"
        | "proprietary_exchange"
        | "mifare"
        | "read_file"
        | "get_connection_info"
        | "get_receipt"
        | "get_transaction_record"
        | "control" => false,
        "update_session" | "ui_request" => family == Family::Apollo,
        "list_sessions" => family == Family::P6x,
        _ => true,
    }
}

/// Why a link is opened again: the `reason` label. All reasons of a lost link, those for which a terminal gives up a link that
/// works, and two of the fleet's own.
pub const RESTART_REASONS: [&str; 15] = [
    "refused",
    "tls",
    "closed",
    "io",
    "timeout",
    "garbage",
    "out_of_step",
    "dropped",
    "refused_set_up",
    "terminal_restarted",
    "set_up_again",
    "reconciliation",
    "panic",
    "identity",
    "asked",
];

/// What was wrong with bytes that came: the `kind` label of frame errors.
pub const FRAME_ERROR_KINDS: [&str; 9] =
    ["checksum", "preamble", "magic", "length", "unknown_message", "payload", "resync", "unasked", "refused_screen"];

/// Kinds of disagreement in a reconciliation, by their names in the journal.
pub(super) const DISCREPANCY_KINDS: [&str; 6] =
    ["orphan_on_terminal", "lost_approval", "missing_on_terminal", "disposal_confirmed", "disposal_outstanding", "no_hold"];

/// A terminal's states, by their names in the API.
pub(super) const STATES: [&str; 7] = ["unreachable", "offline", "online", "disabled", "enabled", "wait_card", "wait_auth"];

/// Why a terminal takes no cards: the `reason` label.
pub(super) const REFUSING_REASONS: [&str; 7] =
    ["leaving", "waiting", "going_down", "drained", "journal", "journal_slow", "too_many_undelivered"];

/// Shares of `policy.settle_within`, in percent: the `share` label.
pub(super) const SHARES: [&str; 3] = ["50", "80", "100"];

/// From one good exchange to the steps of the retry ladder (1 s, 5 s, 30 s, minutes, hours).
const DISPOSAL_SECONDS: &[f64] = &[0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0, 600.0, 3600.0, 14400.0];

/// From a line's own delay to the longest limit of an exchange (Auth: 210 s).
const EXCHANGE_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 210.0];

/// From a fast disk's sync to a disk in trouble.
const APPEND_SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];

pub(super) const SESSIONS_APPROVED: Name =
    Name { name: "quittance_sessions_approved_total", kind: Kind::Counter, help: "Sessions whose hold was placed." };
pub(super) const SESSIONS_DECLINED: Name =
    Name { name: "quittance_sessions_declined_total", kind: Kind::Counter, help: "Sessions that the bank refused." };
pub(super) const SESSIONS_DISPOSED: Name = Name {
    name: "quittance_sessions_disposed_total",
    kind: Kind::Counter,
    help: "Sessions whose hold is gone, by how it ended.",
};
pub(super) const SESSIONS_UNDISPOSED: Name = Name {
    name: "quittance_sessions_undisposed",
    kind: Kind::Gauge,
    help: "Sessions whose hold exists or may exist and that have reached no end.",
};
pub(super) const SESSIONS_OVERDUE: Name =
    Name { name: "quittance_sessions_overdue", kind: Kind::Gauge, help: "Sessions past their deadline and not disposed." };
pub(super) const SESSIONS_IN_DOUBT: Name =
    Name { name: "quittance_sessions_in_doubt", kind: Kind::Gauge, help: "Sessions whose authorisation has lost its answer." };
pub(super) const SESSIONS_UNCERTAIN: Name =
    Name { name: "quittance_sessions_uncertain", kind: Kind::Gauge, help: "Sessions about which a person must decide." };
pub(super) const OLDEST_UNDISPOSED: Name = Name {
    name: "quittance_oldest_undisposed_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the oldest undisposed session was approved, in seconds since 1970; 0 when there is none.",
};
pub(super) const HELD_AMOUNT: Name = Name {
    name: "quittance_held_amount_minor",
    kind: Kind::Gauge,
    help: "Money held on cards, in minor units; at most, where an Update Session was not answered.",
};
pub(super) const IN_DOUBT_AMOUNT: Name = Name {
    name: "quittance_in_doubt_amount_minor",
    kind: Kind::Gauge,
    help: "Money asked for by sessions of which nobody knows whether there is a hold, in minor units.",
};
pub(super) const COMMITTED_AMOUNT: Name = Name {
    name: "quittance_committed_amount_minor_total",
    kind: Kind::Counter,
    help: "Money taken by confirmed commits, in minor units.",
};
pub(super) const DISPOSAL_DURATION: Name = Name {
    name: "quittance_disposal_duration_seconds",
    kind: Kind::Histogram(DISPOSAL_SECONDS),
    help: "Time from the decision of a disposal to its confirmation.",
};
pub(super) const DISPOSAL_ATTEMPTS: Name = Name {
    name: "quittance_disposal_attempts_total",
    kind: Kind::Counter,
    help: "Commits and voids that were sent, by what came of them.",
};
pub(super) const DISPOSALS_PENDING: Name = Name {
    name: "quittance_disposals_pending",
    kind: Kind::Gauge,
    help: "Sessions whose commit or void is decided and that the terminal has not confirmed; without uncertain ones.",
};
pub(super) const DISPOSALS_PAST_FIFTH_ATTEMPT: Name = Name {
    name: "quittance_disposals_past_fifth_attempt",
    kind: Kind::Gauge,
    help: "Sessions whose commit or void has been sent five times or more and that the terminal has not confirmed; without uncertain ones.",
};
pub(super) const LEDGER_IMBALANCE: Name = Name {
    name: "quittance_ledger_imbalance",
    kind: Kind::Gauge,
    help: "Approved minus disposed minus undisposed since the journal began; always 0.",
};
pub(super) const LINK_UP: Name =
    Name { name: "quittance_link_up", kind: Kind::Gauge, help: "1 when the link is open and set up." };
pub(super) const TERMINAL_STATE: Name = Name {
    name: "quittance_terminal_state",
    kind: Kind::Gauge,
    help: "1 for the state that the terminal is in, 0 for the others.",
};
pub(super) const LINK_RESTARTS: Name = Name {
    name: "quittance_link_restarts_total",
    kind: Kind::Counter,
    help: "How often the link was lost and opened again, by reason.",
};
pub(super) const TERMINAL_QUARANTINED: Name = Name {
    name: "quittance_terminal_quarantined",
    kind: Kind::Gauge,
    help: "1 when the link failed too often and is tried slowly.",
};
pub(super) const DEAD_MAN_MISMATCH: Name = Name {
    name: "quittance_dead_man_mismatch",
    kind: Kind::Gauge,
    help: "1 when there are holds while the terminal has refused, or not yet confirmed, the timer with which it ends them itself.",
};
pub(super) const EXCHANGE_DURATION: Name = Name {
    name: "quittance_exchange_duration_seconds",
    kind: Kind::Histogram(EXCHANGE_SECONDS),
    help: "Time from the first byte of a request to the end of its exchange.",
};
pub(super) const EXCHANGE_TIMEOUTS: Name =
    Name { name: "quittance_exchange_timeouts_total", kind: Kind::Counter, help: "Requests that were not answered in time." };
pub(super) const FRAME_ERRORS: Name = Name {
    name: "quittance_frame_errors_total",
    kind: Kind::Counter,
    help: "Bytes that were no frame, or frames that were of no use, by kind.",
};
pub(super) const RECORDER_DROPPED: Name = Name {
    name: "quittance_recorder_dropped_total",
    kind: Kind::Counter,
    help: "Frames and marks that the frame recorder could not keep, for want of time or of room on the disk.",
};
pub(super) const RECONCILIATIONS: Name = Name {
    name: "quittance_reconciliations_total",
    kind: Kind::Counter,
    help: "Comparisons of our holds with the terminal's, by how they went.",
};
pub(super) const DISCREPANCIES: Name = Name {
    name: "quittance_reconciliation_discrepancies_total",
    kind: Kind::Counter,
    help: "Disagreements between our holds and the terminal's, by kind.",
};
pub(super) const RECONCILED_AT: Name = Name {
    name: "quittance_reconciliation_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When our holds were last compared with the terminal's, in seconds since 1970; 0 when never.",
};
pub(super) const LINK_CERTIFICATE_EXPIRY: Name = Name {
    name: "quittance_link_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the certificate that the terminal last showed expires, in seconds since 1970; 0 when there is none.",
};
pub(super) const CLIENT_CERTIFICATE_EXPIRY: Name = Name {
    name: "quittance_client_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When our own certificate for the terminal expires, in seconds since 1970; 0 when there is none.",
};
pub(super) const API_CERTIFICATE_EXPIRY: Name = Name {
    name: "quittance_api_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the API's certificate expires, in seconds since 1970; 0 when there is none.",
};
pub(super) const EVENT_STREAMS: Name =
    Name { name: "quittance_event_streams", kind: Kind::Gauge, help: "How many read /v1/events." };
pub(super) const JOURNAL_APPEND_DURATION: Name = Name {
    name: "quittance_journal_append_duration_seconds",
    kind: Kind::Histogram(APPEND_SECONDS),
    help: "Time until appended records were durable.",
};
pub(super) const JOURNAL_ERRORS: Name =
    Name { name: "quittance_journal_errors_total", kind: Kind::Counter, help: "Appends that failed." };
pub(super) const JOURNAL_WRITABLE: Name = Name {
    name: "quittance_journal_writable",
    kind: Kind::Gauge,
    help: "1 when the last append, or the last try since a failed one, went well; at 0 no money moves.",
};
pub(super) const JOURNAL_DAMAGED: Name = Name {
    name: "quittance_journal_damaged",
    kind: Kind::Gauge,
    help: "1 when a part of the journal cannot be relied on; then no cards are taken.",
};
pub(super) const JOURNAL_SLOW: Name = Name {
    name: "quittance_journal_slow",
    kind: Kind::Gauge,
    help: "1 when appending takes so long (journal.slow_after) that no cards are taken.",
};
pub(super) const REFUSES_CARDS: Name = Name {
    name: "quittance_terminal_refuses_cards",
    kind: Kind::Gauge,
    help: "1 for the reason for which the terminal takes no cards although it may be there, 0 for the others.",
};
pub(super) const PAST_SHARE: Name = Name {
    name: "quittance_sessions_past_settle_share",
    kind: Kind::Gauge,
    help: "Undisposed sessions of which this share of policy.settle_within is over, in percent; 0 without that key.",
};
pub(super) const SETTLE_DEADLINE: Name = Name {
    name: "quittance_settle_deadline_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When policy.settle_within is over for the oldest undisposed session, in seconds since 1970; 0 when there is none.",
};
pub(super) const SESSIONS_STRANDED: Name = Name {
    name: "quittance_sessions_stranded",
    kind: Kind::Gauge,
    help: "Undisposed sessions of terminals that are not configured: nobody can dispose of them.",
};
pub(super) const STRANDED_AMOUNT: Name = Name {
    name: "quittance_stranded_amount_minor",
    kind: Kind::Gauge,
    help: "Money held by sessions of terminals that are not configured, in minor units.",
};
pub(super) const PROCESS_CPU_SECONDS: Name = Name {
    name: "process_cpu_seconds_total",
    kind: Kind::Counter,
    help: "Time that the process has spent on processors, in seconds.",
};
pub(super) const PROCESS_RESIDENT_MEMORY: Name =
    Name { name: "process_resident_memory_bytes", kind: Kind::Gauge, help: "Resident memory, in bytes." };
pub(super) const PROCESS_OPEN_FDS: Name = Name { name: "process_open_fds", kind: Kind::Gauge, help: "Open file descriptors." };
pub(super) const PROCESS_MAX_FDS: Name =
    Name { name: "process_max_fds", kind: Kind::Gauge, help: "How many file descriptors may be open." };
pub(super) const PROCESS_START_TIME: Name = Name {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    help: "When the process was started, in seconds since 1970.",
};
pub(super) const BUILD_INFO: Name =
    Name { name: "quittance_build_info", kind: Kind::Gauge, help: "Always 1; the labels say which program this is." };

/// All of them.
pub(super) const ALL: [Name; 48] = [
    SESSIONS_APPROVED,
    SESSIONS_DECLINED,
    SESSIONS_DISPOSED,
    SESSIONS_UNDISPOSED,
    SESSIONS_OVERDUE,
    SESSIONS_IN_DOUBT,
    SESSIONS_UNCERTAIN,
    OLDEST_UNDISPOSED,
    HELD_AMOUNT,
    IN_DOUBT_AMOUNT,
    COMMITTED_AMOUNT,
    DISPOSAL_DURATION,
    DISPOSAL_ATTEMPTS,
    DISPOSALS_PENDING,
    DISPOSALS_PAST_FIFTH_ATTEMPT,
    LEDGER_IMBALANCE,
    LINK_UP,
    TERMINAL_STATE,
    LINK_RESTARTS,
    TERMINAL_QUARANTINED,
    DEAD_MAN_MISMATCH,
    EXCHANGE_DURATION,
    EXCHANGE_TIMEOUTS,
    FRAME_ERRORS,
    RECORDER_DROPPED,
    RECONCILIATIONS,
    DISCREPANCIES,
    RECONCILED_AT,
    LINK_CERTIFICATE_EXPIRY,
    CLIENT_CERTIFICATE_EXPIRY,
    API_CERTIFICATE_EXPIRY,
    EVENT_STREAMS,
    JOURNAL_APPEND_DURATION,
    JOURNAL_ERRORS,
    JOURNAL_WRITABLE,
    JOURNAL_DAMAGED,
    JOURNAL_SLOW,
    REFUSES_CARDS,
    PAST_SHARE,
    SETTLE_DEADLINE,
    SESSIONS_STRANDED,
    STRANDED_AMOUNT,
    BUILD_INFO,
    PROCESS_CPU_SECONDS,
    PROCESS_RESIDENT_MEMORY,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START_TIME,
];
