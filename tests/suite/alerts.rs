//! The rules of `dashboards/alerts.yml` as a text: every alert tells who should act, and leads to a heading of README; every alert
//! has unit tests, and they pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::tool;

fn read(file: &str) -> String {
    fs::read_to_string(tool::root().join(file)).unwrap()
}

/// Every alert's name and lines; several may have one name. The file is written in one shape throughout.
fn alerts(text: &str) -> Vec<(String, Vec<String>)> {
    let mut alerts: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("      - alert: ") {
            alerts.push((name.to_owned(), Vec::new()));
            inside = true;
        } else if line.starts_with("      - ") || line.starts_with("  - ") {
            inside = false;
        } else if inside {
            alerts.last_mut().unwrap().1.push(line.trim().to_owned());
        }
    }
    alerts
}

/// `QuittanceLinkDownWithHolds` is explained under "Link down with holds", whose anchor is `link-down-with-holds`.
fn anchor(alert: &str) -> String {
    let words = alert.strip_prefix("Quittance").unwrap();
    let dashed = words.chars().flat_map(|c| c.is_uppercase().then_some('-').into_iter().chain(c.to_lowercase()));
    dashed.collect::<String>().trim_start_matches('-').to_owned()
}

/// The anchors of README's headings within its runbook, as GitHub makes them.
fn runbook() -> BTreeSet<String> {
    let readme = read("README.md");
    let (_, runbook) = readme.split_once("\n## Runbook\n").unwrap();
    let runbook = runbook.split("\n## ").next().unwrap();
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    headings
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace(|c: char| c != '-' && !c.is_alphanumeric(), ""))
        .collect()
}

#[test]
fn every_alert_says_what_is_wrong_and_leads_to_its_heading() {
    let text = read("dashboards/alerts.yml");
    let (alerts, headings) = (alerts(&text), runbook());
    assert!(alerts.len() > 30);
    let urls: BTreeSet<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    // Wherever README is (README, Watching), all alerts lead to the same one.
    let readmes: BTreeSet<&str> = urls.iter().filter_map(|url| url.split_once('#')).map(|(readme, _)| readme).collect();
    assert_eq!(readmes.len(), 1, "{readmes:?}");
    let readme = readmes.first().unwrap();
    let mut shared = BTreeMap::new();
    for (name, lines) in &alerts {
        let has = |key: &str| lines.iter().any(|line| line.starts_with(key) && line.len() > key.len());
        assert!(has("expr: "), "{name}");
        let severity = lines.iter().find_map(|line| line.strip_prefix("severity: ")).unwrap();
        assert!(["critical", "warning", "info"].contains(&severity) || name == "QuittanceWatchdog", "{name}");
        // An alert of two severities has one text.
        if let Some(known) = lines.iter().find_map(|line| line.strip_prefix("annotations: *")) {
            assert_eq!(shared.get(known), Some(name), "{known}");
            continue;
        }
        for key in ["summary: ", "description: ", "runbook_url: "] {
            assert!(has(key), "{name} has no {key}");
        }
        if let Some(new) = lines.iter().find_map(|line| line.strip_prefix("annotations: &")) {
            shared.insert(new.to_owned(), name.clone());
        }
        let url = format!("{readme}#{}", anchor(name));
        assert!(lines.contains(&format!("runbook_url: {url}")), "{name} does not lead to {url}");
        assert!(urls.contains(url.as_str()) && headings.contains(&anchor(name)), "README has no heading {}", anchor(name));
    }
    let named: BTreeSet<String> = alerts.iter().map(|(name, _)| anchor(name)).collect();
    assert_eq!(headings.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "headings that no alert leads to");
}

/// What a test of promtool expects at one moment: how often the alert stands in which state.
struct Moment {
    alert: String,
    quiet: bool,
    firing: bool,
}

/// All moments of a file, test by test.
fn unit_tests(text: &str) -> Vec<Vec<Moment>> {
    let mut tests: Vec<Vec<Moment>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("- name: ") {
            tests.push(Vec::new());
        }
        let Some(moments) = tests.last_mut() else { continue };
        if let Some(rest) = line.strip_prefix("- expr: count by (severity, alertstate) (ALERTS{alertname=\"") {
            moments.push(Moment { alert: rest.trim_end_matches("\"})").to_owned(), quiet: false, firing: false });
        } else if let Some(moment) = moments.last_mut() {
            moment.quiet |= line == "exp_samples: []";
            moment.firing |= line.contains("alertstate=\"firing\"");
        }
    }
    tests
}

#[test]
fn every_alert_is_tried_before_while_and_after_it_should_fire() {
    let files = ["dashboards/tests/alerts.yml", "dashboards/tests/days.yml"].map(read);
    let tests: Vec<Vec<Moment>> = files.iter().flat_map(|text| unit_tests(text)).collect();
    let names: BTreeSet<String> = alerts(&read("dashboards/alerts.yml")).into_iter().map(|(name, _)| name).collect();
    let tried = |name: &String| {
        tests.iter().filter(|moments| moments.iter().all(|moment| moment.alert == *name)).any(|moments| {
            let fires = moments.iter().any(|moment| moment.firing);
            let around = moments.first().is_some_and(|m| m.quiet) && moments.last().is_some_and(|m| m.quiet);
            fires && (around || name == "QuittanceWatchdog")
        })
    };
    assert_eq!(names.iter().filter(|name| !tried(name)).collect::<Vec<_>>(), Vec::<&String>::new());
    let unknown = tests.iter().flatten().filter(|moment| !names.contains(&moment.alert)).count();
    assert_eq!(unknown, 0, "a test of an alert that there is not");
}

#[test]
fn promtool_and_amtool_find_nothing_wrong() {
    if let Some(promtool) = tool::tool("promtool", "prometheus") {
        tool::must_succeed(&promtool, &["check", "rules", "dashboards/alerts.yml"]);
        tool::must_succeed(&promtool, &["check", "config", "config/prometheus.yml"]);
        let tests = ["dashboards/tests/alerts.yml", "dashboards/tests/days.yml", "dashboards/tests/words.yml"];
        let said = tool::must_succeed(&promtool, &[&["test", "rules"], tests.as_slice()].concat());
        assert_eq!(said.matches("SUCCESS").count(), tests.len(), "{said}");
    }
    if let Some(amtool) = tool::tool("amtool", "prometheus-alertmanager") {
        tool::must_succeed(&amtool, &["check-config", "config/alertmanager.yml"]);
    }
}

/// The examples name alerts, too, and a name that is none inhibits nothing.
#[test]
fn the_examples_name_alerts_that_there_are() {
    let names: BTreeSet<String> = alerts(&read("dashboards/alerts.yml")).into_iter().map(|(name, _)| name).collect();
    let example = read("config/alertmanager.yml");
    let words =
        example.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '*').filter(|word| word.starts_with("Quittance"));
    let (mut seen, mut unknown) = (0, Vec::new());
    for word in words {
        seen += 1;
        let known = match word.strip_suffix(".*") {
            Some(start) => names.iter().any(|name| name.starts_with(start)),
            None => names.contains(word) || word == "Quittance.",
        };
        if !known {
            unknown.push(word);
        }
    }
    assert!(seen > 10);
    assert_eq!(unknown, Vec::<&str>::new());
}
