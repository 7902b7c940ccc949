//! The file that `termsim` reads.

use std::time::Duration;

use crate::sim::{Listen, Policy, Settings};

#[test]
fn the_example_is_understood() {
    let settings = Settings::parse(include_str!("../../../config/termsim.toml")).unwrap();
    assert_eq!(settings.policy, Policy::slow(Duration::from_millis(400)));
    let ids: Vec<_> = settings.terminals.iter().map(|(config, _)| config.id.as_str()).collect();
    assert_eq!(ids, ["bay-01", "bay-02", "bay-03"]);
    let (_, drivers) = &settings.terminals[0];
    assert_eq!((drivers.auto_tap, drivers.decline_every), (Some(Duration::from_secs(3)), Some(10)));
    assert_eq!(settings.terminals[1].0.listen, Listen::Pty("/tmp/termsim-bay-02".into()));
    assert_eq!(settings.terminals[2].1.chances.lose_answer, 0.01);
}

#[test]
fn all_mistakes_are_said_at_once() {
    let text = r#"
        faults = { lose_answer = 1.5 }
        [[terminals]]
        id = "bay-01"
        family = "apollo"
        listen = { tcp = "127.0.0.1:3201" }
        [[terminals]]
        id = "bay-01"
        family = "apollo"
        listen = { tcp = "127.0.0.1:3201" }
        faults = {}
        drivers = { decline_every = 0 }
        [[terminals]]
        id = "Bay 3"
        family = "p6x"
        listen = { pty = "x" }
        [[terminals]]
        id = "bay-04"
        family = "p6x"
        listen = { tcp = "127.0.0.1:3202" }"#;
    let said = Settings::parse(text).unwrap_err().to_string();
    for key in [
        "terminals[0].faults.lose_answer:",
        "terminals[1].id:",
        "terminals[1].listen:",
        "terminals[1].drivers.decline_every:",
        "terminals[2].id:",
        "terminals[3].listen:",
    ] {
        assert!(said.contains(key), "{key} is missing in {said}");
    }
}

#[test]
fn unknown_keys_and_bad_durations_are_refused() {
    for text in ["bnak = {}", "drivers = { auto_tap = \"soon\" }", "terminals = 3", ""] {
        assert!(Settings::parse(text).is_err(), "{text}");
    }
}
