//! The power fails, too: what was not synced may be lost, in any part, and not only all of it (`durable.rs`). SQLite begins a
//! transaction only when the one before it is synced, so the only thing that the disk may have in pieces is the last one in the
//! write-ahead log, and that only if nobody has acted on it: then it may not have been synced. (SQLite, Database File Format,
//! section 4.)

use std::fs;
use std::path::{Path, PathBuf};

use quittance::journal::verify::verify;
use rand::RngExt;
use rand::rngs::StdRng;

use super::super::rig::Rig;
use super::audit::{Remains, Told};

const HEADER: usize = 32;
const FRAME: usize = 24;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// The log of a dead process.
struct Log {
    bytes: Vec<u8>,
    /// Where its whole transactions end, the first entry being where they begin.
    ends: Vec<usize>,
    /// Where the frames of this round end.
    end: usize,
}

/// Tears the end of the log off or to pieces, if there is anything that may be lost; says whether.
pub(super) fn tear(rig: &Rig, remains: &Remains, told: &Told, random: &mut StdRng) -> bool {
    try_to_tear(rig, remains, told, random).is_some()
}

fn try_to_tear(rig: &Rig, remains: &Remains, told: &Told, random: &mut StdRng) -> Option<()> {
    let path = beside(rig.journal(), "-wal");
    let mut log = Log::parse(fs::read(&path).ok()?)?;
    let whole = *log.ends.last()?;
    let (begin, end) = if log.end > whole {
        (whole, log.end)
    } else {
        let before = *log.ends.iter().rev().nth(1)?;
        let cost = remains.records.len() - records_without(rig, &log.bytes[..before]);
        if !remains.unnoticed(cost, rig, told) {
            return None;
        }
        (before, whole)
    };
    if random.random_bool(0.5) {
        log.bytes.truncate(random.random_range(begin..end));
    } else {
        // Sectors reach the disk in any order; the one with the end of the transaction is among those that do not.
        log.bytes.truncate(end);
        let mut at = begin;
        while at < end {
            let next = (at / SECTOR + 1) * SECTOR;
            if random.random_bool(0.5) || next >= end {
                log.bytes[at..next.min(end)].fill(0xFF);
            }
            at = next;
        }
    }
    fs::write(&path, &log.bytes).unwrap();
    Some(())
}

/// How many records there are with this log.
fn records_without(rig: &Rig, log: &[u8]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("journal.db");
    fs::copy(rig.journal(), &copy).unwrap();
    fs::write(beside(&copy, "-wal"), log).unwrap();
    verify(&copy, |records| Ok(records.count())).unwrap().1
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

impl Log {
    /// None when there is no log.
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let word = |at: usize| bytes.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let page = usize::try_from(word(8)?).unwrap();
        let big_endian = word(0)? & 1 != 0;
        let mut sums = checksum((0, 0), &bytes[..24], big_endian);
        if sums != (word(24)?, word(28)?) {
            return None;
        }
        let (mut ends, mut end) = (vec![HEADER], HEADER);
        let mut whole = true;
        while let Some(frame) = bytes.get(end..end + FRAME + page).filter(|frame| frame[8..16] == bytes[16..24]) {
            sums = checksum(checksum(sums, &frame[..8], big_endian), &frame[FRAME..], big_endian);
            whole &= sums == (word(end + 16)?, word(end + 20)?);
            end += frame.len();
            if whole && word(end - frame.len() + 4)? != 0 {
                ends.push(end);
            }
        }
        Some(Self { bytes, ends, end })
    }
}

fn checksum(mut sums: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let number = |word: &[u8]| {
        let word = word.try_into().unwrap();
        if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for pair in bytes.chunks_exact(8) {
        sums.0 = sums.0.wrapping_add(number(&pair[..4])).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(number(&pair[4..])).wrapping_add(sums.0);
    }
    sums
}
