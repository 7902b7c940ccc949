use super::*;
use crate::money::Amount;
use crate::time::Timestamp;

const FULL: &str = r#"terminal="bay-01",family="apollo""#;

fn metrics(terminals: u32) -> Metrics {
    let terminals: Vec<_> = (1..=terminals).map(|n| (format!("bay-{n:02}").parse().unwrap(), Family::Apollo)).collect();
    Metrics::new("0.1.0", "abc", "EUR".parse().unwrap(), &terminals)
}

/// A terminal's metrics, beside the journal's errors: name, type, and the further labels with how many series they make.
const TABLE: [(&str, &str, &[&str], usize); 32] = [
    ("quittance_sessions_approved_total", "counter", &[], 1),
    ("quittance_sessions_declined_total", "counter", &[], 1),
    ("quittance_sessions_disposed_total", "counter", &["outcome"], 4),
    ("quittance_sessions_undisposed", "gauge", &[], 1),
    ("quittance_sessions_overdue", "gauge", &[], 1),
    ("quittance_sessions_in_doubt", "gauge", &[], 1),
    ("quittance_sessions_uncertain", "gauge", &[], 1),
    ("quittance_oldest_undisposed_timestamp_seconds", "gauge", &[], 1),
    ("quittance_held_amount_minor", "gauge", &["currency"], 1),
    ("quittance_committed_amount_minor_total", "counter", &["currency"], 1),
    ("quittance_disposal_duration_seconds", "histogram", &["outcome"], 4),
    ("quittance_disposal_attempts_total", "counter", &["decision", "result"], 8),
    ("quittance_ledger_imbalance", "gauge", &[], 1),
    ("quittance_link_up", "gauge", &[], 1),
    ("quittance_terminal_state", "gauge", &["state"], 7),
    ("quittance_link_restarts_total", "counter", &["reason"], 15),
    ("quittance_terminal_quarantined", "gauge", &[], 1),
    ("quittance_exchange_duration_seconds", "histogram", &["command"], 15),
    ("quittance_exchange_timeouts_total", "counter", &["command"], 25),
    ("quittance_frame_errors_total", "counter", &["kind"], 9),
    ("quittance_recorder_dropped_total", "counter", &[], 1),
    ("quittance_reconciliations_total", "counter", &["result"], 3),
    ("quittance_reconciliation_discrepancies_total", "counter", &["kind"], 6),
    ("quittance_reconciliation_last_success_timestamp_seconds", "gauge", &[], 1),
    ("quittance_in_doubt_amount_minor", "gauge", &["currency"], 1),
    ("quittance_disposals_pending", "gauge", &[], 1),
    ("quittance_disposals_past_fifth_attempt", "gauge", &[], 1),
    ("quittance_dead_man_mismatch", "gauge", &[], 1),
    ("quittance_link_certificate_expiry_timestamp_seconds", "gauge", &[], 1),
    ("quittance_client_certificate_expiry_timestamp_seconds", "gauge", &[], 1),
    ("quittance_api_certificate_expiry_timestamp_seconds", "gauge", &[], 1),
    ("quittance_journal_errors_total", "counter", &[], 1),
];

