//! The Grafana dashboards: rules for all of them, and every query asked of a real Prometheus that has scraped the running program.

use std::collections::{BTreeMap, BTreeSet};

use quittance::sim::Policy;
use serde_json::Value;

use super::prometheus::Watchers;
use super::rig::Rig;
use super::tool;

/// Half a minute of the shipped times is a second here.
const FASTER: f64 = 30.0;

/// File name and content of each.
fn boards() -> BTreeMap<String, Value> {
    let folder = tool::root().join("dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let board = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap().to_str().unwrap().to_owned(), board)
        })
        .collect()
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Everything but the headings between rows.
fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    list(board, "/panels").iter().filter(|panel| panel["type"] != "row")
}

/// Words that look like metrics, in any expression.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| ["quittance_", "process_", "scrape_"].iter().any(|prefix| word.starts_with(prefix)))
}

/// What the mixins of Kubernetes, etcd and node_exporter hold themselves to.
#[test]
fn every_dashboard_keeps_the_rules() {
    let readme = std::fs::read_to_string(tool::root().join("README.md")).unwrap();
    let boards = boards();
    assert_eq!(boards.keys().collect::<Vec<_>>(), ["fleet.json", "money.json", "process.json", "terminal.json"]);
    let mut mistakes = Vec::new();
    let mut names = BTreeSet::new();
    for (file, board) in &boards {
        let mut must = |holds: bool, what: &str| {
            if !holds {
                mistakes.push(format!("{file}: {what}"));
            }
        };
        must(names.insert(text(board, "/uid")), "another one has the same uid");
        must(text(board, "/title").starts_with("Quittance / "), "the title begins with the product");
        must(!text(board, "/description").is_empty(), "a description");
        must(list(board, "/tags").iter().any(|tag| tag == "quittance"), "the tag that links the dashboards");
        let variables: Vec<(&str, &str)> =
            list(board, "/templating/list").iter().map(|variable| (text(variable, "/name"), text(variable, "/type"))).collect();
        must(variables.starts_with(&[("datasource", "datasource"), ("site", "query")]), "a choice of data source and site");
        must(file == "process.json" || variables.contains(&("terminal", "query")), "a choice of terminals");
        let annotations = list(board, "/annotations/list");
        for (name, metric) in
            [("Restarts", "process_start_time_seconds"), ("Reconciliations", "quittance_reconciliation_last_success")]
        {
            let shown = |one: &&Value| text(one, "/name").starts_with(name) && text(one, "/expr").starts_with(metric);
            must(annotations.iter().any(|one| shown(&one)), &format!("{name} are annotated"));
        }
        let links = list(board, "/links");
        must(links.iter().any(|link| text(link, "/type") == "dashboards"), "a link to the other dashboards");
        must(links.iter().any(|link| text(link, "/title") == "Runbook"), "a link to the runbook");
        let ids: BTreeSet<_> = list(board, "/panels").iter().map(|panel| panel["id"].as_u64()).collect();
        must(ids.len() == list(board, "/panels").len() && !ids.contains(&None), "panels with numbers of their own");
        for panel in panels(board) {
            let title = text(panel, "/title");
            let mut must = |holds: bool, what: &str| must(holds, &format!("{title:?}: {what}"));
            must(!title.is_empty(), "a title");
            must(text(panel, "/description").ends_with('.'), "a description in sentences");
            must(!text(panel, "/fieldConfig/defaults/unit").is_empty(), "a unit");
            must(text(panel, "/datasource/uid") == "${datasource}", "the chosen data source");
            must(!list(panel, "/targets").is_empty(), "a query");
            for target in list(panel, "/targets") {
                let expression = text(target, "/expr");
                must(text(target, "/datasource/uid") == "${datasource}", "the chosen data source in its queries");
                must(!expression.contains("rate(") || expression.contains("[$__rate_interval]"), "$__rate_interval for rates");
                let selectors = expression.matches('{').count();
                must(selectors > 0 && expression.matches("site=~\"$site\"").count() == selectors, "the chosen site everywhere");
            }
            for link in list(panel, "/links") {
                let anchor = text(link, "/url").split_once("README.md#").map_or("", |(_, anchor)| anchor);
                must(headings(&readme).any(|heading| heading == anchor), "a link to a heading of README");
            }
        }
    }
    assert_eq!(mistakes, Vec::<String>::new());
}

