//! `quittance decode`: explains frames, and recordings of them.

pub mod recording;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use recording::Wanted;

use crate::protocol::Direction;
use crate::protocol::trace;

/// Explains the frames in these texts, which hold bytes in hex, and says whether all of them are sound.
///
/// A text may hold several frames; blanks, commas and `0x` are ignored. Texts of one byte each (`AA 03 3C …` as separate
/// arguments) are put together; otherwise a frame ends with its text, so that a bad one does not spoil the next.
pub fn run(from: Option<Direction>, input: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<bool> {
    let mut explainer = Explainer { from, out, sound: true, any: false };
    let mut single = Vec::new();
    for text in input {
        match parse_hex(&text) {
            Ok(bytes) if bytes.len() == 1 => single.extend(bytes),
            Ok(bytes) => {
                explainer.explain(&std::mem::take(&mut single))?;
                explainer.explain(&bytes)?;
            }
            Err(error) => {
                explainer.explain(&std::mem::take(&mut single))?;
                explainer.complain(&error)?;
            }
        }
    }
    explainer.explain(&single)?;
    if !explainer.any {
        explainer.complain("There is no frame to explain")?;
    }
    Ok(explainer.sound)
}

/// Explains what a file holds: a recording, for which the older parts beside it are read first, or bytes in hex.
pub fn run_file(path: &Path, wanted: &Wanted, out: &mut dyn Write) -> io::Result<bool> {
    let mut parts: Vec<(String, Box<dyn BufRead>)> = Vec::new();
    for part in crate::recorder::parts(path) {
        match File::open(&part) {
            Ok(file) => parts.push((part.display().to_string(), Box::new(BufReader::new(file)))),
            Err(error) => {
                writeln!(out, "{}: cannot be read: {error}", part.display())?;
                return Ok(false);
            }
        }
    }
    match parts.pop() {
        Some((name, newest)) => run_source(name, newest, parts, None, wanted, out),
        None => Ok(false),
    }
}

/// Explains what comes from somewhere: a recording, or bytes in hex. `older` are the earlier parts of the recording.
pub fn run_source(
    name: String,
    mut source: Box<dyn BufRead>,
    older: Vec<(String, Box<dyn BufRead>)>,
    from: Option<Direction>,
    wanted: &Wanted,
    out: &mut dyn Write,
) -> io::Result<bool> {
    if recording::is_recording(&mut source)? {
        let parts = older.into_iter().chain([(name, source)]).collect();
        return recording::run(parts, wanted, out);
    }
    if wanted.dialogue {
        writeln!(out, "{name} is no recording, so there is no dialogue in it")?;
        return Ok(false);
    }
    // A line that is no text is no hex, either.
    let text = source.split(b'\n').map_while(Result::ok).map(|line| String::from_utf8_lossy(&line).into_owned());
    run(from, text, out)
}

struct Explainer<'a> {
    from: Option<Direction>,
    out: &'a mut dyn Write,
    sound: bool,
    any: bool,
}

impl Explainer<'_> {
    fn explain(&mut self, bytes: &[u8]) -> io::Result<()> {
        for explanation in trace::explain(self.from, bytes) {
            write!(self.out, "{explanation}")?;
            self.sound &= explanation.sound;
            self.any = true;
        }
        Ok(())
    }

    fn complain(&mut self, what: &str) -> io::Result<()> {
        (self.sound, self.any) = (false, true);
        writeln!(self.out, "{what}")
    }
}

/// The bytes of a text in hex, or what is wrong with it.
fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in text.split(|character: char| character.is_whitespace() || character == ',').filter(|word| !word.is_empty()) {
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        if let Some(wrong) = digits.chars().find(|digit| !digit.is_ascii_hexdigit()) {
            return Err(format!("This is not hex: {wrong:?} in {word:?}"));
        }
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.is_empty() {
            return Err(format!("Bytes have two hex digits each, but {word:?} has {}", digits.len()));
        }
        for pair in pairs {
            let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
            bytes.push(nibble(pair[0]) << 4 | nibble(pair[1]));
        }
    }
    Ok(bytes)
}
