//! The frame recorder: the real program records real wires, and what it has written can be read, hides cards, and costs nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use quittance::recorder::line::{Event, Header, Line, Text};
use quittance::recorder::replay::{Message, Replay, lines};

use super::rig::{BINARY, Rig, SmallDisk};

const BOTH: [&str; 2] = ["apollo-1", "p6x-1"];

fn decode(arguments: &[&str], file: &Path) -> Output {
    Command::new(BINARY).args(["decode", "--file"]).arg(file).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is said in a dialogue, without the times: `>` is the host, `<` the terminal, and `=` is what happens to the link.
fn spoken(dialogue: &str) -> Vec<String> {
    let name = |text: &str| text.split(": ").next().unwrap().to_owned();
    let line = |line: &str| {
        if let Some((_, text)) = line.split_once("host ──► terminal  ") {
            return Some(format!("> {}", name(text)));
        }
        if let Some((_, text)) = line.split_once("host ◄── terminal  ") {
            return Some(format!("< {}", name(text)));
        }
        line.split_once("== link ").map(|(_, text)| format!("= {}", text.split_once(": ").unwrap().1))
    };
    dialogue.lines().filter_map(line).collect()
}

/// Whether all of these were said in this order, whatever else was said between.
fn said_in_order(spoken: &[String], expected: &[&str]) -> bool {
    let mut spoken = spoken.iter();
    expected.iter().all(|wanted| spoken.any(|line| line == wanted))
}

/// Sessions over TCP and over a serial line: the recording holds the whole conversation, tells of the link, is for its owner
/// only, and neither it nor its explanation shows more of a card than its masked number.
#[test]
fn a_session_can_be_read_back_as_a_conversation() {
    let rig = Rig::pair().recorder("frames", "masked").start();
    let sessions = BOTH.map(|terminal| {
        let session = rig.open(terminal, 5000);
        let card = rig.new_card();
        rig.tap(terminal, &card);
        let body = rig.wait_state(&session, "approved");
        assert_eq!(rig.commit(&session, 3140)["state"], "committed");
        (terminal, body["terminal_session_id"].to_string(), card.hash().reveal().to_owned())
    });
    assert_eq!(rig.metric("quittance_recorder_dropped_total", &[]), 0.0);
    assert_eq!(rig.terminate(), 0);

    let set_up = [
        "> Reset",
        "< Result",
        "> Synchronize",
        "< Synchronize Response",
        "> Request Ids",
        "< Request Ids Response",
        "> Protocol",
        "< Protocol Response",
        "> Setup",
        "< Result",
        "> Enable",
        "< Result",
    ];
    let flow = ["> Start Session", "< Card Read", "> Auth Session", "< Session Approved", "> Commit Session", "< Result"];
    for (terminal, id, hash) in sessions {
        let file = rig.path(&format!("frames/{terminal}.psp"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let recorded = std::fs::read_to_string(&file).unwrap();
        let (dialogue, explained) = (decode(&["--dialogue"], &file), decode(&[], &file));
        assert_eq!((dialogue.status.code(), explained.status.code()), (Some(0), Some(0)), "{}", text(&explained));
        let (dialogue, explained) = (text(&dialogue), text(&explained));

        let all = spoken(&dialogue);
        assert!(all[0].starts_with(if terminal == "p6x-1" { "= opened, serial " } else { "= opened, tcp " }), "{dialogue}");
        assert!(said_in_order(&all, &[&set_up[..], &flow, &["= lost: closed by us"]].concat()), "{dialogue}");
        let about = spoken(&text(&decode(&["--dialogue", "--session", &id], &file)));
        assert!(said_in_order(&about, &flow) && !about.contains(&"> Setup".to_owned()), "{about:?}");
        assert!(explained.contains(&format!("  session id         {id}\n")), "{explained}");

        let hex: String = hash.bytes().map(|byte| format!(" {byte:02X}")).collect();
        assert!(recorded.contains(" terminal masked AA"), "{recorded}");
        for text in [&recorded, &dialogue, &explained] {
            assert!(!text.contains(&hash[..8]) && !text.contains(&hex[..24]), "{text}");
        }
        assert!(explained.contains("card hash, 40 bytes: ********…") && explained.contains(": 541333******"), "{explained}");
    }
    rig.check_books();
}

/// Card data is kept only where it is asked for, and the log says so. A recording goes on after a crash, with all that it had.
#[test]
fn card_data_is_kept_where_it_is_asked_for_also_over_a_crash() {
    let rig = Rig::builder().apollos(1).recorder("frames", "clear").start();
    rig.until("warned", || rig.said().contains("WITH CARD DATA").then_some(()));
    let session = rig.open("apollo-1", 5000);
    let card = rig.new_card();
    rig.tap("apollo-1", &card);
    rig.wait_state(&session, "approved");
    let file = rig.path("frames/apollo-1.psp");
    let hex: String = card.hash().reveal().bytes().map(|byte| format!(" {byte:02X}")).collect();
    // It is written beside everything else, so that what the API tells may be ahead of it.
    rig.until("the approval is recorded", || {
        said_in_order(&spoken(&text(&decode(&["--dialogue"], &file))), &["< Session Approved"]).then_some(())
    });
    rig.kill9();
    rig.start_again();
    rig.void(&session);
    assert_eq!(rig.terminate(), 0);
    let recorded = std::fs::read_to_string(&file).unwrap();
    assert_eq!(recorded.matches("cards=clear part=begun\n").count(), 2, "{recorded}");
    assert!(recorded.contains(&hex) && !recorded.contains("masked"), "{recorded}");
    let said = decode(&["--dialogue"], &file);
    assert!(said.status.success());
    assert!(
        said_in_order(&spoken(&text(&said)), &["< Session Approved", "> Setup", "> Void Session", "< Result"]),
        "{}",
        text(&said)
    );
    rig.check_books();
}

/// When the disk for recordings is full, frames are lost, counted and said once for each terminal; sessions go on as ever.
#[test]
fn a_full_disk_costs_frames_and_no_money() {
    let Some(disk) = SmallDisk::mount() else { return };
    let rig = Rig::pair().recorder(disk.path().join("frames"), "masked").start();
    disk.fill();
    for terminal in BOTH {
        // What is begun of a page still takes some lines.
        let lost = || rig.metric("quittance_recorder_dropped_total", &[("terminal", terminal)]) > 0.0;
        for sessions in 1.. {
            let session = rig.approve(terminal, 5000);
            assert_eq!(rig.commit(&session, 3140)["state"], "committed");
            assert_eq!(rig.taken(&session), Some(3140));
            if lost() {
                break;
            }
            assert!(sessions < 50, "a full disk takes everything");
        }
        let complaints = || {
            let about = |line: &&str| line.contains("frames cannot be recorded") && line.contains(terminal);
            rig.said().lines().filter(about).count()
        };
        rig.until("said", || (complaints() > 0).then_some(()));
        assert_eq!(complaints(), 1, "{}", rig.said());
        assert!(decode(&[], &disk.path().join(format!("frames/{terminal}.psp"))).status.success(), "half a line was left");
    }
    rig.finish();
}

/// What does not go together is a usage error; a file that is not there, or holds nothing that was asked for, is none.
#[test]
fn decode_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.psp");
    assert_eq!(decode(&["AA"], &missing).status.code(), Some(2));
    assert_eq!(decode(&["--since", "yesterday"], &missing).status.code(), Some(2));
    let output = decode(&[], &missing);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("cannot be read"), "{}", text(&output));
}

/// The recordings beside this file were made of simulated terminals. Whatever pieces their bytes come in, the decoders of both
/// ends find the same messages, and they are these.
#[test]
fn recordings_play_to_the_decoders() {
    let set_up = |listed: &[&'static str]| {
        let names = [
            "reset",
            "result",
            "synchronize",
            "synchronize",
            "request_ids",
            "ids",
            "protocol",
            "protocol",
            "setup",
            "result",
            "enable",
            "result",
            "get_status",
            "status",
        ];
        [&names[..], listed].concat()
    };
    let sessions = [
        "start_session",
        "card_read",
        "auth_session",
        "approved",
        "commit_session",
        "result", //
        "start_session",
        "card_read",
        "auth_session",
        "approved",
        "void_session",
        "result", //
        "start_session",
        "card_read",
        "auth_session",
        "declined",
    ];
    let cases = [
        (&include_bytes!("data/apollo.psp")[..], [set_up(&[]), sessions.to_vec()].concat()),
        (&include_bytes!("data/p6x.psp")[..], [set_up(&["list_sessions", "session_list"]), sessions.to_vec()].concat()),
    ];
    for (recording, expected) in cases {
        for piece in [1, 2, 3, 5, 64, usize::MAX] {
            assert_eq!(played(recording, piece), expected, "in pieces of {piece}");
        }
    }
}

/// The names of the messages in a recording whose bytes come in pieces.
fn played(recording: &[u8], piece: usize) -> Vec<&'static str> {
    let mut replay = None;
    let mut names = Vec::new();
    for (number, line) in lines(recording) {
        match line.unwrap().unwrap_or_else(|error| panic!("line {number}: {error}")) {
            Text::Header(Header { family, .. }) => replay = Some(Replay::new(family)),
            Text::Line(Line { event, .. }) => {
                let found = replay.as_mut().unwrap().play(&event, || piece);
                assert_eq!(found.len(), usize::from(matches!(event, Event::Frame { .. })), "line {number}");
                names.extend(found.into_iter().map(|message| match message.unwrap() {
                    Message::Request(request) => request.name(),
                    Message::Response(response) => response.name(),
                }));
            }
            Text::Remark => {}
        }
    }
    names
}
