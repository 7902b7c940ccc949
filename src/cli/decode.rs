//! `quittance decode`: explains frames.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

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
