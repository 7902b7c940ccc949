mod reload;
mod tls;

use std::time::Duration;

use super::{Config, Environment, parse};
use crate::api::Role;
use crate::journal::record::DeadManAction;
use crate::link::{Address, Timeouts};
use crate::recorder::{self, Cards};

const GOOD: &str = r#"
[site]
id = "depot"
currency = "EUR"
[api]
listen = "127.0.0.1:8470"
[policy]
terminal_timeout_action = "void"
[supervision]
intensity = 5
[[terminals]]
id = "bay-01"
family = "apollo"
link = { tcp = "10.1.0.11:3201" }
[[terminals]]
id = "bay-02"
family = "p6x"
link = { serial = "/dev/ttyS0" }
"#;
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn good(text: &str, pairs: &[(&str, &str)]) -> Config {
    parse(text, &env(pairs)).unwrap()
}

/// The paths of what is wrong, sorted.
fn paths(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let mut paths: Vec<String> = match parse(text, &env(pairs)) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.0.into_iter().map(|mistake| mistake.path).collect(),
    };
    paths.sort();
    paths
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = good(GOOD, &[]);
    let (apollo, p6x) = (&config.terminals[0], &config.terminals[1]);
    let seconds = Duration::from_secs;
    let times = |command, authorise| Timeouts {
        command: seconds(command),
        commit: seconds(60),
        authorise: seconds(authorise),
        card: seconds(60),
    };
    assert_eq!(apollo.link.timeouts, times(5, 210));
    assert_eq!(p6x.link.timeouts, times(10, 30));
    assert_eq!((apollo.keepalive, p6x.keepalive), (Some(seconds(15)), None));
    assert_eq!(p6x.link.address, Address::Serial { path: "/dev/ttyS0".to_owned(), baud: 57_600 });
    assert_eq!((apollo.link.quirks.read_card, apollo.link.quirks.select_language), (0x41, 0x40));
    assert_eq!(apollo.policy.max_session, seconds(43_200));
    assert_eq!(apollo.policy.retry.iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 5, 30, 60, 60, 60, 60, 60, 3600]);
    assert_eq!(apollo.policy.terminal_timeout_action, DeadManAction::Void);
    assert_eq!((config.log_filter.as_str(), config.journal_path.to_str()), ("info", Some("journal.db")));
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
}

/// How events are served has defaults, is read, and is refused by its key.
#[test]
fn events_are_served_as_configured() {
    let usual = good(GOOD, &[]).api;
    assert_eq!((usual.write_timeout.as_secs(), usual.events.streams, usual.events.heartbeat.as_secs()), (30, 1000, 15));
    let api = |keys: &str| GOOD.replacen("[api]\n", &format!("[api]\n{keys}\n"), 1);
    let other = good(&api("write_timeout = \"1m\"\nevents = { streams = 7, heartbeat = \"2s\" }"), &[]).api;
    assert_eq!((other.write_timeout.as_secs(), other.events.streams, other.events.heartbeat.as_secs()), (60, 7, 2));
    let few = good(&api("max_connections = 100"), &[]).api;
    assert_eq!((few.bounds.max_connections, few.events.streams), (100, 50));
    assert_eq!(paths(&api("max_connections = 100\nevents = { streams = 100 }"), &[]), ["api.events.streams"]);
    let wrong = api("write_timeout = \"0s\"\nevents = { streams = 1501, heartbeat = \"soon\", after = 0 }");
    assert_eq!(paths(&wrong, &[]), ["api.events.after", "api.events.heartbeat", "api.events.streams", "api.write_timeout"]);
}

#[test]
fn six_mistakes_are_said_at_once() {
    let text = r#"
[site]
id = "depot"
currency = "euro"
colour = "red"
[policy]
max_hold = "much"
[[terminals]]
id = "Bay 1"
family = "apollo"
link = { tcp = "8.8.8.8:3201" }
"#;
    let wanted = [
        "policy.max_hold",
        "policy.terminal_timeout_action",
        "site.colour",
        "site.currency",
        "terminals[0].id",
        "terminals[0].link.tcp",
    ];
    assert_eq!(paths(text, &[]), wanted);
}

