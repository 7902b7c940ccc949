use super::*;

fn decode(from: Option<Direction>, texts: &[&str]) -> (bool, String) {
    let mut out = Vec::new();
    let sound = run(from, texts.iter().map(|text| (*text).to_owned()), &mut out).unwrap();
    (sound, String::from_utf8(out).unwrap())
}

/// The same frame in every way in which people write hex.
#[test]
fn hex_may_be_written_in_many_ways() {
    for texts in [
        &["CC06 3C33 0000000A 4B"][..],
        &["cc063c330000000a4b"],
        &["0xCC, 0x06, 0x3C, 0x33, 0x00, 0x00, 0x00, 0x0A, 0x4B"],
        &["CC", "06", "3C", "33", "00", "00", "00", "0A", "4B"],
        &["0xCC063C330000000A4B"],
    ] {
        let (sound, text) = decode(None, texts);
        assert!(sound, "{texts:?}: {text}");
        assert!(text.starts_with("Void Session (33) from the host, 9 bytes at byte 0\n"), "{texts:?}: {text}");
        assert!(text.contains("session id         10\n"), "{texts:?}: {text}");
    }
}

/// A frame with a wrong sum does not keep the frame behind it from being explained.
#[test]
fn a_bad_frame_is_explained_and_the_next_one_too() {
    let (sound, text) = decode(None, &["AA 03 3C 00 00 E8 AA 02 3C 33 1B"]);
    assert!(!sound);
    assert!(text.contains("the checksum should be E9, but it is E8"), "{text}");
    assert!(text.contains("Session Cancelled (33) from the terminal, 5 bytes at byte 6\n"), "{text}");
}

#[test]
fn a_frame_that_ends_early_says_by_how_much() {
    let (sound, text) = decode(None, &["AA 04 3C 26 10"]);
    assert!(!sound);
    assert!(text.contains("the frame ends after 5 bytes, but by its length it has 7"), "{text}");
}

/// The code 33 means one thing from the host and another from the terminal.
#[test]
fn the_sender_can_be_said() {
    let (sound, text) = decode(Some(Direction::FromTerminal), &["CC 02 3C 33 3D"]);
    assert!(sound, "{text}");
    assert!(text.starts_with("Session Cancelled"), "{text}");
    let (sound, text) = decode(Some(Direction::FromHost), &["AA 02 3C 33 1B"]);
    assert!(!sound);
    assert!(text.contains("a frame begins with CC, but this is AA"), "{text}");
}

#[test]
fn what_is_no_hex_is_refused() {
    for text in ["AA 0G", "AAA", "0x"] {
        let (sound, said) = decode(None, &[text]);
        assert!(!sound, "{text}: {said}");
        assert!(!said.is_empty());
    }
    assert_eq!(decode(None, &[]), (false, "There is no frame to explain\n".to_owned()));
}

/// Of a card only the masked number and the first characters of the hash are shown.
#[test]
fn card_data_stays_masked() {
    // Card Read with a hash of 40 characters and a whole card number, as a faulty terminal might send it.
    let frame = "AA 43 3C 34 40 DF F0 06 28 \
        33 30 31 32 30 34 31 30 39 32 42 45 42 41 46 32 33 41 46 43 31 44 41 31 37 35 42 31 46 33 41 35 32 39 45 36 46 32 44 31 \
        DF CA 0B 10 34 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 6E";
    let (sound, text) = decode(None, &[frame]);
    assert!(sound, "{text}");
    assert!(text.contains("DFF006 card hash, 40 bytes: 30120410…\n"), "{text}");
    assert!(text.contains("DFCA0B masked card number, 16 bytes: 411111******1111\n"), "{text}");
    assert!(!text.contains("301204109"), "{text}");
}

const RECORDING: &str = "\
# quittance-frames 1 terminal=bay-01 family=apollo cards=masked part=begun
2026-11-23T23:59:58.000000Z 1 opened tcp 10.1.0.11:3201
2026-11-23T23:59:58.000100Z 1 host CC 02 3C 24 2E
2026-11-23T23:59:58.002400Z 1 terminal AA 02 3C 24 0C
# Ann was here
2026-11-24T00:00:05.500000Z 1 host CC 0A 3C 34 00 00 13 88 00 00 00 0A EB
2026-11-24T00:00:06.000000Z 1 terminal masked AA 0A 3C 34 07 DF F0 06 03 2A 2A 2A 81
2026-11-24T00:00:06.100000Z 1 host CC 02 3C 36 40
2026-11-24T00:00:06.900000Z 1 terminal AA 06 3C 31 00 00 00 0B 28
2026-11-24T00:00:07.000000Z 1 host CC 02 3C 26 30
2026-11-24T00:00:07.100000Z 1 terminal AA 04 3C 26 08 00 18
2026-11-24T00:02:08.000000Z 1 host CC 0A 3C 35 00 00 00 0B 00 00 00 64 B6
2026-11-24T00:03:08.000000Z 1 gap 3 the disk was not fast enough
2026-11-24T00:03:08.000000Z 1 lost commit_session was not answered in time
";

fn recording(text: &str, wanted: Wanted) -> (bool, String) {
    let mut out = Vec::new();
    let source = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
    let sound = run_source("This".to_owned(), source, Vec::new(), None, &wanted, &mut out).unwrap();
    (sound, String::from_utf8(out).unwrap())
}

