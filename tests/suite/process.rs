//! The program among others: a second one, signals, a full disk, a wrong configuration, and what it tells to whom.

use std::process::Command;

use quittance::sim::{self, HoldState};
use serde_json::json;

use super::rig::{BINARY, Rig, SmallDisk};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

#[test]
fn a_second_program_on_the_same_journal_ends_at_once() {
    let rig = Rig::pair().start();
    let second = Command::new(BINARY).args(["run", "--config"]).arg(rig.config()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    let why: Vec<&str> = said.lines().filter(|line| line.starts_with("quittance: ")).collect();
    assert_eq!(why.len(), 1, "{said}");
    assert!(why[0].contains("journal"), "{said}");
    let session = rig.approve(APOLLO, 100);
    assert_eq!(rig.commit(&session, 100)["state"], "committed");
    rig.finish();
}

#[test]
fn told_to_end_it_cancels_who_waits_delivers_what_is_decided_and_leaves_the_rest() {
    let rig = Rig::builder().apollos(2).p6xs(2).connectors(2).start();
    let waiting = [APOLLO, P6X].map(|terminal| rig.open(terminal, 5000));
    for terminal in [APOLLO, P6X] {
        rig.wait_terminal(terminal, "waits for a card", |seen| seen.heard.contains_key(&sim::Command::Start));
    }
    let others = ["apollo-2", "p6x-2"];
    let undecided = others.map(|terminal| rig.approve(terminal, 3000));
    let decided = others.map(|terminal| {
        let session = rig.approve(terminal, 4000);
        rig.terminal(terminal).hold_answers();
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 2500 }));
        assert_eq!(status, 202, "{body}");
        session
    });
    rig.ask_to_end();
    rig.until("draining", || rig.said().contains("draining: no new card flows").then_some(()));
    // It is said before it is done; until then all plugs are taken.
    let (status, body) = rig.until("refused for the end", || {
        let answer = rig.api.post("/v1/sessions", &json!({ "terminal": "apollo-2", "amount": 100 }));
        (answer.1["code"] != "terminal_full").then_some(answer)
    });
    assert_eq!((status, &body["code"]), (503, &json!("draining")), "{body}");
    others.iter().for_each(|terminal| rig.terminal(terminal).release_answers());
    assert_eq!(rig.exit_code(), 0);

    rig.start_again();
    waiting.iter().for_each(|session| assert_eq!(rig.session(session)["state"], "cancelled"));
    for session in &decided {
        let body = rig.session(session);
        assert_eq!((&body["state"], &body["disposal"]["confirmed_by"]), (&json!("committed"), &json!("result_ok")), "{body}");
        assert_eq!(rig.taken(session), Some(2500));
    }
    for session in &undecided {
        assert_eq!((&rig.session(session)["state"], rig.hold(session).state), (&json!("approved"), HoldState::Held));
        assert_eq!(rig.void(session)["state"], "voided");
    }
    rig.finish();
}

#[test]
fn a_full_disk_stops_money_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount() else { return };
    let rig = Rig::pair().connectors(2).journal(disk.path().join("journal.db")).start();
    let held = [APOLLO, P6X].map(|terminal| rig.approve(terminal, 5000));
    let waiting = [APOLLO, P6X].map(|terminal| rig.open(terminal, 4000));
    let frames = |command| [APOLLO, P6X].map(|terminal| rig.terminal(terminal).count(command));
    let authorised = frames(sim::Command::Auth);
    disk.fill();

    for (terminal, session) in [APOLLO, P6X].into_iter().zip(&held) {
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit"), &json!({ "amount": 1000 }));
        assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{terminal}: {body}");
        // A card that comes now is sent away: its Auth could not be remembered.
        rig.tap(terminal, &rig.new_card());
        rig.wait_terminal(terminal, "hears Cancel", |seen| seen.heard.contains_key(&sim::Command::Cancel));
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert!(status == 503 || status == 409, "{terminal}: {body}");
    }
    let (status, ready) = rig.api.get("/readyz");
    let why = ready["reasons"][0].as_str().unwrap();
    assert!(status == 503 && why.starts_with("the journal cannot be written: ") && why.contains("full"), "{ready}");
    // What QuittanceJournalFailing looks at.
    assert_eq!(rig.metric("quittance_journal_writable", &[]), 0.0);
    assert_eq!((frames(sim::Command::Auth), frames(sim::Command::Commit)), (authorised, [0, 0]));
    assert!(rig.metric("quittance_journal_errors_total", &[]) > 0.0);

    disk.make_room();
    rig.wait_ready();
    for (terminal, session) in [APOLLO, P6X].into_iter().zip(&held) {
        // A session whose fact was refused tries the journal again a second later, and takes nothing before.
        let path = format!("/v1/sessions/{session}/commit");
        rig.until("commits again", || (rig.api.post(&path, &json!({ "amount": 1000 })).0 == 200).then_some(()));
        assert_eq!((&rig.session(session)["state"], rig.taken(session)), (&json!("committed"), Some(1000)));
        let next = rig.until("takes cards again", || {
            let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
            (status == 201).then(|| body["id"].as_str().unwrap().to_owned())
        });
        rig.tap(terminal, &rig.new_card());
        rig.wait_state(&next, "approved");
        assert_eq!(rig.void(&next)["state"], "voided");
    }
    waiting.iter().for_each(|session| assert_eq!(rig.session(session)["state"], "cancelled"));
    rig.finish();
}

