//! What of another configuration can be followed, and what the journal remembers of a terminal.

use super::super::{Difference, follow, recall, remember};
use super::*;
use crate::fleet::difference::Difference as Fleet;
use crate::terminal::TerminalSettings;

/// What is different beside the terminals when the file changes in this way.
fn followed(before: &str, after: &str) -> (Config, Difference) {
    follow(&good(before, &[]), good(after, &[]))
}

fn tokens(name: &str) -> String {
    format!("tokens = [{{ name = \"{name}\", role = \"viewer\", sha256 = \"{DIGEST}\" }}]\n")
}

/// Each key beside the terminals' either holds at once or is named as one that needs a restart, and then the old value stays.
#[test]
fn every_key_is_followed_or_named() {
    let cases: [(&str, &str, &[&str], &[&str]); 9] = [
        ("id = \"depot\"", "id = \"other\"", &[], &["site.id"]),
        ("\"EUR\"", "\"CHF\"", &[], &["site.currency"]),
        ("127.0.0.1:8470", "127.0.0.1:8471", &[], &["api.listen"]),
        ("[policy]", "[journal]\npath = \"other.db\"\n[policy]", &[], &["journal.path"]),
        ("[policy]", "[log]\nfilter = \"debug\"\n[policy]", &["log.filter"], &[]),
        ("intensity = 5", "intensity = 6", &["supervision"], &[]),
        ("[policy]", "[journal]\nslow_after = \"2s\"\n[policy]", &["journal.slow_after"], &[]),
        ("[policy]", &format!("{}[policy]", tokens("new")), &["api.tokens"], &[]),
        ("10.1.0.11", "10.1.0.12", &[], &[]),
    ];
    let before = good(GOOD, &[]);
    for (this, that, changed, needs_restart) in cases {
        let (holds, told) = followed(GOOD, &GOOD.replacen(this, that, 1));
        assert_eq!((told.changed.as_slice(), told.needs_restart.as_slice()), (changed, needs_restart), "{that}");
        let stays = (&holds.site, &holds.journal_path, holds.api.listen);
        assert_eq!(stays, (&before.site, &before.journal_path, before.api.listen), "{that}");
    }
    let (_, told) = followed(GOOD, GOOD);
    assert_eq!(told, Difference::default());
}

/// An API that is open to the network keeps its tokens, also when the file wants a loopback address and none.
#[test]
fn an_open_api_never_loses_its_tokens() {
    let open = GOOD.replace("\"127.0.0.1:8470\"\n", &format!("\"0.0.0.0:8470\"\n{}", tokens("old")));
    let (holds, told) = followed(&open, GOOD);
    assert_eq!(told.needs_restart, ["api.listen", "api.tokens"]);
    assert_eq!(holds.api.tokens.len(), 1);
    let loopback = GOOD.replace("[policy]", &format!("{}[policy]", tokens("old")));
    let (holds, told) = followed(&loopback, GOOD);
    assert_eq!((told.needs_restart, told.changed, holds.api.tokens.len()), (vec![], vec!["api.tokens"], 0));
}

const DEPOT: &str = r#"
[site]
id = "depot"
currency = "EUR"
[policy]
terminal_timeout_action = "commit"
[[terminals]]
id = "bay-01"
family = "apollo"
link = { tcp = "10.1.0.11:3201" }
[[terminals]]
id = "bay-02"
family = "p6x"
connectors = 7
link = { serial = "/dev/ttyS0", baud = 115200 }
serial_number = "a \"quoted\" one\\"
timeouts = { command = "7s", commit = "1m 1s", authorise = "31s", card = "1h" }
quirks = { read_card = 0x51, select_language = 0x52, status_as_result = false, preamble = 0xAB, magic = "any", magic_sent = 0x3D, card_read_length = 1, ui_layout = "type_first", list_offset = "bytes", keeps_sessions = false }
protocol = { events = false }
[terminals.policy]
terminal_timeout = "30h 1s"
plug_in_timeout = "90s"
max_session = "13h"
on_max_session = "alert"
orphan_policy = "report"
duplicate_tap = "allow"
tap_to_stop = false
authorise = "ask"
authorise_within = "20500ms"
max_hold = 4294967295
retry = ["10ms", "1h 30m"]
reconcile_every = "1day"
max_undelivered = 3
settle_within = "2days"
"#;