#[test]
fn every_rule_has_its_case() {
    // What to replace in the good file, by what, and the one path that is wrong then.
    let cases = [
        ("id = \"depot\"", "id = \"\"", "site.id"),
        ("id = \"bay-02\"", "id = \"bay-01\"", "terminals[1].id"),
        ("family = \"p6x\"", "family = \"p7\"", "terminals[1].family"),
        ("serial = \"/dev/ttyS0\"", "serial = \"\"", "terminals[1].link.serial"),
        ("serial = \"/dev/ttyS0\"", "tcp = \"10.1.0.12:1\"", "terminals[1].link"),
        ("serial = \"/dev/ttyS0\"", "serial = \"/dev/ttyS0\", baud = 1", "terminals[1].link.baud"),
        (
            "family = \"p6x\"\nlink = { serial = \"/dev/ttyS0\" }",
            "family = \"apollo\"\nlink = { tcp = \"10.1.0.11:3201\" }",
            "terminals[1].link",
        ),
        ("tcp = \"10.1.0.11:3201\"", "tcp = \"10.1.0.11\"", "terminals[0].link.tcp"),
        ("tcp = \"10.1.0.11:3201\"", "tcp = \"[2001:db8::1]:3201\"", "terminals[0].link.tcp"),
        ("tcp = \"10.1.0.11:3201\"", "tls = \"a:1\", ca = \"x\", server_name = \"y\"", "terminals[0].link.ca"),
        ("link = { tcp = \"10.1.0.11:3201\" }", "link = 7", "terminals[0].link"),
        ("family = \"p6x\"", "family = \"p6x\"\nkeepalive = \"15s\"", "terminals[1].keepalive"),
        ("family = \"apollo\"", "family = \"apollo\"\nkeepalive = \"20s\"", "terminals[0].keepalive"),
        ("family = \"apollo\"", "family = \"apollo\"\nconnectors = 64", "terminals[0].connectors"),
        ("family = \"apollo\"", "family = \"apollo\"\nconnectors = 0", "terminals[0].connectors"),
        ("family = \"apollo\"", "family = \"apollo\"\npreauth = 10001", "terminals[0].preauth"),
        ("family = \"apollo\"", "family = \"apollo\"\nscan = \"always\"", "terminals[0].preauth"),
        ("family = \"apollo\"", "family = \"apollo\"\nscan = \"sometimes\"", "terminals[0].scan"),
        ("family = \"apollo\"", "family = \"apollo\"\nprotocol = { event = true }", "terminals[0].protocol.event"),
        ("family = \"apollo\"", "family = \"apollo\"\nprotocol = { events = 1 }", "terminals[0].protocol.events"),
        ("family = \"p6x\"", "family = \"p6x\"\nprotocol = { extended_block = true }", "terminals[1].protocol.extended_block"),
        ("family = \"p6x\"", "family = \"p6x\"\nui.ready = { type = \"info\", title = \"x\" }", "terminals[1].ui"),
        ("family = \"apollo\"", "family = \"apollo\"\nui.redy = { type = \"info\", title = \"x\" }", "terminals[0].ui.redy"),
        ("family = \"apollo\"", "family = \"apollo\"\nui.ready = { title = \"x\" }", "terminals[0].ui.ready.type"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nui.ready = { type = \"cinema\", title = \"x\" }",
            "terminals[0].ui.ready.type",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\nui.ready = { type = \"info\" }", "terminals[0].ui.ready.title"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nui.ready = { type = \"info\", title = \"{x}\" }",
            "terminals[0].ui.ready.title",
        ),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nui.ready = { type = \"info\", title = \"x\", icon = \"approved\" }",
            "terminals[0].ui.ready.icon",
        ),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nui.ready = { type = \"notification\", title = \"x\", color = \"blue\" }",
            "terminals[0].ui.ready.color",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\ntimeouts = { card = \"0s\" }", "terminals[0].timeouts.card"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { read_card = 256 }", "terminals[0].quirks.read_card"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { read_card = 0x34 }", "terminals[0].quirks.read_card"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { read_card = 0x40 }", "terminals[0].quirks.read_card"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nquirks = { select_language = 0x41 }",
            "terminals[0].quirks.select_language",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { ui_request = -1 }", "terminals[0].quirks.ui_request"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { preamble = \"some\" }", "terminals[0].quirks.preamble"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { magic = 256 }", "terminals[0].quirks.magic"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { magic_sent = \"any\" }", "terminals[0].quirks.magic_sent"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nquirks = { card_read_length = 3 }",
            "terminals[0].quirks.card_read_length",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { ui_layout = \"rows\" }", "terminals[0].quirks.ui_layout"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { list_offset = 4 }", "terminals[0].quirks.list_offset"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nquirks = { status_as_result = 1 }",
            "terminals[0].quirks.status_as_result",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { keeps_sessions = 1 }", "terminals[0].quirks.keeps_sessions"),
        ("family = \"apollo\"", "family = \"apollo\"\nquirks = { unheard_of = 1 }", "terminals[0].quirks.unheard_of"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\npolicy = { max_session = \"23h\" }",
            "terminals[0].policy.terminal_timeout",
        ),
        ("_action = \"void\"", "_action = \"keep\"", "policy.terminal_timeout_action"),
        ("_action = \"void\"", "_action = \"void\"\nterminal_timeout = \"13h\"", "policy.terminal_timeout"),
        ("_action = \"void\"", "_action = \"void\"\nterminal_timeout = \"86400s 5ms\"", "policy.terminal_timeout"),
        ("_action = \"void\"", "_action = \"void\"\nterminal_timeout = \"4294967295s\"", "policy.terminal_timeout"),
        ("_action = \"void\"", "_action = \"void\"\nplug_in_timeout = \"13h\"", "policy.plug_in_timeout"),
        ("_action = \"void\"", "_action = \"void\"\nretry = []", "policy.retry"),
        ("_action = \"void\"", "_action = \"void\"\nretry = [\"1s\", 5]", "policy.retry"),
        ("_action = \"void\"", "_action = \"void\"\nmax_hold = 0", "policy.max_hold"),
        ("_action = \"void\"", "_action = \"void\"\nauthorise = \"later\"", "policy.authorise"),
        ("_action = \"void\"", "_action = \"void\"\nauthorise_within = \"28s\"", "policy.authorise_within"),
        ("_action = \"void\"", "_action = \"void\"\ntap_to_stop = \"yes\"", "policy.tap_to_stop"),
        ("intensity = 5", "intensity = 0", "supervision.intensity"),
        ("intensity = 5", "backoff_min = \"61s\"", "supervision.backoff_min"),
        ("\"127.0.0.1:8470\"", "\"here\"", "api.listen"),
        ("\"127.0.0.1:8470\"", "\"0.0.0.0:8470\"", "api.tokens"),
        ("\"127.0.0.1:8470\"", "\"127.0.0.1:8470\"\ntls = { cert = \"c\" }", "api.tls.key"),
        ("[policy]", "[log]\nfilter = \"a=b=c\"\n[policy]", "log.filter"),
        ("[policy]", "[extra]\n[policy]", "extra"),
        ("[policy]", "[recorder]\n[policy]", "recorder.folder"),
        ("[policy]", "[recorder]\nfolder = \"frames\"\nsize = \"1023KiB\"\n[policy]", "recorder.size"),
        ("[policy]", "[recorder]\nfolder = \"frames\"\ncards = \"plain\"\n[policy]", "recorder.cards"),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = true", "terminals[0].record"),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = { cards = \"clear\" }", "terminals[0].record.path"),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"a\", size = 10 }", "terminals[0].record.size"),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"a\", size = \"10MB\" }", "terminals[0].record.size"),
        (
            "family = \"apollo\"",
            "family = \"apollo\"\nrecord = { path = \"a\", cards = \"Clear\" }",
            "terminals[0].record.cards",
        ),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"a\", card = \"clear\" }", "terminals[0].record.card"),
        ("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"journal.db\" }", "terminals[0].record"),
    ];
    assert_eq!(paths(GOOD, &[]), Vec::<String>::new());
    for (from, to, path) in cases {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(paths(&GOOD.replacen(from, to, 1), &[]), [path], "{to}");
    }
    let (none, _) = GOOD.split_once("[[terminals]]").unwrap();
    assert_eq!(paths(none, &[]), ["terminals"]);
}

#[test]
fn private_addresses_and_names_are_good() {
    for host in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.0.1",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "bay-01.example",
    ] {
        assert_eq!(paths(&GOOD.replace("10.1.0.11", host), &[]), Vec::<String>::new(), "{host}");
    }
}

#[test]
fn the_environment_overrides() {
    let config = good(
        GOOD,
        &[
            ("QUITTANCE__SITE__ID", "other"),
            ("QUITTANCE__POLICY__MAX_HOLD", "700"),
            ("QUITTANCE__POLICY__TAP_TO_STOP", "false"),
            ("QUITTANCE__POLICY__RETRY", "2s, 3s"),
            ("QUITTANCE__SUPERVISION__PERIOD", "90s"),
            ("QUITTANCE__TERMINALS__0__ID", "gate"),
            ("QUITTANCE_URL", "http://localhost"),
        ],
    );
    let policy = &config.terminals[0].policy;
    assert_eq!((config.site.id.as_str(), policy.max_hold.minor(), policy.tap_to_stop), ("other", 700, false));
    assert_eq!(policy.retry, [Duration::from_secs(2), Duration::from_secs(3)]);
    assert_eq!(config.supervision.period, Duration::from_secs(90));
    assert_eq!(config.terminals[0].id.as_str(), "gate");
}

#[test]
fn an_unknown_variable_is_named() {
    let names = [
        "QUITTANCE__COLOUR",
        "QUITTANCE__SITE__COLOUR",
        "QUITTANCE__SITE__ID__X",
        "QUITTANCE__TERMINALS__9__ID",
        "QUITTANCE__X__Y",
    ];
    for name in names {
        assert_eq!(paths(GOOD, &[(name, "red")]), [name]);
    }
    let mistakes = parse(GOOD, &env(&[("QUITTANCE__POLICY__MAX_HOLD", "much")])).unwrap_err();
    assert_eq!(mistakes.0[0].path, "policy.max_hold");
    assert!(mistakes.0[0].message.ends_with("(from QUITTANCE__POLICY__MAX_HOLD)"));
}

#[test]
fn tokens_are_checked_and_never_shown() {
    let with = |tokens: &str| GOOD.replace("\"127.0.0.1:8470\"", &format!("\"0.0.0.0:8470\"\ntokens = [{tokens}]"));
    let token = |name: &str, sha256: &str| format!("{{ name = \"{name}\", role = \"admin\", sha256 = \"{sha256}\" }}");
    let config = good(&with(&token("a", DIGEST)), &[]);
    assert_eq!(config.api.tokens[0].sha256[..3], [0x9f, 0x86, 0xd0]);
    let shown = format!("{config:?}");
    assert!(shown.contains("Admin") && !shown.contains("9f86") && !shown.contains("159, 134"));

    let twice = with(&format!("{}, {}", token("a", DIGEST), token("a", DIGEST)));
    assert_eq!(paths(&twice, &[]), ["api.tokens[1].name", "api.tokens[1].sha256"]);
    let bad = parse(&with(&token("a", "plain-secret")), &env(&[])).unwrap_err();
    assert_eq!(bad.0[0].path, "api.tokens[0].sha256");
    assert_eq!(bad.0.len(), 1);
    assert!(!bad.to_string().contains("plain-secret"));
}

/// One admin cannot be two persons, however often the token is used.
#[test]
fn two_persons_need_two_tokens() {
    let digest = |digit: &str| digit.repeat(64);
    let with = |roles: &[&str]| {
        let tokens = (1..).zip(roles).map(|(number, role)| {
            format!("{{ name = \"n{number}\", role = \"{role}\", sha256 = \"{}\" }}", digest(&number.to_string()))
        });
        let tokens = tokens.collect::<Vec<_>>().join(", ");
        GOOD.replace("\"127.0.0.1:8470\"", &format!("\"127.0.0.1:8470\"\nresolve_requires_two = true\ntokens = [{tokens}]"))
    };
    assert!(!good(GOOD, &[]).api.resolve_requires_two);
    assert!(good(&with(&["admin", "viewer", "admin"]), &[]).api.resolve_requires_two);
    for roles in [&["admin", "operator"][..], &["admin"], &[]] {
        assert_eq!(paths(&with(roles), &[]), ["api.resolve_requires_two"], "{roles:?}");
    }
    assert_eq!(paths(GOOD, &[("QUITTANCE__API__RESOLVE_REQUIRES_TWO", "true")]), ["api.resolve_requires_two"]);
}

#[test]
fn a_syntax_error_is_one_line_without_the_quoted_text() {
    let mistakes = parse("[site]\nid = \"plain-secret\" oops\n", &env(&[])).unwrap_err();
    let said = mistakes.to_string();
    assert!(said.starts_with("is not TOML: ") && said.contains("line 2"), "{said}");
    assert!(!said.contains('\n') && !said.contains("plain-secret"), "{said}");
}

#[test]
fn nobody_is_recorded_unless_it_is_said() {
    let all = "[recorder]\nfolder = \"frames\"\nsize = \"2MiB\"\n[policy]";
    let recorded = |text: &str, pairs: &[(&str, &str)]| -> Vec<Option<(String, u64, Cards)>> {
        let record = |record: recorder::Settings| (record.path.display().to_string(), record.size, record.cards);
        good(text, pairs).terminals.into_iter().map(|terminal| terminal.record.map(record)).collect()
    };
    let some = |path: &str, mib: u64, cards| Some((path.to_owned(), mib * 1024 * 1024, cards));
    assert_eq!(recorded(GOOD, &[]), [None, None]);

    let one = GOOD.replacen("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"a/b.psp\" }", 1);
    assert_eq!(recorded(&one, &[]), [some("a/b.psp", 10, Cards::Masked), None]);
    let clear = [("QUITTANCE__TERMINALS__0__RECORD__CARDS", "clear"), ("QUITTANCE__TERMINALS__0__RECORD__SIZE", "1GiB")];
    assert_eq!(recorded(&one, &clear), [some("a/b.psp", 1024, Cards::Clear), None]);

    let both = GOOD.replacen("[policy]", all, 1);
    let masked = |name: &str| some(&format!("frames/{name}.psp"), 2, Cards::Masked);
    assert_eq!(recorded(&both, &[]), [masked("bay-01"), masked("bay-02")]);
    let but_one = both.replacen("family = \"apollo\"", "family = \"apollo\"\nrecord = false", 1);
    assert_eq!(recorded(&but_one, &[]), [None, masked("bay-02")]);
    let other = both.replacen("family = \"apollo\"", "family = \"apollo\"\nrecord = { cards = \"clear\" }", 1);
    assert_eq!(recorded(&other, &[]), [some("frames/bay-01.psp", 2, Cards::Clear), masked("bay-02")]);
}

/// A recording has parts beside it, which must not be another's.
#[test]
fn two_recordings_cannot_share_a_file() {
    for second in ["a.psp", "a.psp.1", "a.psp.3"] {
        let one = GOOD.replacen("family = \"apollo\"", "family = \"apollo\"\nrecord = { path = \"a.psp\" }", 1);
        let two = one.replacen("family = \"p6x\"", &format!("family = \"p6x\"\nrecord = {{ path = \"{second}\" }}"), 1);
        assert_eq!(paths(&two, &[]), ["terminals[1].record"], "{second}");
    }
}