#[test]
fn every_series_of_a_terminal_starts_at_zero() {
    let text = metrics(1).render();
    for (name, kind, labels, series) in TABLE {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let lines: Vec<_> =
            text.lines().filter(|line| line.strip_prefix(&sample).is_some_and(|rest| rest.starts_with(['{', ' ']))).collect();
        assert_eq!(lines.len(), series, "{name}: {lines:?}");
        for line in lines {
            let unreachable = line.contains(r#"state="unreachable""#);
            assert!(line.ends_with(if unreachable { " 1" } else { " 0" }), "{line}");
            let of_nobody =
                ["quittance_journal_errors_total", "quittance_api_certificate_expiry_timestamp_seconds"].contains(&name);
            assert_eq!(line.contains(FULL), !of_nobody, "{line}");
            let expected = if of_nobody { 0 } else { 2 + labels.len() };
            assert_eq!(line.matches("=\"").count(), expected, "{line}");
            assert!(labels.iter().all(|label| line.contains(&format!("{label}=\""))), "{line}");
        }
    }
    assert!(text.contains("quittance_build_info{version=\"0.1.0\",revision=\"abc\"} 1\n"));
    assert!(text.contains("# TYPE quittance_journal_append_duration_seconds histogram\n"));
    assert!(text.contains("quittance_journal_append_duration_seconds_count 0\n"));
    assert_eq!(text.matches("# TYPE ").count(), names::ALL.len());
}

#[test]
fn what_is_counted_is_shown() {
    let metrics = metrics(1);
    let terminal = metrics.terminal(&"bay-01".parse().unwrap()).unwrap();
    terminal.disposed(Disposed::Expired);
    terminal.attempt(Decided::Void, Attempt::LinkLost);
    terminal.reconciliation(Reconciled::Repaired);
    terminal.committed(Amount::from_minor(u32::MAX));
    terminal.committed(Amount::from_minor(1));
    terminal.set_held(4_294_967_297);
    terminal.set_ledger_imbalance(-1);
    terminal.set_oldest_undisposed(Some(Timestamp::from_unix_millis(1_700_000_000_125)));
    terminal.state("wait_auth");
    terminal.exchange("commit_session", Duration::from_millis(30));
    terminal.frame_error("something_new");
    terminal.set_link_certificate_expiry(Timestamp::from_unix_millis(1_900_000_000_000));
    terminal.set_client_certificate_expiry(Timestamp::from_unix_millis(1_900_000_001_000));
    metrics.set_api_certificate_expiry(Timestamp::from_unix_millis(1_900_000_002_000));
    metrics.journal_error();
    metrics.set_journal_writable(true);
    metrics.set_stranded(2, 7000);
    let text = metrics.render();
    for line in [
        r#"quittance_sessions_disposed_total{terminal="bay-01",family="apollo",outcome="expired"} 1"#,
        r#"quittance_disposal_attempts_total{terminal="bay-01",family="apollo",decision="void",result="link_lost"} 1"#,
        r#"quittance_reconciliations_total{terminal="bay-01",family="apollo",result="repaired"} 1"#,
        r#"quittance_committed_amount_minor_total{terminal="bay-01",family="apollo",currency="EUR"} 4294967296"#,
        r#"quittance_held_amount_minor{terminal="bay-01",family="apollo",currency="EUR"} 4294967297"#,
        r#"quittance_ledger_imbalance{terminal="bay-01",family="apollo"} -1"#,
        r#"quittance_oldest_undisposed_timestamp_seconds{terminal="bay-01",family="apollo"} 1700000000.125"#,
        r#"quittance_terminal_state{terminal="bay-01",family="apollo",state="wait_auth"} 1"#,
        r#"quittance_terminal_state{terminal="bay-01",family="apollo",state="unreachable"} 0"#,
        r#"quittance_exchange_duration_seconds_bucket{terminal="bay-01",family="apollo",command="commit_session",le="0.01"} 0"#,
        r#"quittance_exchange_duration_seconds_bucket{terminal="bay-01",family="apollo",command="commit_session",le="0.05"} 1"#,
        r#"quittance_frame_errors_total{terminal="bay-01",family="apollo",kind="something_new"} 1"#,
        r#"quittance_link_certificate_expiry_timestamp_seconds{terminal="bay-01",family="apollo"} 1900000000"#,
        r#"quittance_client_certificate_expiry_timestamp_seconds{terminal="bay-01",family="apollo"} 1900000001"#,
        "quittance_api_certificate_expiry_timestamp_seconds 1900000002",
        "quittance_journal_errors_total 1",
        "quittance_journal_writable 1",
        "quittance_journal_damaged 0",
        "quittance_sessions_stranded 2",
        r#"quittance_stranded_amount_minor{currency="EUR"} 7000"#,
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}");
    }
}

/// A value that lies on a limit belongs below it, as Prometheus has it; one beyond all limits is in `+Inf` only.
#[test]
fn a_histogram_is_cumulated() {
    let metrics = metrics(0);
    for millis in [0, 1, 2, 6000] {
        metrics.append_duration(Duration::from_millis(millis));
    }
    let text = metrics.render();
    let name = "quittance_journal_append_duration_seconds";
    for (limit, count) in [("0.0005", 1), ("0.001", 2), ("0.002", 3), ("0.005", 3), ("5", 3), ("+Inf", 4)] {
        assert!(text.contains(&format!("\n{name}_bucket{{le=\"{limit}\"}} {count}\n")), "{limit}: {text}");
    }
    assert!(text.contains(&format!("\n{name}_sum 6.003\n{name}_count 4\n")), "{text}");
}

/// The words of a label may hold what would end it.
#[test]
fn labels_are_escaped() {
    let metrics = Metrics::new("a\"b", "c\\d\ne", "EUR".parse().unwrap(), &[]);
    let expected = "quittance_build_info{version=\"a\\\"b\",revision=\"c\\\\d\\ne\"} 1\n";
    assert!(metrics.render().contains(expected), "{}", metrics.render());
}

