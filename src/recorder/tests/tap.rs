use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::{all, dropped, metrics, recording};
use crate::protocol::Direction;
use crate::recorder::line::Moment;
use crate::recorder::writer::Writer;
use crate::recorder::{Cards, Entry, QUEUED_BYTES, Recording, Tap, What};
use crate::time::{Clock, Timestamp};

const SYNCHRONIZE: [u8; 5] = [0xCC, 0x02, 0x3C, 0x24, 0x2E];
const ECHO: [u8; 5] = [0xAA, 0x02, 0x3C, 0x24, 0x0C];

fn tap(recording: &Arc<Recording>, queue: usize) -> (Tap, Receiver<Entry>) {
    let (queue, entries) = sync_channel(queue);
    // 2026-11-23T15:23:39Z, and a clock that stands still.
    let clock = Clock::starting_at(Timestamp::from_unix_millis(1_795_447_419_000));
    (Tap { clock, recording: Arc::clone(recording), queue, link: 1, pending: Vec::new(), noise: None }, entries)
}

/// Runs with a clock that stands still.
fn paused(test: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { test() });
}

fn lines(path: &std::path::Path) -> Vec<String> {
    all(path).lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// What came is told apart into frames and noise as the decoder saw it, and noise that trickles in is one line.
#[test]
fn frames_and_noise_are_told_apart() {
    paused(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bay-01.psp");
        let recording = recording(&path, 1 << 20, Cards::Clear, &metrics());
        let (mut tap, entries) = tap(&recording, 100);
        tap.opened("memory".into());
        tap.sent(&SYNCHRONIZE);
        tap.came(&[0x55]);
        tap.noise(1, "preamble");
        tap.came(&[0x56, 0x57]);
        tap.came(&ECHO);
        tap.frame(7, 5);
        tap.came(&ECHO[..3]);
        tap.cut(2, 13);
        tap.lost("unplugged".into());
        drop(tap);
        let mut writer = Writer::new(recording);
        entries.iter().for_each(|entry| writer.take(entry));
        writer.end();
        let expected = [
            "1 opened memory",
            "1 host CC 02 3C 24 2E",
            "1 noise 3 preamble 55 56 57",
            "1 terminal AA 02 3C 24 0C",
            "1 host cut 2 of 13",
            "1 noise 3 incomplete AA 02 3C",
            "1 lost unplugged",
        ];
        assert_eq!(lines(&path), expected);
        assert!(all(&path).contains("\n2026-11-23T15:23:39.000000Z 1 opened memory\n"));
    });
}

/// Noise may be a Card Read with one wrong bit: of it only what looks like a head is kept.
#[test]
fn noise_is_masked() {
    paused(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bay-01.psp");
        let recording = recording(&path, 1 << 20, Cards::Masked, &metrics());
        let (mut tap, entries) = tap(&recording, 100);
        tap.came(b"\xAA\x08\x3C\x34SECRET\x00");
        tap.noise(11, "checksum");
        tap.sent(&SYNCHRONIZE);
        tap.came(b"SECRET");
        tap.noise(6, "preamble");
        tap.lost("unplugged".into());
        drop(tap);
        let mut writer = Writer::new(recording);
        entries.iter().for_each(|entry| writer.take(entry));
        let expected = ["1 noise 11 checksum AA 08 3C 34", "1 host CC 02 3C 24 2E", "1 noise 6 preamble", "1 lost unplugged"];
        assert_eq!(lines(&path), expected);
    });
}

/// A writer that does not keep up costs lines, which are counted and marked, and never holds up a link.
#[test]
fn what_does_not_fit_is_counted_and_marked() {
    paused(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bay-01.psp");
        let metrics = metrics();
        let recording = recording(&path, 1 << 20, Cards::Masked, &metrics);
        let (mut tap, entries) = tap(&recording, 2);
        (0..5).for_each(|_| tap.sent(&SYNCHRONIZE));
        assert_eq!(dropped(&metrics), 3);
        let mut writer = Writer::new(Arc::clone(&recording));
        writer.take(entries.recv().unwrap());
        writer.take(entries.recv().unwrap());
        tap.sent(&SYNCHRONIZE);
        writer.take(entries.recv().unwrap());
        let frame = "1 host CC 02 3C 24 2E";
        assert_eq!(lines(&path), [frame, frame, "1 gap 3 the disk was not fast enough", frame]);
        // The last ones are missed with nothing after them.
        (0..4).for_each(|_| tap.sent(&SYNCHRONIZE));
        drop(tap);
        entries.iter().for_each(|entry| writer.take(entry));
        writer.end();
        assert_eq!(lines(&path)[4..], [frame, frame, "1 gap 2 the disk was not fast enough"]);
        assert_eq!(dropped(&metrics), 5);
    });
}

/// However many entries may wait, their bytes are bounded, too.
#[test]
fn what_waits_is_bounded_in_bytes() {
    paused(|| {
        let folder = tempfile::tempdir().unwrap();
        let metrics = metrics();
        let recording = recording(&folder.path().join("bay-01.psp"), 1 << 20, Cards::Masked, &metrics);
        let (mut tap, entries) = tap(&recording, 8192);
        let large = vec![0; 64 * 1024];
        (0..100).for_each(|_| tap.sent(&large));
        let waiting: usize = entries.try_iter().map(|entry| entry.what.size()).sum();
        assert!(waiting <= QUEUED_BYTES && waiting > QUEUED_BYTES / 2, "{waiting}");
        assert_eq!(dropped(&metrics), 97);
    });
}

/// A path that cannot be written costs lines and one look every ten seconds, until it can be written.
#[test]
fn a_path_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("frames");
    std::fs::write(&blocked, "a file where a folder should be").unwrap();
    let path = blocked.join("bay-01.psp");
    let metrics = metrics();
    let recording = recording(&path, 1 << 20, Cards::Masked, &metrics);
    let mut writer = Writer::new(Arc::clone(&recording));
    let entry = |second: i64| {
        let what = What::Frame { from: Direction::FromHost, bytes: SYNCHRONIZE.to_vec() };
        Entry { recording: Arc::clone(&recording), at: Moment(second * 1_000_000), link: 1, missed: 0, what }
    };
    (0..3).for_each(|second| writer.take(entry(second)));
    std::fs::remove_file(&blocked).unwrap();
    writer.take(entry(9));
    assert!(!blocked.exists(), "ten seconds are not over");
    writer.take(entry(10));
    assert_eq!(lines(&path), ["1 gap 4 File exists (os error 17)", "1 host CC 02 3C 24 2E"]);
    assert_eq!(dropped(&metrics), 4);
}