/// The whole conversation, word for word: times and what passed between, who speaks, pauses, the gap, and why the link was lost.
#[test]
fn a_recording_is_told_as_a_dialogue() {
    let (sound, said) = recording(RECORDING, Wanted { dialogue: true, ..Wanted::default() });
    let expected = "\
== bay-01, apollo: recording begins; card data is masked
2026-11-23
23:59:58.000000             == link 1: opened, tcp 10.1.0.11:3201
23:59:58.000100    +100 µs  host ──► terminal  Synchronize
23:59:58.002400    +2.3 ms  host ◄── terminal  Synchronize Response
2026-11-24
                     7.4 s  ·····
00:00:05.500000     +7.4 s  host ──► terminal  Start Session: amount 5000 minor units; session reference 10; data objects the terminal's default list
00:00:06.000000  +500.0 ms  host ◄── terminal  Card Read: data object DFF006 card hash, 3 bytes: ***…
00:00:06.100000  +100.0 ms  host ──► terminal  Auth Session
00:00:06.900000  +800.0 ms  host ◄── terminal  Session Approved: session id 11
00:00:07.000000  +100.0 ms  host ──► terminal  Get Status
00:00:07.100000  +100.0 ms  host ◄── terminal  Get Status Response: state ENABLED, no transaction is running
                   2.0 min  ·····
00:02:08.000000   +2.0 min  host ──► terminal  Commit Session: session id 11; amount 100 minor units
                    60.0 s  ·····
00:03:08.000000    +60.0 s  == link 1: 3 lines are missing: the disk was not fast enough
00:03:08.000000      +0 µs  == link 1: lost: commit_session was not answered in time
";
    assert_eq!((sound, said.as_str()), (true, expected));
}

/// Every frame of a recording is explained as one that is given in hex.
#[test]
fn a_recording_is_explained_frame_by_frame() {
    let (sound, said) = recording(RECORDING, Wanted::default());
    assert!(sound, "{said}");
    assert!(said.contains("2026-11-23T23:59:58.000000Z link 1: opened, tcp 10.1.0.11:3201\n"), "{said}");
    let frame =
        "2026-11-24T00:00:06.000000Z link 1: card data is masked\nCard Read (34) from the terminal, 13 bytes at byte 0\n";
    assert!(said.contains(frame), "{said}");
}

/// One session out of many: its card flow and its disposal with what came of it, and not what was between.
#[test]
fn one_session_can_be_asked_for() {
    let (sound, said) = recording(RECORDING, Wanted { dialogue: true, session: Some(11), ..Wanted::default() });
    assert!(sound, "{said}");
    let told: Vec<&str> = said.lines().filter_map(|line| line.split_once("terminal  ")?.1.split(':').next()).collect();
    assert_eq!(told, ["Start Session", "Card Read", "Auth Session", "Session Approved", "Commit Session"]);
    assert!(said.ends_with("lost: commit_session was not answered in time\n"), "{said}");
    let (sound, said) = recording(RECORDING, Wanted { dialogue: true, session: Some(12), ..Wanted::default() });
    assert!(!sound && said.ends_with("There is nothing to explain: no line of this is what you asked for\n"), "{said}");
}

#[test]
fn a_span_of_time_can_be_asked_for() {
    let (since, until) = ("2026-11-24T00:00:06Z".parse().unwrap(), "2026-11-24T01:00:07+01:00".parse().unwrap());
    let (sound, said) = recording(RECORDING, Wanted { since: Some(since), until: Some(until), ..Wanted::default() });
    assert!(sound, "{said}");
    let titles: Vec<&str> = said.lines().filter(|line| line.contains(" from the ")).collect();
    assert_eq!(titles.len(), 3, "{said}");
}

/// Damage is named with its line, and the rest is explained all the same; bytes that were no frame are no sound recording.
#[test]
fn a_damaged_recording_is_explained_as_far_as_it_goes() {
    let damaged = RECORDING
        .replace("2026-11-23T23:59:58.002400Z 1 terminal AA 02 3C 24 0C", "2026-11-23T23:59:58.002400Z 1 terminal AA 02 3C");
    let (sound, said) = recording(&damaged, Wanted { dialogue: true, ..Wanted::default() });
    assert!(!sound);
    let complaint = "line 4 is damaged: the frame has 3 bytes, but by its length 5: the line was cut off or changed\n";
    assert!(said.contains(complaint) && said.contains("Session Approved: session id 11"), "{said}");

    let noisy = format!("{RECORDING}2026-11-24T00:04:00Z 2 noise 9 checksum AA 06 3C 31\n");
    let (sound, said) = recording(&noisy, Wanted { dialogue: true, ..Wanted::default() });
    assert!(!sound && said.contains("9 bytes that were no frame (checksum): AA 06 3C 31\n"), "{said}");

    // Even when its beginning is gone, and the rest is no text.
    let mut torn = vec![0xFF, 0xFE, b'\n'];
    torn.extend(RECORDING.lines().nth(2).unwrap().as_bytes());
    let mut out = Vec::new();
    let wanted = Wanted { dialogue: true, ..Wanted::default() };
    let source = Box::new(io::Cursor::new(torn));
    assert!(!run_source("This".to_owned(), source, Vec::new(), None, &wanted, &mut out).unwrap());
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("line 1 is damaged: it does not begin with a time") && said.contains("Synchronize\n"), "{said}");
}

/// What comes over stdin is recognised; hex is still hex, but there is no dialogue in it.
#[test]
fn hex_and_recordings_are_told_apart() {
    let (sound, said) = recording("AA 02 3C 24 0C\nCC 02 3C 24 2E\n", Wanted::default());
    assert!(sound && said.starts_with("Synchronize Response (24) from the terminal"), "{said}");
    let (sound, said) = recording("AA 02 3C 24 0C\n", Wanted { dialogue: true, ..Wanted::default() });
    assert_eq!((sound, said.as_str()), (false, "This is no recording, so there is no dialogue in it\n"));
    assert!(!recording("", Wanted::default()).0);
}