/// The disk is full, and the program dies and is started all the same: it runs without moving money, or ends and says why. What it
/// held and what was decided is there when there is room again.
#[test]
fn a_kill_on_a_full_disk_loses_no_hold() {
    let Some(disk) = SmallDisk::mount() else { return };
    let rig = Rig::pair().connectors(2).journal(disk.path().join("journal.db")).start();
    let terminals = [APOLLO, P6X];
    let held = terminals.map(|terminal| rig.approve(terminal, 5000));
    held.iter().for_each(|session| rig.energy(session, 700));
    let decided = terminals.map(|terminal| rig.approve(terminal, 4000));
    for (terminal, session) in terminals.into_iter().zip(&decided) {
        rig.terminal(terminal).unplug();
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 2500 }));
        assert_eq!(status, 202, "{body}");
    }
    disk.fill();
    rig.kill9();
    terminals.iter().for_each(|terminal| rig.terminal(terminal).plug());

    let mut refused = 0;
    for _ in 0..3 {
        // Also what the dead one has left free.
        disk.fill();
        if rig.try_start() {
            let why = "the journal cannot be written: ";
            rig.until("unready", || {
                let (status, ready) = rig.api.get("/readyz");
                let told = ready["reasons"].as_array().unwrap().iter().any(|reason| reason.as_str().unwrap().starts_with(why));
                (status == 503 && told).then_some(())
            });
            for session in &held {
                let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit"), &json!({ "amount": 1000 }));
                assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{body}");
                assert_eq!(rig.session(session)["state"], "approved");
            }
            rig.kill9();
        } else {
            assert_eq!(rig.exit_code(), 1);
            refused += 1;
        }
        let said = rig.said();
        let whys: Vec<&str> = said.lines().filter(|line| line.starts_with("quittance: ")).collect();
        assert_eq!(whys.len(), refused, "{said}");
        assert!(whys.iter().all(|why| why.contains("journal.db")), "{whys:?}");
    }
    let moved = terminals.map(|terminal| rig.terminal(terminal).count(sim::Command::Commit));
    assert_eq!(moved, [0, 0], "money was moved that nobody can remember");

    disk.make_room();
    rig.start_again();
    for session in &decided {
        assert_eq!(rig.wait_state(session, "committed")["amount_final"], 2500);
        assert_eq!(rig.taken(session), Some(2500));
    }
    for session in &held {
        assert_eq!(rig.session(session)["state"], "approved");
        assert_eq!(rig.commit(session, 1000)["state"], "committed");
        assert_eq!(rig.taken(session), Some(1000));
    }
    eprintln!("{refused} of 3 starts were refused");
    rig.finish();
}

#[test]
fn every_mistake_of_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quittance.toml");
    let text = r#"
        [site]
        id = "rig"
        currency = "Euro"
        [api]
        listen = "0.0.0.0:8470"
        [policy]
        plug_in_timeout = "soon"
        [[terminals]]
        id = "bay-01"
        family = "apollo"
        link = { tcp = "10.1.0.11:3201" }
        conectors = 2
        [[terminals]]
        id = "bay-01"
        family = "p6x"
        link = { serial = "/dev/ttyUSB0" }
    "#;
    std::fs::write(&file, text).unwrap();
    for verb in ["check", "run"] {
        let output = Command::new(BINARY).args([verb, "--config"]).arg(&file).env_remove("QUITTANCE_TOKEN").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let paths = [
            "site.currency",
            "api.tokens",
            "policy.terminal_timeout_action",
            "policy.plug_in_timeout",
            "terminals[0].conectors",
            "terminals[1].id",
        ];
        for path in paths {
            let told = said.lines().filter(|line| line.contains(&format!(": {path}: "))).count();
            assert_eq!(told, 1, "{verb}: {path} in\n{said}");
        }
        if verb == "check" {
            assert!(said.ends_with("\n6 mistakes\n"), "{said}");
        }
    }
}

