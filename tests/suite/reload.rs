//! The configuration is read again while the program runs: who is touched by it, and who is not.

use std::io::{Read, Write};
use std::net::TcpStream;

use quittance::sim::{Command as Heard, Fault, Listen, SimConfig, TlsListen, TlsVersions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rig::Rig;
use super::rig::certificates::Authority;

const APOLLO: &str = "apollo-1";
const OTHER: &str = "apollo-2";
const P6X: &str = "p6x-1";

/// The configuration without this terminal.
fn without(text: &str, terminal: &str) -> String {
    let blocks: Vec<&str> = text.split("\n[[terminals]]\n").collect();
    let others = blocks.iter().filter(|block| !block.starts_with(&format!("id = \"{terminal}\"\n")));
    let others: Vec<&str> = others.copied().collect();
    assert_eq!(others.len() + 1, blocks.len(), "{text}");
    others.join("\n[[terminals]]\n")
}

/// Its part of the configuration.
fn block(text: &str, terminal: &str) -> String {
    let mut blocks = text.split("\n[[terminals]]\n");
    blocks.find(|block| block.starts_with(&format!("id = \"{terminal}\"\n"))).unwrap().to_owned()
}

/// The configuration with this in the terminal's part instead of that.
fn with(text: &str, terminal: &str, that: &str, this: &str) -> String {
    let before = block(text, terminal);
    assert!(before.contains(that), "{before}");
    text.replace(&before, &before.replace(that, this))
}

fn link(block: &str) -> String {
    block.lines().find(|line| line.starts_with("link = ")).unwrap().to_owned()
}

fn exchange_links(rig: &Rig, one: &str, other: &str) {
    rig.configure(|text| {
        let (one, other) = (block(&text, one), block(&text, other));
        let text = text.replace(&other, &other.replace(&link(&other), &link(&one)));
        text.replace(&one, &one.replace(&link(&one), &link(&other)))
    });
}

fn reload(rig: &Rig) -> Value {
    let (status, body) = rig.api.post("/v1/reload", &json!({}));
    assert_eq!(status, 200, "{body}");
    body
}

fn terminal(rig: &Rig, terminal: &str) -> Value {
    rig.api.get(&format!("/v1/terminals/{terminal}")).1
}

fn wait_gone(rig: &Rig, terminal: &str) {
    rig.until("gone", || (rig.api.get(&format!("/v1/terminals/{terminal}")).0 == 404).then_some(()));
    let series = format!("{{terminal=\"{terminal}\",");
    assert!(!rig.api.metrics().contains(&series));
}

/// How often it was set up: each new link begins with that.
fn set_ups(rig: &Rig, terminal: &str) -> u64 {
    rig.terminal(terminal).count(Heard::Setup)
}

fn end(rig: &Rig) {
    assert_eq!(rig.terminate(), 0);
    rig.check_books();
}

/// Terminals come, go and change, and the link of one that is the same all the time is not touched, nor is the card flow on it.
#[test]
fn nobody_else_is_touched() {
    let rig = Rig::builder().apollos(3).p6xs(1).connectors(2).start();
    let whole = std::fs::read_to_string(rig.config()).unwrap();
    let flow = rig.open(APOLLO, 5000);

    rig.configure(|text| without(&without(&text, "apollo-3"), P6X));
    let told = reload(&rig);
    assert_eq!(
        (&told["removed"], &told["added"], &told["draining"]),
        (&json!(["apollo-3", P6X]), &json!([]), &json!([])),
        "{told}"
    );
    assert_eq!((&told["unchanged"], &told["changed"]), (&json!([APOLLO, OTHER]), &json!([])), "{told}");
    ["apollo-3", P6X].iter().for_each(|gone| wait_gone(&rig, gone));
    let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": P6X, "amount": 100 }));
    assert_eq!((status, &body["code"]), (404, &json!("terminal_unknown")), "{body}");

    // A limit needs no other link, and holds for the next session.
    rig.configure(|text| text.replace("[policy]\n", "[policy]\nmax_hold = 20000\n"));
    let told = reload(&rig);
    let limit = |terminal: &str| json!({ "terminal": terminal, "keys": ["policy.max_hold"], "reopens": false });
    assert_eq!(told["changed"], json!([limit(APOLLO), limit(OTHER)]), "{told}");
    let large = rig.approve(OTHER, 15000);
    assert_eq!((set_ups(&rig, APOLLO), set_ups(&rig, OTHER)), (1, 1));

    // Another keep-alive needs one, of that terminal only.
    rig.configure(|text| with(&text, OTHER, "connectors", "keepalive = \"9s\"\nconnectors"));
    let told = reload(&rig);
    assert_eq!(told["changed"], json!([{ "terminal": OTHER, "keys": ["keepalive"], "reopens": true }]), "{told}");
    rig.until("set up again", || (set_ups(&rig, OTHER) == 2).then_some(()));
    rig.wait_ready();
    assert_eq!(rig.commit(&large, 14000)["state"], "committed");

    // Back to where it began: who had gone is there again, and its counters go on.
    std::fs::write(rig.config(), &whole).unwrap();
    let told = reload(&rig);
    assert_eq!(told["added"], json!(["apollo-3", P6X]), "{told}");
    rig.wait_ready();
    for terminal in ["apollo-3", P6X] {
        let session = rig.approve(terminal, 3000);
        assert_eq!(rig.commit(&session, 1000)["state"], "committed");
    }
    rig.tap(APOLLO, &rig.new_card());
    rig.wait_state(&flow, "approved");
    assert_eq!(rig.void(&flow)["state"], "voided");
    assert_eq!(set_ups(&rig, APOLLO), 1);
    rig.finish();
}

/// A terminal that vanishes with a hold goes on until the hold is disposed of, also over a crash; then it is gone, and whoever repeats
/// the commit gets the same answer.
#[test]
fn whoever_holds_money_is_drained() {
    let rig = Rig::pair().apollos(2).connectors(2).start();
    let held = [APOLLO, P6X].map(|terminal| rig.approve(terminal, 5000));
    let waiting = rig.open(APOLLO, 2000);
    rig.configure(|text| without(&without(&text, APOLLO), P6X));
    rig.hang_up();
    rig.until("read again", || rig.said().contains("the configuration was read again").then_some(()));
    rig.wait_state(&waiting, "cancelled");
    let told = rig.until("its flow is over", || Some(reload(&rig)).filter(|told| told["draining"][0]["open"] == 1));
    assert_eq!(told["draining"], json!([{ "terminal": APOLLO, "open": 1 }, { "terminal": P6X, "open": 1 }]), "{told}");
    assert_eq!((&told["unchanged"], &told["removed"]), (&json!([OTHER]), &json!([])), "{told}");

    for round in 0..2 {
        for name in [APOLLO, P6X] {
            let shown = terminal(&rig, name);
            assert_eq!((&shown["draining"], &shown["undisposed"]), (&json!(true), &json!(1)), "{shown}");
            assert!(shown["refuses_cards"].as_str().unwrap().contains("taken out of the configuration"), "{shown}");
            let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": name, "amount": 100 }));
            assert_eq!((status, &body["code"]), (503, &json!("draining")), "{body}");
            assert!(body["detail"].as_str().unwrap().contains("taken out of the configuration"), "{body}");
        }
        if round == 0 {
            rig.kill9();
            rig.start_again();
        }
    }
    assert_eq!(rig.metric("quittance_sessions_stranded", &[]), 0.0);
    for (name, session) in [APOLLO, P6X].iter().zip(&held) {
        assert_eq!(rig.commit(session, 1500)["state"], "committed");
        assert_eq!(rig.taken(session), Some(1500));
        wait_gone(&rig, name);
        assert_eq!(rig.commit(session, 1500)["state"], "committed");
    }
    assert_eq!(rig.api.get("/readyz").0, 200);
    assert_eq!(set_ups(&rig, OTHER), 2);
    end(&rig);
}

/// A terminal that gets another name while it holds something: the old name disposes of it, then the new one takes cards.
#[test]
fn a_new_name_waits_for_the_old_one() {
    let rig = Rig::builder().apollos(1).connectors(2).start();
    let held = rig.approve(APOLLO, 5000);
    rig.configure(|text| text.replace("id = \"apollo-1\"", "id = \"bay-99\""));
    let told = reload(&rig);
    assert_eq!((&told["added"], &told["draining"][0]["terminal"]), (&json!(["bay-99"]), &json!(APOLLO)), "{told}");
    assert_eq!(told["waiting"][0]["terminal"], "bay-99", "{told}");
    for _ in 0..2 {
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": "bay-99", "amount": 100 }));
        assert_eq!((status, &body["code"]), (503, &json!("terminal_not_ready")), "{body}");
        assert!(body["detail"].as_str().unwrap().contains("apollo-1, which is configured no more"), "{body}");
        let reason = |reason| rig.metric("quittance_terminal_refuses_cards", &[("terminal", "bay-99"), ("reason", reason)]);
        assert_eq!((reason("waiting"), reason("leaving")), (1.0, 0.0));
        rig.kill9();
        rig.start_again();
    }
    assert_eq!(rig.void(&held)["state"], "voided");
    wait_gone(&rig, APOLLO);
    let session = rig.until("takes cards", || {
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": "bay-99", "amount": 700 }));
        (status == 201).then(|| body["id"].as_str().unwrap().to_owned())
    });
    rig.tap(APOLLO, &rig.new_card());
    rig.wait_state(&session, "approved");
    assert_eq!(rig.commit(&session, 600)["state"], "committed");
    assert_eq!(rig.metric("quittance_terminal_refuses_cards", &[("terminal", "bay-99")]), 0.0);
    assert_eq!(rig.api.get("/v1/terminals").1["terminals"].as_array().unwrap().len(), 1);
    end(&rig);
}

/// Another device under the same name: what is open on the first one is disposed of there, and never on the second.
#[test]
fn another_family_waits_until_nothing_is_open() {
    let rig = Rig::pair().connectors(2).start();
    let held = rig.approve(APOLLO, 5000);
    rig.configure(|text| {
        let p6x = block(&text, P6X).replace("id = \"p6x-1\"", "id = \"apollo-1\"");
        let text = without(&text, P6X);
        text.replace(&block(&text, APOLLO), &p6x)
    });
    let told = reload(&rig);
    assert_eq!(told["waiting"][0]["terminal"], APOLLO, "{told}");
    assert_eq!((&told["removed"], &told["draining"][0]["terminal"]), (&json!([P6X]), &json!(APOLLO)), "{told}");
    rig.kill9();
    rig.start_again();
    let shown = terminal(&rig, APOLLO);
    assert_eq!((&shown["family"], &shown["draining"]), (&json!("apollo"), &json!(true)), "{shown}");
    assert_eq!(rig.commit(&held, 1500)["state"], "committed");
    assert_eq!(rig.taken(&held), Some(1500));
    rig.until("another device", || (terminal(&rig, APOLLO)["family"] == "p6x").then_some(()));
    rig.wait_ready();
    let session = rig.until("takes cards", || {
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": APOLLO, "amount": 700 }));
        (status == 201).then(|| body["id"].as_str().unwrap().to_owned())
    });
    rig.tap(P6X, &rig.new_card());
    rig.wait_state(&session, "approved");
    assert_eq!(rig.void(&session)["state"], "voided");
    end(&rig);
}

/// Two terminals exchange their links while one of them holds money. A commit over the new link would meet another device, so neither
/// follows before that hold is over; then both do, without being told again.
#[test]
fn links_are_not_exchanged_under_a_hold() {
    let rig = Rig::builder().apollos(2).start();
    let held = rig.approve(APOLLO, 5000);
    let before = (set_ups(&rig, APOLLO), set_ups(&rig, OTHER));
    exchange_links(&rig, APOLLO, OTHER);
    let told = reload(&rig);
    let waiting: Vec<_> = told["waiting"].as_array().unwrap().iter().map(|waits| &waits["terminal"]).collect();
    assert_eq!(waiting, [APOLLO, OTHER], "{told}");
    assert_eq!(rig.commit(&held, 1500)["state"], "committed");
    assert_eq!(rig.taken(&held), Some(1500));
    assert_eq!(rig.terminal(OTHER).count(Heard::Commit), 0);
    rig.until("the links are exchanged", || {
        (set_ups(&rig, APOLLO) > before.0 && set_ups(&rig, OTHER) > before.1).then_some(())
    });
    rig.wait_ready();
    end(&rig);
}

/// A restart follows no link that a reload would not: each hold is disposed of on the device that has it, though the other one knows a hold
/// by the same number. The links are exchanged when both are over.
#[test]
fn links_are_not_exchanged_under_holds_by_a_restart() {
    for reloaded in [true, false] {
        let rig = Rig::builder().apollos(2).start();
        let held = [(APOLLO, 5000, 1500), (OTHER, 4000, 1000)].map(|(terminal, hold, taken)| {
            rig.terminal(terminal).set_quirks(|quirks| quirks.reuse_ids = true);
            (terminal, rig.approve(terminal, hold), taken)
        });
        let number = |session: &str| rig.session(session)["terminal_session_id"].clone();
        assert_eq!(number(&held[0].1), number(&held[1].1));
        exchange_links(&rig, APOLLO, OTHER);
        if reloaded {
            assert_eq!(reload(&rig)["waiting"].as_array().unwrap().len(), 2);
        }
        rig.kill9();
        rig.start_again();
        for (terminal, session, amount) in &held {
            assert_eq!(rig.commit(session, *amount)["state"], "committed");
            assert_eq!((rig.taken(session), rig.terminal(terminal).count(Heard::Commit)), (Some(*amount), 1));
        }
        let waits = || reload(&rig)["waiting"] != json!([]);
        rig.until("the links are exchanged", || (!waits()).then_some(()));
        rig.wait_ready();
        let session = rig.open(APOLLO, 700);
        rig.tap(OTHER, &rig.new_card());
        rig.wait_state(&session, "approved");
        assert_eq!(rig.void(&session)["state"], "voided");
        end(&rig);
    }
}

/// A P6X lists what it holds. Asked in another one's place, its list would say that a commit is done which never arrived, and that the hold
/// is nobody's.
#[test]
fn a_lost_commit_is_not_looked_for_on_another_device() {
    let rig = Rig::builder().p6xs(2).timeout("commit", "\"2s\"").start();
    let held = rig.approve(P6X, 5000);
    rig.terminal(P6X).plan(Heard::Commit, Fault::LoseRequest);
    let (status, body) = rig.api.post(&format!("/v1/sessions/{held}/commit?wait=0"), &json!({ "amount": 1500 }));
    assert_eq!(status, 202, "{body}");
    rig.until("attempted", || (rig.terminal(P6X).count(Heard::Commit) == 1).then_some(()));
    rig.kill9();
    exchange_links(&rig, P6X, "p6x-2");
    rig.start_again();
    let ended = rig.wait_state(&held, "committed");
    assert_eq!(ended["disposal"]["confirmed_by"], "result_ok", "{ended}");
    assert_eq!(rig.taken(&held), Some(1500));
    end(&rig);
}

/// A terminal has moved for good while it held something. Both restart and reload say with which serial number its new link is followed at
/// once, and with that they do.
#[test]
fn a_terminal_that_has_moved_shows_its_serial_number() {
    let rig = Rig::builder().apollos(1).connectors(2).start();
    let held = [rig.approve(APOLLO, 5000), rig.approve(APOLLO, 4000)];
    rig.kill9();
    rig.configure(|text| {
        text.replace("\"127.0.0.1:", "\"localhost:").replace("listen = \"localhost:", "listen = \"127.0.0.1:")
    });
    let proof = "or at once with serial_number = ";
    rig.start_again();
    assert!(rig.said().contains("it goes on as it was") && rig.said().contains(proof), "{}", rig.said());
    let told = reload(&rig);
    let why = told["waiting"][0]["why"].as_str().unwrap().to_owned();
    let (before, serial_number) = why.split_once(proof).unwrap();
    assert!(before.contains("2 sessions are open on the device at 127.0.0.1:"), "{why}");

    let wrong = |text: String| with(&text, APOLLO, "connectors", "serial_number = \"of-another\"\nconnectors");
    rig.configure(wrong);
    assert_eq!(reload(&rig)["waiting"][0]["terminal"], APOLLO);
    rig.configure(|text| text.replace("\"of-another\"", serial_number));
    let told = reload(&rig);
    assert_eq!(told["waiting"], json!([]), "{told}");
    rig.wait_ready();
    assert_eq!(rig.commit(&held[0], 1500)["state"], "committed");
    rig.kill9();
    rig.start_again();
    assert_eq!(rig.said().matches("it goes on as it was").count(), 1, "followed, and not only for this run");
    assert_eq!(rig.commit(&held[1], 1000)["state"], "committed");
    assert_eq!(held.map(|session| rig.taken(&session)), [Some(1500), Some(1000)]);
    rig.finish();
}

/// A file that is no good changes nothing, and says everything that is wrong with it.
#[test]
fn a_bad_file_changes_nothing() {
    let rig = Rig::builder().apollos(2).start();
    rig.configure(|text| {
        without(&text, OTHER).replace("[site]", "[site]\ncolour = \"red\"").replace("retry = [", "retry = [\"soon\", ")
    });
    let (status, body) = rig.api.post("/v1/reload", &json!({}));
    assert_eq!((status, &body["code"]), (422, &json!("configuration_invalid")), "{body}");
    let keys: Vec<&str> = body["errors"].as_array().unwrap().iter().map(|error| error["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["site.colour", "policy.retry"]);
    rig.hang_up();
    let told =
        |said: &str| ["site.colour", "policy.retry"].iter().all(|key| said.contains("by=\"SIGHUP\"") && said.contains(key));
    rig.until("said why", || told(&rig.said()).then_some(()));
    std::fs::write(rig.config(), "[site").unwrap();
    let (status, body) = rig.api.post("/v1/reload", &json!({}));
    assert_eq!((status, &body["code"]), (422, &json!("configuration_invalid")), "{body}");
    std::fs::remove_file(rig.config()).unwrap();
    assert_eq!(rig.api.post("/v1/reload", &json!({})).0, 422);

    for terminal in [APOLLO, OTHER] {
        let session = rig.approve(terminal, 5000);
        assert_eq!(rig.commit(&session, 100)["state"], "committed");
        assert_eq!(set_ups(&rig, terminal), 1);
    }
    rig.finish();
}

/// Other tokens hold from the next request on, also on a connection that is there already; what needs a restart is named and stays.
#[test]
fn tokens_change_on_a_connection_that_stays() {
    let rig = Rig::builder().apollos(1).token("the-first-token").start();
    let mut connection = TcpStream::connect(rig.api.address()).unwrap();
    let mut ask = |token: &str| {
        let head = format!("GET /v1/terminals HTTP/1.1\r\nHost: depot\r\nAuthorization: Bearer {token}\r\n\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        let body = |answer: &[u8]| {
            let text = String::from_utf8_lossy(answer).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            (body.len() >= length.unwrap_or(0)).then_some(())
        };
        while body(&answer).is_none() {
            let read = connection.read(&mut part).unwrap();
            assert!(read > 0, "the connection was closed");
            answer.extend_from_slice(&part[..read]);
        }
        String::from_utf8_lossy(&answer)[9..12].to_owned()
    };
    assert_eq!((ask("the-first-token"), ask("the-second-token")), ("200".to_owned(), "401".to_owned()));
    let digest: String = Sha256::digest("the-second-token").iter().map(|byte| format!("{byte:02x}")).collect();
    let earlier: String = Sha256::digest("the-first-token").iter().map(|byte| format!("{byte:02x}")).collect();
    rig.configure(|text| {
        let text = text.replace(&earlier, &digest).replace("filter = \"info\"", "filter = \"debug\"");
        let text = text.replace("currency = \"EUR\"", "currency = \"CHF\"").replace("intensity = 1000", "intensity = 999");
        text.replace("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"").replace("journal.db", "other.db")
    });
    let told = reload(&rig);
    assert_eq!(told["settings"], json!(["log.filter", "api.tokens", "supervision"]), "{told}");
    assert_eq!(told["needs_restart"], json!(["site.currency", "api.listen", "journal.path"]), "{told}");
    assert_eq!(told["unchanged"], json!([APOLLO]), "{told}");
    assert_eq!((ask("the-first-token"), ask("the-second-token")), ("401".to_owned(), "200".to_owned()));
    rig.terminal(APOLLO).cut();
    rig.until("logs more", || rig.said().contains("DEBUG").then_some(()));
    assert!(!rig.path("other.db").exists());
    end(&rig);
}

/// What the journal remembers of a terminal is of no use without the files that it names: then its hold is stranded, and told as such.
/// Who configures the terminal again gets the hold back.
#[test]
fn a_stranded_hold_is_told_and_found_again() {
    const DEVICE: &str = "bay-07";
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.sign("device", &["127.0.0.1"]);
    let tls = TlsListen { address: "127.0.0.1:0".parse().unwrap(), identity, client_ca: None, versions: TlsVersions::Both };
    let device = SimConfig { listen: Listen::Tls(Box::new(tls)), ..SimConfig::apollo(DEVICE.parse().unwrap()) };
    let link = format!("{{ tls = \"ADDRESS\", ca = \"{}\" }}", ca.file().display());
    let rig = Rig::builder().apollos(1).connectors(2).other(device, link).start();
    let held = rig.approve(DEVICE, 5000);
    let whole = std::fs::read_to_string(rig.config()).unwrap();

    rig.kill9();
    rig.configure(|text| without(&text, DEVICE));
    let elsewhere = folder.path().join("elsewhere.pem");
    std::fs::rename(ca.file(), &elsewhere).unwrap();
    rig.start_unready();
    assert_eq!(rig.metric("quittance_sessions_stranded", &[]), 1.0);
    let (status, body) = rig.api.get("/readyz");
    assert!(status == 503 && body["reasons"].to_string().contains(&format!("{held} is open on {DEVICE}")), "{body}");
    assert!(rig.said().contains("what the journal remembers of this former terminal is of no use"));
    let (status, body) = rig.api.post(&format!("/v1/sessions/{held}/commit"), &json!({ "amount": 100 }));
    assert_eq!((status, &body["code"]), (404, &json!("terminal_unknown")), "{body}");

    std::fs::rename(&elsewhere, ca.file()).unwrap();
    std::fs::write(rig.config(), &whole).unwrap();
    assert_eq!(reload(&rig)["added"], json!([DEVICE]));
    assert_eq!(rig.metric("quittance_sessions_stranded", &[]), 0.0);
    rig.wait_ready();
    assert_eq!(rig.commit(&held, 1500)["state"], "committed");
    assert_eq!(rig.taken(&held), Some(1500));
    rig.finish();
}

/// Nobody knows how to reach the device on which something is open, and its name has another link now: that one is not asked about the hold.
#[test]
fn a_stranded_hold_is_not_looked_for_on_another_device() {
    const DEVICE: &str = "bay-07";
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.sign("device", &["127.0.0.1"]);
    let tls = TlsListen { address: "127.0.0.1:0".parse().unwrap(), identity, client_ca: None, versions: TlsVersions::Both };
    let device = SimConfig { listen: Listen::Tls(Box::new(tls)), ..SimConfig::apollo(DEVICE.parse().unwrap()) };
    let tls = format!("{{ tls = \"ADDRESS\", ca = \"{}\" }}", ca.file().display());
    let rig = Rig::builder().apollos(1).connectors(2).other(device, tls).start();
    let held = rig.approve(DEVICE, 5000);

    rig.kill9();
    rig.configure(|text| {
        let (place, moved) = (link(&block(&text, APOLLO)), link(&block(&text, DEVICE)));
        without(&text, APOLLO).replace(&moved, &place)
    });
    let elsewhere = folder.path().join("elsewhere.pem");
    std::fs::rename(ca.file(), &elsewhere).unwrap();
    rig.start_unready();
    assert_eq!(rig.metric("quittance_sessions_stranded", &[]), 1.0);
    let (status, body) = rig.api.get("/readyz");
    assert!(status == 503 && body["reasons"].to_string().contains(&format!("{held} is open on {DEVICE}")), "{body}");
    let (status, body) = rig.api.post(&format!("/v1/sessions/{held}/commit"), &json!({ "amount": 100 }));
    assert_eq!((status, &body["code"]), (503, &json!("terminal_not_ready")), "{body}");

    rig.kill9();
    std::fs::rename(&elsewhere, ca.file()).unwrap();
    rig.start_again();
    assert_eq!(rig.metric("quittance_sessions_stranded", &[]), 0.0);
    assert_eq!(rig.commit(&held, 1500)["state"], "committed");
    assert_eq!((rig.taken(&held), rig.terminal(APOLLO).count(Heard::Commit)), (Some(1500), 0));
    end(&rig);
}