/// The anchors of README's headings, as GitHub makes them.
fn headings(readme: &str) -> impl Iterator<Item = String> {
    readme.lines().filter_map(|line| line.strip_prefix('#')).map(|heading| {
        let letters = heading.trim_start_matches('#').trim().to_lowercase();
        letters
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
            .collect::<String>()
            .replace(' ', "-")
    })
}

/// Panels do not lie on each other, and none is wider than the page.
#[test]
fn panels_have_places_of_their_own() {
    for (file, board) in boards() {
        let mut taken = BTreeSet::new();
        for panel in list(&board, "/panels") {
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(side("x") + side("w") <= 24, "{file}: {} is too wide", panel["title"]);
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{file}: {} lies on another panel", panel["title"]);
                }
            }
        }
    }
}

/// A depot in which everything has happened once: every query of every panel, variable and annotation finds something.
#[test]
fn every_query_finds_something() {
    let rig = Rig::pair().connectors(2).start();
    let Some(watchers) = Watchers::start(FASTER, &[("depot", rig.api.address())]) else { return rig.finish() };
    for terminal in ["apollo-1", "p6x-1"] {
        let session = rig.approve(terminal, 5000);
        rig.energy(&session, 1240);
        rig.commit(&session, 1240);
        let declined = rig.open(terminal, 2000);
        rig.tap(terminal, &rig.card_with(Policy::decline(0x09)));
        rig.wait_state(&declined, "declined");
        rig.approve(terminal, 2000);
        rig.terminal(terminal).cut();
        rig.until("set up again", || (rig.metric("quittance_link_up", &[("terminal", terminal)]) == 1.0).then_some(()));
    }
    // A rate needs two scrapes of the last change.
    let seen = "sum(quittance_sessions_disposed_total offset 1s) == 2 and sum(quittance_link_up offset 1s) == 2";
    watchers.until("scraped since", |_| (!watchers.query(seen).is_empty()).then_some(()));

    let mut silent = Vec::new();
    for (file, board) in boards() {
        let expressions = panels(&board).flat_map(|panel| {
            let title = text(panel, "/title");
            list(panel, "/targets").iter().map(move |target| (title, text(target, "/expr")))
        });
        let annotations =
            list(&board, "/annotations/list").iter().filter_map(|one| Some((text(one, "/name"), one["expr"].as_str()?)));
        for (title, expression) in expressions.chain(annotations) {
            let asked = expression.replace("$__rate_interval", "10s").replace("$site", ".*").replace("$terminal", "apollo-1");
            if watchers.query(&asked).is_empty() {
                silent.push(format!("{file}, {title:?}: {asked}"));
            }
            for metric in metrics(expression) {
                let known = watchers.query(&format!("count({{__name__=\"{metric}\"}})"));
                assert!(!known.is_empty(), "{file}, {title:?}: there is no {metric}");
            }
        }
        for variable in list(&board, "/templating/list").iter().filter(|variable| variable["type"] == "query") {
            let definition = text(variable, "/definition");
            let metric = metrics(definition).next().unwrap();
            let label = definition.trim_end_matches(')').rsplit(' ').next().unwrap();
            let values = watchers.query(&format!("count by ({label}) ({metric}{{{label}!=\"\"}})"));
            assert!(!values.is_empty(), "{file}: {definition}");
        }
    }
    assert_eq!(silent, Vec::<String>::new());
    rig.finish();
}
