//! Places where a journal cannot be kept, or not by two: one clear line and exit code 1, or no money until there is room.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use quittance::sim;
use serde_json::json;

use super::rig::{BINARY, Rig, SmallDisk};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// What a terminal is told that can move money.
const MONEY: [sim::Command; 4] = [sim::Command::Auth, sim::Command::Commit, sim::Command::Void, sim::Command::Update];

/// A configuration whose journal is there.
fn config(folder: &Path, journal: &Path) -> std::path::PathBuf {
    let file = folder.join("quittance.toml");
    let text = format!(
        "[site]\nid = \"rig\"\ncurrency = \"EUR\"\n[api]\nlisten = \"127.0.0.1:0\"\n[journal]\npath = \"{}\"\n\
         [policy]\nterminal_timeout_action = \"void\"\n\
         [[terminals]]\nid = \"bay-01\"\nfamily = \"apollo\"\nlink = {{ tcp = \"127.0.0.1:1\" }}\n",
        journal.display()
    );
    fs::write(&file, text).unwrap();
    file
}

/// Root may write everywhere, whatever a file's mode says; without these capabilities it is like everybody else.
const LIKE_EVERYBODY: [&str; 2] =
    ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"];

/// The program, as somebody who may not do everything. None where that cannot be had, which CI must allow.
fn like_everybody() -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(Command::new(BINARY));
    }
    let setpriv = || Command::new("setpriv");
    if !setpriv().args(LIKE_EVERYBODY).arg("true").status().is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "root cannot give up its rights here, which CI must allow");
        eprintln!("skipped: root cannot give up its rights here");
        return None;
    }
    let mut command = setpriv();
    command.args(LIKE_EVERYBODY).arg(BINARY);
    Some(command)
}

fn start(mut program: Command, config: &Path) -> Output {
    program.args(["run", "--config"]).arg(config).env_remove("RUST_LOG").output().unwrap()
}

/// It has ended with 1 and one line of its own that says this.
fn refused(output: &Output, wanted: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why: Vec<&str> = said.lines().filter(|line| line.starts_with("quittance: ")).collect();
    assert_eq!(why.len(), 1, "{said}");
    wanted.iter().for_each(|wanted| assert!(why[0].contains(wanted), "{wanted:?} is not in: {}", why[0]));
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_journal_that_cannot_be_kept_ends_the_program_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("directory.db")).unwrap();
    fs::write(place("words.db"), "these are words and not a journal, and there are enough of them ".repeat(100)).unwrap();
    for (journal, why) in [
        ("nowhere/journal.db", "No such file or directory"),
        ("directory.db", "it is a directory"),
        ("words.db", "it is not a SQLite file"),
        ("words.db/journal.db", "Not a directory"),
    ] {
        refused(
            &start(Command::new(BINARY), &config(folder.path(), &place(journal))),
            &[journal.split('/').next().unwrap(), why],
        );
    }
    assert_eq!(fs::read_dir(place("directory.db")).unwrap().count(), 0, "nothing is left where no journal can be");
}

#[test]
fn a_journal_that_may_not_be_written_ends_the_program_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    for (name, mode) in [("readonly", 0o555), ("closed", 0o000)] {
        fs::create_dir(place(name)).unwrap();
        fs::set_permissions(place(name), fs::Permissions::from_mode(mode)).unwrap();
        let Some(program) = like_everybody() else { return };
        let file = config(folder.path(), &place(name).join("journal.db"));
        refused(&start(program, &file), &[name, "Permission denied"]);
    }
    // A journal that is there, but belongs to somebody else.
    let file = config(folder.path(), &place("journal.db"));
    Rig::builder().apollos(1).journal(place("journal.db")).start().finish();
    fs::set_permissions(place("journal.db"), fs::Permissions::from_mode(0o444)).unwrap();
    let Some(program) = like_everybody() else { return };
    refused(&start(program, &file), &["journal.db"]);
    fs::set_permissions(place("closed"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_journal_on_a_write_protected_disk_ends_the_program_with_one_line() {
    let Some(disk) = SmallDisk::mount() else { return };
    let journal = disk.path().join("journal.db");
    let rig = Rig::builder().apollos(1).journal(journal.clone()).start();
    rig.void(&rig.approve(APOLLO, 100));
    rig.kill9();
    disk.protect();
    let folder = tempfile::tempdir().unwrap();
    refused(&start(Command::new(BINARY), &config(folder.path(), &journal)), &["journal.db", "Read-only file system"]);
}

/// A person has taken the lock's file for a leftover, or has made a second name for the journal: nobody else may write it all the same.
#[test]
fn a_second_program_is_kept_out_under_every_name() {
    let rig = Rig::pair().start();
    let held = [APOLLO, P6X].map(|terminal| rig.approve(terminal, 5000));
    let folder = tempfile::tempdir().unwrap();
    let (link, name) = (folder.path().join("link.db"), rig.path("name.db"));
    symlink(rig.journal(), &link).unwrap();
    fs::hard_link(rig.journal(), &name).unwrap();
    fs::remove_file(format!("{}.lock", rig.journal().display())).unwrap();
    for journal in [rig.journal(), &link, &name] {
        let second = start(Command::new(BINARY), &config(folder.path(), journal));
        refused(&second, &["in use by another orchestrator"]);
    }
    for session in &held {
        assert_eq!(rig.commit(session, 1500)["state"], "committed");
    }
    rig.finish();
}

/// Nobody fills the disk but the journal itself, under load, so it is full in the middle of a transaction. Money stands still, and
/// moves again as soon as there is room, without a new start.
#[test]
fn a_journal_that_fills_its_disk_stops_money_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    fs::write(disk.path().join("others"), vec![1; 512 * 1024]).unwrap();
    let rig = Rig::pair().connectors(2).journal(disk.path().join("journal.db")).start();
    let terminals = [APOLLO, P6X];
    let held = terminals.map(|terminal| rig.approve(terminal, 5000));
    let mut total = 0;
    let refusal = rig.until("full", || {
        // Each is a record; they share a sync with nobody.
        let answers = held.each_ref().map(|session| {
            total += 1;
            rig.api.post(&format!("/v1/sessions/{session}/energy"), &json!({ "amount": 100 + total / 10 }))
        });
        let full = answers.into_iter().find(|(status, _)| *status != 200);
        (full.is_some() || total > 40_000).then_some(full)
    });
    let (status, body) = refusal.expect("the disk was never full");
    assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{body}");
    let money = || terminals.map(|terminal| MONEY.map(|command| rig.terminal(terminal).count(command)));
    let before = money();
    for (terminal, session) in terminals.into_iter().zip(&held) {
        for (verb, body) in [("commit", json!({ "amount": 1000 })), ("void", json!({})), ("update", json!({ "amount": 6000 }))]
        {
            let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/{verb}"), &body);
            assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{terminal} {verb}: {body}");
        }
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert_eq!((status, &body["code"]), (503, &json!("journal_unavailable")), "{terminal}: {body}");
    }
    let (status, ready) = rig.api.get("/readyz");
    assert!(status == 503 && ready["reasons"][0].as_str().unwrap().starts_with("the journal cannot be written: "), "{ready}");
    assert_eq!(rig.metric("quittance_journal_writable", &[]), 0.0);
    assert_eq!(money(), before, "money was moved that nobody can remember");

    disk.grow();
    rig.wait_ready();
    for session in &held {
        rig.until("commits", || {
            let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit"), &json!({ "amount": 4900 }));
            (status == 200 && body["state"] == "committed").then_some(())
        });
        assert_eq!(rig.taken(session), Some(4900));
    }
    rig.finish();
}
