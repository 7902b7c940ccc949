//! The file that `termsim` reads.

use std::time::Duration;

use crate::money::Amount;
use crate::sim::{BankVerdict, Listen, Occasion, Partial, Policy, Quirks, Settings, TlsListen, TlsVersions};
use crate::tls::IdentityFiles;

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
fn tls_needs_files_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.local".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let parse = |listen: &str| {
        let listen = listen.replace('@', &folder.path().display().to_string());
        Settings::parse(&format!("[[terminals]]\nid = \"a\"\nfamily = \"apollo\"\nlisten = {{ {listen} }}\n"))
    };
    let sound = "tls = \"127.0.0.1:3204\", cert = \"@/a.pem\", key = \"@/a.key\"";
    let all = parse(&format!("{sound}, client_ca = \"@/a.pem\", versions = \"1.2\"")).unwrap();
    let tls = TlsListen {
        address: "127.0.0.1:3204".parse().unwrap(),
        identity: IdentityFiles { cert: cert.clone(), key },
        client_ca: Some(cert),
        versions: TlsVersions::Only12,
    };
    assert_eq!(all.terminals[0].0.listen, Listen::Tls(Box::new(tls)));
    for (listen, wrong) in [
        ("tls = \"127.0.0.1:3204\", cert = \"@/a.pem\"".to_owned(), "terminals[0].listen: tls needs cert and key"),
        (sound.replace("a.key", "a.pem"), "terminals[0].listen.key: "),
        (sound.replace("a.pem", "b.pem"), "terminals[0].listen.cert: "),
        (format!("{sound}, client_ca = \"@/none\""), "terminals[0].listen.client_ca: "),
        (format!("{sound}, tcp = \"127.0.0.1:1\""), "terminals[0].listen: "),
        ("tcp = \"127.0.0.1:1\", pty = \"x\"".to_owned(), "terminals[0].listen: "),
        ("tcp = \"127.0.0.1:1\", client_ca = \"@/a.pem\"".to_owned(), "terminals[0].listen: "),
    ] {
        let said = parse(&listen).unwrap_err().to_string();
        assert!(said.starts_with(wrong) && said.matches("terminals[").count() == 1, "{listen}: {said}");
    }
}

#[test]
fn unknown_keys_and_bad_durations_are_refused() {
    let terminal = "[[terminals]]\nid = \"a\"\nfamily = \"apollo\"\nlisten = { tcp = \"127.0.0.1:0\" }\n";
    assert!(Settings::parse(terminal).is_ok());
    for more in ["quirks = { reuse_id = true }", "papers = { recipt = \"x\" }", "drivers = { partial = { every = 1 } }"] {
        assert!(Settings::parse(&format!("{terminal}{more}")).is_err(), "{more}");
    }
    for text in ["bnak = {}", "drivers = { auto_tap = \"soon\" }", "terminals = 3", ""] {
        assert!(Settings::parse(text).is_err(), "{text}");
    }
}

/// Every switch is in the example, commented out, with the value that it has without it.
#[test]
fn the_example_names_every_quirk_with_its_default() {
    let example = include_str!("../../../config/termsim.toml");
    let (_, quirks) = example.split_once("# [terminals.quirks]\n").unwrap();
    let lines = quirks.lines().map_while(|line| line.strip_prefix("# ")).map(|line| line.split("  #").next().unwrap());
    let lines: Vec<&str> = lines.collect();
    let names = format!("{:#?}", Quirks::default());
    let names: Vec<&str> =
        names.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": ")).map(|(name, _)| name).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.starts_with(' ')).collect();
    let given: Vec<&str> = lines.iter().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()).collect();
    assert_eq!(given, names);
    let terminal = "[[terminals]]\nid = \"a\"\nfamily = \"apollo\"\nlisten = { tcp = \"127.0.0.1:0\" }\n[terminals.quirks]\n";
    let settings = Settings::parse(&format!("{terminal}{}", lines.join("\n"))).unwrap();
    assert_eq!(settings.terminals[0].0.quirks, Quirks::default());
}

#[test]
fn everything_can_be_set() {
    let text = r#"
        bank = { update_at_most = 5000 }
        drivers = { badge_every = 4, partial = { every = 3, amount = 1500 } }
        [[terminals]]
        id = "bay-01"
        family = "apollo"
        listen = { tcp = "127.0.0.1:0" }
        papers = { receipt = "TOTAL", file = false }
        quirks = { forgets_at = ["reset", "power_cycle"], card_timeout = "5m", accepted_options = 0x02, ui_type_first = true }"#;
    let settings = Settings::parse(text).unwrap();
    assert_eq!(settings.policy.update, BankVerdict::Partial(Amount::from_minor(5000)));
    let (config, drivers) = &settings.terminals[0];
    assert_eq!((drivers.badge_every, drivers.partial), (Some(4), Some(Partial { every: 3, amount: 1500 })));
    let quirks = &config.quirks;
    assert_eq!(quirks.forgets_at, [Occasion::Reset, Occasion::PowerCycle]);
    assert_eq!((quirks.card_timeout, quirks.accepted_options.0, quirks.ui_type_first), (Duration::from_secs(300), 2, true));
    use crate::sim::Paper;
    let papers = [Paper::Receipt, Paper::File].map(|paper| config.papers.of(paper));
    assert_eq!(papers, [Some(&b"TOTAL"[..]), None]);
}
