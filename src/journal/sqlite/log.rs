//! The write-ahead log as SQLite finds it after a crash. SQLite takes it up to the last transaction that is whole and is
//! silent about the rest; we want to say what the rest was. (SQLite, Database File Format, section 4.)
//!
//! ```text
//!  0: magic | version | page size | number | salt 1 | salt 2 | sum 1 | sum 2          then frames:
//!     page | size after a commit, or 0 | salt 1 | salt 2 | sum 1 | sum 2 | the page   sums run on over all frames
//! ```

use std::fs;
use std::io::{self, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// Set in the magic when the sums are over big-endian words.
const BIG_ENDIAN: u32 = 1;
const MAGIC: u32 = 0x377F_0682;

/// SQLite's own limits.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 512..=65_536;

/// What lies behind the last transaction that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing of this log.
    Nothing,
    /// One transaction that was being written when the power went: nobody was told that it is durable.
    Torn,
    /// A broken place with more than one transaction behind it. Each is synced before the next is begun, so all but the last
    /// had been told durable: they are lost.
    Lost,
}

/// Reads a log that nobody has open.
pub(super) fn rest(path: &Path) -> io::Result<Rest> {
    let mut file = match fs::File::open(path) {
        Ok(file) => io::BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Rest::Nothing),
        Err(error) => return Err(error),
    };
    let mut header = [0; HEADER];
    if fill(&mut file, &mut header)? < HEADER {
        return Ok(Rest::Nothing);
    }
    let big_endian = word(&header, 0) & BIG_ENDIAN != 0;
    let mut sums = checksum((0, 0), &header[..24], big_endian);
    let whole_header = word(&header, 0) & !BIG_ENDIAN == MAGIC && sums == (word(&header, 24), word(&header, 28));
    let page = usize::try_from(word(&header, 8)).unwrap_or(0);
    if !PAGE_SIZES.contains(&page) || !page.is_power_of_two() {
        return Ok(if fill(&mut file, &mut header)? > 0 { Rest::Lost } else { Rest::Nothing });
    }
    // A broken header leaves the salts of the first frame to go by.
    let mut salts = whole_header.then(|| header[16..24].to_vec());
    let mut broken = !whole_header;
    let mut pending = false;
    let mut commits_behind = 0_u32;
    let mut frame = vec![0; FRAME + page];
    loop {
        let read = fill(&mut file, &mut frame)?;
        if read < FRAME || frame[8..16] != *salts.get_or_insert_with(|| frame[8..16].to_vec()) {
            // The end, or what an earlier round has left behind.
            break;
        }
        let commit = word(&frame, 4) != 0;
        if !broken && read == frame.len() {
            let next = checksum(checksum(sums, &frame[..8], big_endian), &frame[FRAME..], big_endian);
            broken = next != (word(&frame, 16), word(&frame, 20));
            sums = next;
        } else {
            broken = true;
        }
        pending = broken || !commit;
        if broken && commit {
            commits_behind += 1;
        }
        if read < frame.len() {
            break;
        }
    }
    Ok(match (pending, commits_behind) {
        (false, _) => Rest::Nothing,
        (true, 0 | 1) => Rest::Torn,
        (true, _) => Rest::Lost,
    })
}

/// Takes off what lies behind the first `frames` frames, durably. Needs no space.
pub(super) fn cut(path: &Path, frames: u64, page: u64) -> io::Result<()> {
    let whole = frames.saturating_mul(page.saturating_add(FRAME as u64)).saturating_add(HEADER as u64);
    let file = fs::File::options().write(true).open(path)?;
    if file.metadata()?.len() > whole {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn checksum(mut sums: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let number = |word: [u8; 4]| if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
    for pair in bytes.chunks_exact(8) {
        let (first, second) = ([pair[0], pair[1], pair[2], pair[3]], [pair[4], pair[5], pair[6], pair[7]]);
        sums.0 = sums.0.wrapping_add(number(first)).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(number(second)).wrapping_add(sums.0);
    }
    sums
}
