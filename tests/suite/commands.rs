//! The commands of the real program, as a person types them: tables, watching, and what an admin does.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use quittance::sim;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::rig::{BINARY, Rig};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";
const TOKEN: &str = "the-token-of-an-admin";

fn quittance(rig: &Rig, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("QUITTANCE_URL", rig.api.url("")).env_remove("QUITTANCE_TOKEN").env_remove("NO_COLOR");
    command
}

/// Runs it as an admin; exit code, stdout and stderr.
fn typed(rig: &Rig, arguments: &[&str]) -> (i32, String, String) {
    ended(quittance(rig, arguments).env("QUITTANCE_TOKEN", TOKEN).output().unwrap())
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Starts it at a terminal of its own; what it draws there can be read.
fn at_a_terminal(mut command: Command) -> (Child, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = File::options().read(true).write(true).open(name).unwrap();
    let child = command.env("TERM", "xterm").stdin(Stdio::null()).stdout(theirs).stderr(Stdio::null()).spawn().unwrap();
    (child, File::from(ours))
}

/// Reads until it was drawn so often; a terminal at its end gives an error.
fn read_until(drawn: &mut File, wanted: &str, times: usize) -> String {
    let (mut seen, mut piece) = (String::new(), [0; 4096]);
    while seen.matches(wanted).count() < times {
        let length = drawn.read(&mut piece).unwrap_or_else(|error| panic!("{error}; drawn was {seen:?}"));
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    seen
}

fn read_to_end(drawn: &mut File) -> String {
    let (mut seen, mut piece) = (String::new(), [0; 4096]);
    while let Ok(length @ 1..) = drawn.read(&mut piece) {
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    seen
}

/// A terminal gets colours unless `NO_COLOR` is set, a pipe never does, and `--json` is the same everywhere.
#[test]
fn colours_are_for_people_who_want_them() {
    let rig = Rig::pair().start();
    let green = "\u{1b}[32mup\u{1b}[0m";
    let (mut child, mut drawn) = at_a_terminal(quittance(&rig, &["terminals"]));
    assert!(read_to_end(&mut drawn).contains(green));
    assert!(child.wait().unwrap().success());
    let mut plain = quittance(&rig, &["terminals"]);
    plain.env("NO_COLOR", "1");
    let (mut child, mut drawn) = at_a_terminal(plain);
    let seen = read_to_end(&mut drawn);
    assert!(seen.contains(APOLLO) && !seen.contains('\u{1b}'), "{seen:?}");
    assert!(child.wait().unwrap().success());
    let (code, out, _) = typed(&rig, &["terminals"]);
    assert!(code == 0 && out.contains(P6X) && !out.contains('\u{1b}'), "{out:?}");
    let (_, out, _) = typed(&rig, &["terminals", "--json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed["terminals"].as_array().unwrap().len(), 2);
    rig.finish();
}

/// A watcher sees what changes, also that the server has gone, and Ctrl-C leaves the terminal as it was.
#[test]
fn a_watch_redraws_until_ctrl_c() {
    let rig = Rig::pair().start();
    let (mut child, mut drawn) = at_a_terminal(quittance(&rig, &["sessions", "--undisposed", "--watch=200ms"]));
    let seen = read_until(&mut drawn, "SESSION", 2);
    assert!(seen.starts_with("\u{1b}[?1049h"), "{seen:?}");
    let session = rig.approve(APOLLO, 5000);
    read_until(&mut drawn, &session, 1);
    rig.kill9();
    read_until(&mut drawn, "there is no API at", 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(read_to_end(&mut drawn).ends_with("\u{1b}[?1049l"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    rig.start_again();
    assert_eq!(rig.void(&session)["state"], "voided");
    rig.finish();
}

/// In a pipe the tables follow each other without a single escape; a reader that has seen enough ends it, and that is no failure.
#[test]
fn a_watch_ends_with_its_reader() {
    let rig = Rig::pair().start();
    let mut watching = quittance(&rig, &["terminals", "--watch=200ms"]);
    let mut child = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let seen: Vec<String> = lines.by_ref().take(9).collect();
    assert_eq!(seen.iter().filter(|line| line.starts_with("TERMINAL")).count(), 2, "{seen:?}");
    assert!(seen.iter().all(|line| !line.contains('\u{1b}')), "{seen:?}");
    drop(lines);
    let (code, _, err) = ended(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    rig.finish();
}

/// What an admin does at night, each with what it says; a viewer's or no token is told what is missing.
#[test]
fn an_admin_drains_resumes_reconnects_and_reconciles() {
    let rig = Rig::pair().token(TOKEN).start();
    let session = rig.approve(P6X, 5000);
    let number = rig.session(&session)["terminal_session_id"].clone();
    let (code, out, _) = typed(&rig, &["drain", P6X]);
    assert!(code == 0 && out.starts_with("p6x-1 takes no new cards; 1 hold is open on it and goes on to its end.\n"), "{out}");
    assert_eq!(rig.api.get("/v1/terminals/p6x-1").1["draining"], true);
    let (code, out, _) = typed(&rig, &["resume", P6X, "--json"]);
    assert_eq!((code, &serde_json::from_str::<Value>(&out).unwrap()["draining"]), (0, &Value::Bool(false)));
    let (code, out, _) = typed(&rig, &["reconcile", P6X]);
    assert!(code == 0 && out.contains(": clean: both sides agree"), "{out}");
    assert!(out.contains(&format!("holds on the terminal  {number}\nholds in the journal   {number}\n")), "{out}");
    assert_eq!(typed(&rig, &["reconnect", APOLLO]).0, 0);

    let (code, out, err) = typed(&rig, &["drain", "no-such"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("there is no terminal") && err.contains("no-such"), "{err}");
    let (code, _, err) = ended(quittance(&rig, &["drain", P6X]).output().unwrap());
    assert!(code == 1 && err.ends_with("wants a token that it knows: give it by --token or QUITTANCE_TOKEN\n"), "{err}");
    assert_eq!(typed(&rig, &["drain"]).0, 2);
    rig.wait_ready();
    assert_eq!(rig.void(&session)["state"], "voided");
    rig.finish();
}

/// A terminal forgets its hold: the session waits for a person, who settles it by the beginning of its name.
#[test]
fn a_person_resolves_what_is_uncertain() {
    let rig = Rig::builder().apollos(1).token(TOKEN).start();
    let session = rig.approve(APOLLO, 5000);
    rig.terminal(APOLLO).forget_sessions();
    assert_eq!(rig.commit(&session, 249)["state"], "uncertain");
    let (code, out, _) = typed(&rig, &["sessions", "--undisposed"]);
    assert!(code == 0 && out.contains("uncertain") && out.contains("the terminal does not know the session any more"), "{out}");
    let (code, _, err) = typed(&rig, &["resolve", &session, "--outcome", "committed", "--note", "x"]);
    assert!(code == 2 && err.contains("--amount"), "{err}");
    let note = ["--note", "settlement file of 24 November"];
    let words = [&["resolve", &session[..13], "--outcome", "committed", "--amount", "2.49"], &note[..]].concat();
    assert_eq!(typed(&rig, &words), (0, format!("{session} is settled: committed, 2.49 EUR\n"), String::new()));
    assert!(rig.journal_show().contains(note[1]));
    assert_eq!(typed(&rig, &words).0, 0, "who says the same once more is right");
    let (code, _, err) = typed(&rig, &[&["resolve", &session, "--outcome", "voided"], &note[..]].concat());
    assert!(code == 1 && err.contains("(409)"), "{err}");
    assert_eq!(rig.terminal(APOLLO).count(sim::Command::Commit), 1);
    rig.terminate();
}