/// Everything that a run writes for people and dashboards, searched for what only the API and the journal may hold.
#[test]
fn neither_cards_nor_tokens_are_told() {
    const TOKEN: &str = "a-secret-of-this-test-only";
    let rig = Rig::pair().token(TOKEN).log("trace");
    let rig = ["commit", "card", "command"].into_iter().fold(rig, |rig, key| rig.timeout(key, "\"3s\"")).start();
    let cards = [APOLLO, P6X].map(|terminal| {
        let card = rig.new_card();
        let session = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&session, "approved");
        rig.terminal(terminal).plan(sim::Command::Commit, sim::Fault::Corrupt);
        assert_eq!(rig.commit(&session, 1000)["state"], "committed");
        rig.wait_ready();
        let next = rig.open(terminal, 5000);
        rig.terminal(terminal).plan(sim::Command::Start, sim::Fault::Corrupt);
        rig.tap(terminal, &card);
        rig.until("over", || (rig.session(&next)["state"] != "waiting_card").then_some(()));
        rig.wait_ready();
        assert_eq!(rig.api.post_as(Some("not-the-token"), "/v1/sessions", &json!({})).0, 401);
        card
    });
    let mut told = rig.said() + &rig.api.metrics();
    assert_eq!(rig.terminate(), 0);
    let show = Command::new(BINARY).args(["journal", "show", "--journal"]).arg(rig.journal()).output().unwrap();
    told.push_str(&String::from_utf8(show.stdout).unwrap());
    told.push_str(&String::from_utf8(rig.verify().stdout).unwrap());
    for card in &cards {
        assert!(
            told.contains(card.masked_pan().unwrap().as_str()),
            "this run has told nothing of its cards, so it proves nothing"
        );
        let hash = card.hash().reveal();
        let in_hex: String = hash.bytes().map(|byte| format!("{byte:02x}")).collect();
        for secret in [hash, &in_hex, &in_hex.to_uppercase()] {
            assert!(!told.contains(secret), "{}", context(&told, secret));
        }
    }
    for secret in [TOKEN, "not-the-token"] {
        assert!(!told.contains(secret), "{}", context(&told, secret));
    }
    rig.check_books();
}

/// The line that tells too much.
fn context(told: &str, secret: &str) -> String {
    told.lines().find(|line| line.contains(secret)).unwrap_or_default().to_owned()
}

#[test]
fn nobody_without_a_token_gets_in() {
    let rig = Rig::builder().apollos(1).token("the-right-one").start();
    for token in [None, Some("the-wrong-one")] {
        let (status, body) = rig.api.post_as(token, "/v1/sessions", &json!({ "terminal": APOLLO, "amount": 100 }));
        assert_eq!((status, &body["code"]), (401, &json!("unauthorised")));
    }
    assert_eq!(rig.terminal(APOLLO).count(sim::Command::Start), 0);
    rig.approve(APOLLO, 100);
    rig.finish();
}

#[test]
fn what_is_wrong_with_a_request_has_a_stable_code() {
    let rig = Rig::builder().apollos(1).start();
    let cases = [
        (r#"{"terminal":"bay-99","amount":100}"#, 404, "terminal_unknown"),
        (r#"{"terminal":"apollo-1","amount":-1}"#, 422, "amount_invalid"),
        (r#"{"terminal":"apollo-1","amount":10.5}"#, 422, "amount_invalid"),
        (r#"{"terminal":"apollo-1","amount":0}"#, 422, "amount_invalid"),
        (r#"{"terminal":"apollo-1","amount":10001}"#, 422, "amount_invalid"),
        (r#"{"terminal":"apollo-1"}"#, 400, "malformed"),
        (r#"{"terminal":"apollo-1","amount":100,"amout":1}"#, 400, "malformed"),
        ("{", 400, "malformed"),
        ("", 400, "malformed"),
    ];
    for (words, status, code) in cases {
        let (came, body) = rig.api.post_text("/v1/sessions", words);
        assert_eq!((came, body["code"].as_str()), (status, Some(code)), "{words}: {body}");
    }
    let session = rig.approve(APOLLO, 5000);
    let path = format!("/v1/sessions/{session}");
    let cases = [
        ("commit", r#"{"amount":5001}"#, 422, "over_commit"),
        ("commit", r#"{"amount":-5}"#, 422, "amount_invalid"),
        ("commit", r#"{"amount":"5"}"#, 422, "amount_invalid"),
        ("commit", "{}", 400, "malformed"),
        ("cancel", "", 409, "has_hold"),
        ("update", r#"{"amount":10001}"#, 422, "amount_invalid"),
    ];
    for (verb, words, status, code) in cases {
        let (came, body) = rig.api.post_text(&format!("{path}/{verb}"), words);
        assert_eq!((came, body["code"].as_str()), (status, Some(code)), "{verb} {words}: {body}");
    }
    let (status, body) = rig.api.post("/v1/sessions/nobody/commit", &json!({ "amount": 1 }));
    assert_eq!((status, &body["code"]), (404, &json!("session_unknown")));
    assert_eq!(rig.terminal(APOLLO).count(sim::Command::Commit), 0);
    assert_eq!(rig.void(&session)["state"], "voided");
    rig.finish();
}