/// What the journal remembers of a terminal is what was configured, key by key, except for what only new sessions and people need.
#[test]
fn a_terminal_is_remembered_as_it_was() {
    for terminal in good(DEPOT, &[]).terminals {
        let kept = remember(&terminal);
        let text = kept.to_string();
        let recalled = recall(&terminal.id, &serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(TerminalSettings { screens: terminal.screens.clone(), ..recalled }, terminal, "{text}");
    }
}

/// What cannot be used any more says so, and is no panic.
#[test]
fn what_is_remembered_may_be_of_no_use() {
    let id = "bay-01".parse().unwrap();
    for kept in ["null", "1", "[]", "{}", r#"{"family":"apollo","link":{"tls":"10.0.0.1:1","ca":"gone.pem"}}"#] {
        let mistakes = recall(&id, &serde_json::from_str(kept).unwrap()).unwrap_err();
        assert!(!mistakes.0.is_empty(), "{kept}");
    }
}

/// For each key of a terminal: that its change is seen, named, and opens the link anew only where the device must hear of it.
#[test]
fn changes_of_a_terminal_are_told_apart() {
    let cases = [
        ("connectors = 7", "connectors = 6", "connectors", false),
        ("baud = 115200", "baud = 57600", "link", true),
        ("one\\\\\"", "two\"", "serial_number", true),
        ("command = \"7s\"", "command = \"8s\"", "timeouts", true),
        ("read_card = 0x51", "read_card = 0x53", "quirks", true),
        ("protocol = { events = false }", "protocol = { events = true }", "protocol", true),
        ("connectors = 7", "connectors = 7\nscan = \"always\"\npreauth = 5", "preauth", false),
        ("connectors = 7", "connectors = 7\nrecord = { path = \"bay-02.psp\" }", "record", true),
        ("\"30h 1s\"", "\"30h 2s\"", "policy.terminal_timeout", true),
        ("reconcile_every", "terminal_timeout_action = \"void\"\nreconcile_every", "policy.terminal_timeout_action", true),
        ("\"90s\"", "\"91s\"", "policy.plug_in_timeout", false),
        ("\"13h\"", "\"14h\"", "policy.max_session", false),
        ("\"alert\"", "\"void\"", "policy.on_max_session", false),
        ("\"report\"", "\"void\"", "policy.orphan_policy", false),
        ("\"allow\"", "\"void_earlier\"", "policy.duplicate_tap", false),
        ("tap_to_stop = false", "tap_to_stop = true", "policy.tap_to_stop", false),
        ("\"ask\"", "\"auto\"", "policy.authorise", false),
        ("20500ms", "20s", "policy.authorise_within", false),
        ("4294967295", "1", "policy.max_hold", false),
        ("\"10ms\", ", "", "policy.retry", false),
        ("1day", "1day 1s", "policy.reconcile_every", false),
        ("max_undelivered = 3", "", "policy.max_undelivered", false),
        ("\"2days\"", "\"3days\"", "policy.settle_within", false),
    ];
    let terminals = |text: &str| good(text, &[]).terminals.into_iter().map(|one| (one.id.clone(), one)).collect();
    for (this, that, key, reopens) in cases {
        let after = DEPOT.replacen(this, that, 1);
        assert_ne!(after, DEPOT, "{this}");
        let Fleet { added, removed, changed, unchanged } = Fleet::between(&terminals(DEPOT), &terminals(&after));
        assert_eq!((added, removed, unchanged), (vec![], vec![], vec!["bay-01".parse().unwrap()]), "{key}");
        assert_eq!(changed.len(), 1, "{key}");
        let (id, change) = &changed[0];
        assert_eq!((id.as_str(), change.keys.as_slice()), ("bay-02", [key].as_slice()));
        // Another number on the device's plate is another device.
        assert_eq!((change.reopens, change.replaces), (reopens, key == "serial_number"), "{key}");
    }
}

/// Who comes, who goes, who stays, and a device of another family under the same name.
#[test]
fn two_fleets_are_told_apart() {
    let terminals = |text: &str| good(text, &[]).terminals.into_iter().map(|one| (one.id.clone(), one)).collect();
    let id = |text: &str| text.parse().unwrap();
    let renamed = DEPOT.replace("bay-01", "bay-00");
    let fleet = Fleet::between(&terminals(DEPOT), &terminals(&renamed));
    assert_eq!((fleet.added, fleet.removed, fleet.unchanged), (vec![id("bay-00")], vec![id("bay-01")], vec![id("bay-02")]));
    let device = GOOD.replace(
        "family = \"apollo\"\nlink = { tcp = \"10.1.0.11:3201\" }",
        "family = \"p6x\"\nlink = { serial = \"/dev/ttyS1\" }",
    );
    let fleet = Fleet::between(&terminals(GOOD), &terminals(&device));
    let (name, change) = &fleet.changed[0];
    assert_eq!((name.as_str(), change.replaces, change.reopens), ("bay-01", true, true));
    assert_eq!(fleet.unchanged, [id("bay-02")]);
}

/// Nobody can promise to settle sooner than a hold is ended anyway, nor take no undelivered disposal at all.
#[test]
fn limits_that_make_no_sense() {
    let cases = [
        ("settle_within = \"12h\"", vec!["policy.settle_within"]),
        ("settle_within = \"12h 1s\"", vec![]),
        ("max_undelivered = 0", vec!["policy.max_undelivered"]),
        ("max_undelivered = 1", vec![]),
    ];
    for (key, mistakes) in cases {
        assert_eq!(paths(&GOOD.replace("[policy]", &format!("[policy]\n{key}")), &[]), mistakes, "{key}");
    }
    assert_eq!(paths(&GOOD.replace("[policy]", "[journal]\nslow_after = \"0s\"\n[policy]"), &[]), ["journal.slow_after"]);
}
