//! `/metrics` of the running program against the table that was promised: names, types and labels of every series, typed by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use super::rig::Rig;
use super::tool;

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const HISTOGRAM: &str = "histogram";

/// The promise, with the labels that follow `terminal` and `family`.
const PROMISED: [(&str, &str, &[&str]); 23] = [
    ("quittance_sessions_approved_total", COUNTER, &[]),
    ("quittance_sessions_declined_total", COUNTER, &[]),
    ("quittance_sessions_disposed_total", COUNTER, &["outcome"]),
    ("quittance_sessions_undisposed", GAUGE, &[]),
    ("quittance_sessions_overdue", GAUGE, &[]),
    ("quittance_sessions_in_doubt", GAUGE, &[]),
    ("quittance_sessions_uncertain", GAUGE, &[]),
    ("quittance_oldest_undisposed_timestamp_seconds", GAUGE, &[]),
    ("quittance_held_amount_minor", GAUGE, &["currency"]),
    ("quittance_committed_amount_minor_total", COUNTER, &["currency"]),
    ("quittance_disposal_duration_seconds", HISTOGRAM, &["outcome"]),
    ("quittance_disposal_attempts_total", COUNTER, &["decision", "result"]),
    ("quittance_ledger_imbalance", GAUGE, &[]),
    ("quittance_link_up", GAUGE, &[]),
    ("quittance_terminal_state", GAUGE, &["state"]),
    ("quittance_link_restarts_total", COUNTER, &["reason"]),
    ("quittance_terminal_quarantined", GAUGE, &[]),
    ("quittance_exchange_duration_seconds", HISTOGRAM, &["command"]),
    ("quittance_exchange_timeouts_total", COUNTER, &["command"]),
    ("quittance_frame_errors_total", COUNTER, &["kind"]),
    ("quittance_reconciliations_total", COUNTER, &["result"]),
    ("quittance_reconciliation_discrepancies_total", COUNTER, &["kind"]),
    ("quittance_reconciliation_last_success_timestamp_seconds", GAUGE, &[]),
];

/// Likewise, added since, most of them for alerts.
const FOR_ALERTS: [(&str, &str, &[&str]); 10] = [
    ("quittance_terminal_refuses_cards", GAUGE, &["reason"]),
    ("quittance_sessions_past_settle_share", GAUGE, &["share"]),
    ("quittance_settle_deadline_timestamp_seconds", GAUGE, &[]),
    ("quittance_recorder_dropped_total", COUNTER, &[]),
    ("quittance_in_doubt_amount_minor", GAUGE, &["currency"]),
    ("quittance_disposals_pending", GAUGE, &[]),
    ("quittance_disposals_past_fifth_attempt", GAUGE, &[]),
    ("quittance_dead_man_mismatch", GAUGE, &[]),
    ("quittance_link_certificate_expiry_timestamp_seconds", GAUGE, &[]),
    ("quittance_client_certificate_expiry_timestamp_seconds", GAUGE, &[]),
];

/// Those of the program as a whole, with all their labels. The first three were promised with those above.
const OF_THE_PROGRAM: [(&str, &str, &[&str]); 15] = [
    ("quittance_journal_slow", GAUGE, &[]),
    ("quittance_event_streams", GAUGE, &[]),
    ("quittance_journal_append_duration_seconds", HISTOGRAM, &[]),
    ("quittance_journal_errors_total", COUNTER, &[]),
    ("quittance_build_info", GAUGE, &["version", "revision"]),
    ("quittance_api_certificate_expiry_timestamp_seconds", GAUGE, &[]),
    ("quittance_journal_writable", GAUGE, &[]),
    ("quittance_journal_damaged", GAUGE, &[]),
    ("quittance_sessions_stranded", GAUGE, &[]),
    ("quittance_stranded_amount_minor", GAUGE, &["currency"]),
    ("process_cpu_seconds_total", COUNTER, &[]),
    ("process_resident_memory_bytes", GAUGE, &[]),
    ("process_open_fds", GAUGE, &[]),
    ("process_max_fds", GAUGE, &[]),
    ("process_start_time_seconds", GAUGE, &[]),
];

