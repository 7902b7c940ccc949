//! The files of one recording: a ring of parts, never larger than agreed.
//!
//! ```text
//!   bay-01.psp      bay-01.psp.1     bay-01.psp.2     bay-01.psp.3
//!   is written  ──► full      ──►    ──►              ──► deleted
//! ```
//!
//! A full part is renamed, so the newest always has the configured name. Parts of an earlier run are taken over as they are;
//! the oldest go when the size was made smaller meanwhile.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::line::{Header, MAGIC};

/// So many parts there are at most: of what fits, at least three quarters are there at any time.
const PARTS: usize = 4;

/// Recordings are for their owner only: even masked they tell who bought what and when.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A recording that is open.
pub(super) struct Ring {
    path: PathBuf,
    size: u64,
    header: Header,
    file: File,
    /// The part that is written first, then the older ones.
    lengths: Vec<u64>,
}

impl Ring {
    /// Takes up the recording at this path, or begins one.
    pub(super) fn open(path: &Path, size: u64, header: Header) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        }
        let (file, length) = open_part(path)?;
        let mut lengths = vec![length];
        for number in 1..PARTS {
            let Ok(found) = fs::metadata(part(path, number)) else { break };
            lengths.push(found.len());
        }
        let mut ring = Self { path: path.to_owned(), size, header, file, lengths };
        ring.shrink(0)?;
        if ring.lengths[0] > size {
            ring.turn()?;
        }
        let begun = ring.header_line(true);
        ring.write(&begun)?;
        Ok(ring)
    }

    /// Writes whole lines at the end. When that fails, nothing of them is left.
    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        // Somebody may have moved the file away, or deleted it.
        if self.file.metadata()?.nlink() == 0 || !self.path.exists() {
            let (file, length) = open_part(&self.path)?;
            (self.file, self.lengths[0]) = (file, length);
            let begun = self.header_line(true);
            self.write(&begun)?;
        }
        if self.lengths[0] + lines.len() as u64 > self.size / PARTS as u64 {
            self.turn()?;
            let continued = self.header_line(false);
            self.write(&continued)?;
        }
        self.write(lines)
    }

    fn header_line(&self, begun: bool) -> String {
        format!("{}\n", Header { begun, ..self.header.clone() })
    }

    fn write(&mut self, lines: &str) -> io::Result<()> {
        let more = lines.len() as u64;
        if more > self.size / PARTS as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a line is larger than a part of the recording may be"));
        }
        self.shrink(more)?;
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            // Half a line would spoil the next one. Taking away needs no room, so this works on a full disk.
            self.file.set_len(self.lengths[0])?;
            return Err(error);
        }
        self.lengths[0] += more;
        Ok(())
    }

    /// Makes room for so many bytes more, at the cost of the oldest parts.
    fn shrink(&mut self, more: u64) -> io::Result<()> {
        while self.lengths.len() > 1 && self.lengths.iter().sum::<u64>() + more > self.size {
            delete(&part(&self.path, self.lengths.len() - 1))?;
            self.lengths.pop();
        }
        Ok(())
    }

    /// Begins a new part.
    fn turn(&mut self) -> io::Result<()> {
        if self.lengths.len() == PARTS {
            delete(&part(&self.path, PARTS - 1))?;
            self.lengths.pop();
        }
        for number in (0..self.lengths.len()).rev() {
            fs::rename(part(&self.path, number), part(&self.path, number + 1))?;
        }
        let (file, length) = open_part(&self.path)?;
        self.file = file;
        self.lengths.insert(0, length);
        self.shrink(0)
    }
}

/// The files of the recording at this path that are there, oldest first.
pub fn parts(path: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = every_part(path).skip(1).filter(|path| path.is_file()).collect();
    parts.reverse();
    parts.push(path.to_owned());
    parts
}

/// Every file that the recording at this path may have, newest first.
pub fn every_part(path: &Path) -> impl Iterator<Item = PathBuf> {
    (0..PARTS).map(move |number| part(path, number))
}

/// Part 0 is the one that is written.
fn part(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Opens a part for writing at its end. A line that an earlier run left unfinished goes.
fn open_part(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
    }
    let length = found.len();
    if length > 0 {
        let mut start = vec![0; MAGIC.len()];
        let recording = file.read_exact(&mut start).is_ok() && start == MAGIC.as_bytes();
        if !recording {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no recording; it is left alone"));
        }
    }
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    Ok((file, whole))
}

/// How many bytes the whole lines at the beginning have.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let Ok(size) = usize::try_from(end - begin) else { return Ok(0) };
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut block[..size])?;
        if let Some(at) = block[..size].iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