/// What the process says of itself is about this process: it has used a processor and memory, and has files open.
#[test]
#[cfg(target_os = "linux")]
fn the_process_is_told() {
    let text = metrics(0).render();
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    };
    let (open, most) = (value("process_open_fds"), value("process_max_fds"));
    assert!(open >= 3.0 && open <= most, "{open} of {most}");
    assert!(value("process_resident_memory_bytes") > 100_000.0);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    let now = crate::time::Clock::start().now().unix_seconds();
    let age = now - value("process_start_time_seconds");
    assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
}

#[test]
fn two_hundred_terminals_are_shown_and_two_fleets_are_apart() {
    let (large, small) = (metrics(200), metrics(1));
    large.terminal(&"bay-01".parse().unwrap()).unwrap().approved();
    assert_eq!(large.render().matches("quittance_link_up{").count(), 200);
    assert!(small.render().contains(&format!("quittance_sessions_approved_total{{{FULL}}} 0\n")));
}

#[test]
fn names_of_other_modules_are_the_same_here() {
    assert_eq!(names::DISCREPANCY_KINDS, crate::journal::record::DiscrepancyKind::ALL.map(|kind| kind.as_str()));
    assert_eq!(names::FRAME_ERROR_KINDS[..6], crate::protocol::ProtocolError::KINDS);
    assert_eq!(names::STATES, crate::terminal::view::STATES);
    assert_eq!(names::REFUSING_REASONS, crate::terminal::Reason::ALL.map(crate::terminal::Reason::as_str));
}

/// A terminal that is gone has no series, so that no alert looks at its last words, and the others keep theirs; one that comes back
/// counts on from where it was.
#[test]
fn the_series_of_a_terminal_that_is_gone_are_gone() {
    let metrics = metrics(2);
    let names: Vec<&str> = vec!["bay-01", "bay-02"];
    let lines = |of: &str| metrics.render().lines().filter(|line| line.contains(&format!("{{terminal=\"{of}\","))).count();
    let before: Vec<usize> = names.iter().map(|name| lines(name)).collect();
    assert!(before.iter().all(|lines| *lines > 50), "{before:?}");
    let (gone, family) = ("bay-01".parse().unwrap(), Family::Apollo);
    metrics.terminal(&gone).unwrap().approved();
    metrics.end_terminal(&gone, family);
    assert!(metrics.terminal(&gone).is_none());
    assert_eq!((lines("bay-01"), lines("bay-02")), (0, before[1]));
    metrics.begin_terminal(&gone, family);
    assert_eq!((lines("bay-01"), lines("bay-02")), (before[0], before[1]));
    let counted = "quittance_sessions_approved_total{terminal=\"bay-01\",family=\"apollo\"} 1";
    assert!(metrics.render().lines().any(|line| line == counted));
}

/// A part's text is kept while nothing of it changes; each kind of series ends that, and so does the terminal's state.
#[test]
fn a_scrape_never_shows_what_was() {
    let metrics = metrics(2);
    let terminal = metrics.terminal(&"bay-01".parse().unwrap()).unwrap();
    let changes: [(&dyn Fn(), String); 6] = [
        (&|| terminal.approved(), format!("quittance_sessions_approved_total{{{FULL}}} 1")),
        (&|| terminal.link_up(true), format!("quittance_link_up{{{FULL}}} 1")),
        (&|| terminal.link_up(false), format!("quittance_link_up{{{FULL}}} 0")),
        (
            &|| terminal.disposal_duration(Disposed::Voided, Duration::from_secs(2)),
            format!("quittance_disposal_duration_seconds_sum{{{FULL},outcome=\"voided\"}} 2"),
        ),
        (&|| terminal.state("enabled"), format!("quittance_terminal_state{{{FULL},state=\"enabled\"}} 1")),
        (
            &|| terminal.exchange("control", Duration::from_secs(1)),
            format!("quittance_exchange_duration_seconds_count{{{FULL},command=\"control\"}} 1"),
        ),
    ];
    for (change, line) in changes {
        let before = metrics.render();
        assert!(!before.lines().any(|shown| shown == line), "{line}");
        metrics.upkeep();
        change();
        let after = metrics.render();
        assert!(after.lines().any(|shown| shown == line), "{line}");
        let of_the_other = |text: &str| text.lines().filter(|line| line.contains("bay-02")).collect::<Vec<_>>().join("\n");
        assert_eq!(of_the_other(&before), of_the_other(&after));
    }
}
