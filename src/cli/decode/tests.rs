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