/// Families by name: their type, whether they have a help text, and the labels of each series.
type Families = BTreeMap<String, (String, bool, Vec<Vec<(String, String)>>)>;

fn families(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().1 = help.len() > 10 && help.ends_with('.');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().0);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap().split(',').filter(|label| !label.is_empty());
            let labels = labels.map(|label| label.split_once('=').unwrap());
            let labels = labels.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
            let parts = ["_bucket", "_sum", "_count"];
            let mut of_histogram = parts.iter().filter_map(|part| name.strip_suffix(part));
            let family = of_histogram.find(|family| families.contains_key(*family)).unwrap_or(name).to_owned();
            families.get_mut(&family).unwrap_or_else(|| panic!("no TYPE before {line}")).2.push(labels);
        }
    }
    families
}

#[test]
fn the_running_program_keeps_the_promise_of_names_types_and_labels() {
    let rig = Rig::pair().start();
    let session = rig.approve("apollo-1", 5000);
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    let open = rig.approve("p6x-1", 5000);
    let text = rig.api.metrics();
    let families = families(&text);

    let of_terminals = PROMISED.iter().chain(&FOR_ALERTS).map(|(name, kind, labels)| (*name, *kind, *labels, true));
    let of_the_program = OF_THE_PROGRAM.iter().map(|(name, kind, labels)| (*name, *kind, *labels, false));
    let expected: Vec<_> = of_terminals.chain(of_the_program).collect();
    for (name, kind, labels, of_terminal) in &expected {
        let (found, help, series) = families.get(*name).unwrap_or_else(|| panic!("{name} is not shown"));
        assert_eq!((found.as_str(), *help), (*kind, true), "{name}: its type, and a help text that is a sentence");
        let mut wanted: Vec<&str> = if *of_terminal { vec!["terminal", "family"] } else { Vec::new() };
        wanted.extend(*labels);
        for labels in series {
            let names = labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le" || *kind != HISTOGRAM);
            assert_eq!(names.collect::<Vec<_>>(), wanted, "{name}");
        }
        let terminals: BTreeSet<&str> =
            series.iter().flatten().filter(|(name, _)| name == "terminal").map(|(_, value)| value.as_str()).collect();
        let both = if *of_terminal { vec!["apollo-1", "p6x-1"] } else { Vec::new() };
        assert_eq!(terminals.into_iter().collect::<Vec<_>>(), both, "{name}");
    }
    let known: BTreeSet<&str> = expected.iter().map(|(name, ..)| *name).collect();
    let strangers: Vec<&String> = families.keys().filter(|name| !known.contains(name.as_str())).collect();
    assert_eq!(strangers, Vec::<&String>::new(), "metrics that nobody has promised");

    // Each session has a name of its own; as a label it would make series without end.
    for name in [&session, &open] {
        assert!(!text.contains(name.as_str()));
    }
    if let Some(promtool) = tool::tool("promtool", "prometheus") {
        let mut check = Command::new(promtool);
        let check = check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut check = check.spawn().unwrap();
        check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = check.wait_with_output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    rig.void(&open);
    rig.finish();
}

/// Series grow with terminals and with nothing else: not with sessions, nor with what becomes of them.
#[test]
fn series_grow_with_terminals_only() {
    let series = |rig: &Rig| families(&rig.api.metrics()).values().map(|(_, _, series)| series.len()).sum::<usize>();
    let counts = [1, 2, 4].map(|apollos| {
        let rig = Rig::builder().apollos(apollos).connectors(8).start();
        let before = series(&rig);
        for terminal in rig.names() {
            for _ in 0..3 {
                let session = rig.approve(&terminal, 5000);
                assert_eq!(rig.void(&session)["state"], "voided");
            }
            rig.terminal(&terminal).cut();
            rig.until("another link", || {
                let lost = rig.metric("quittance_link_restarts_total", &[("terminal", &terminal)]);
                (lost > 0.0 && rig.metric("quittance_link_up", &[("terminal", &terminal)]) == 1.0).then_some(())
            });
        }
        assert_eq!(series(&rig), before, "{apollos} terminals");
        rig.finish();
        before
    });
    let [one, two, four] = counts;
    assert!(two > one);
    assert_eq!(four - two, 2 * (two - one));
}
