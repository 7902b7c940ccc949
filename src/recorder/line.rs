//! The file format of recordings.
//!
//! A recording is text, and every line can be read, cut out and sent around alone. A part of one begins with a header; a line
//! that begins with `#` and is no header is a remark of somebody's.
//!
//! ```text
//! # quittance-frames 1 terminal=bay-01 family=apollo cards=masked part=begun
//! 2026-11-23T15:23:39.123456Z 12 opened tcp 10.1.0.11:3201
//! 2026-11-23T15:23:39.124011Z 12 host CC 02 3C 24 2E
//! 2026-11-23T15:23:39.131870Z 12 terminal AA 02 3C 24 0C
//! 2026-11-23T15:24:02.000913Z 12 terminal masked AA 3D 3C 34 3A DF F0 06 28 2A 2A …
//! 2026-11-23T15:24:02.700000Z 12 terminal unread 17 AA 0E 3C 99
//! 2026-11-23T15:24:03.100000Z 12 noise 9 checksum AA 06 3C 31
//! 2026-11-23T15:24:05.200000Z 12 host cut 4 of 13
//! 2026-11-23T15:24:05.200100Z 12 lost the other side closed the link, or the device was unplugged
//! 2026-11-23T15:24:09.000000Z 12 gap 31 the disk was not fast enough
//! └ when, in UTC              │  └ what
//!                             └ which link of this run of the program: 1 is the first
//! ```
//!
//! | what | means |
//! |---|---|
//! | `opened` | the wire is open; where to |
//! | `host`, `terminal` | a frame, and who sent it. `masked`: card data in it is overwritten, lengths are kept and the checksum is made right |
//! | `… unread` | a sound frame that nobody understands, in a masked recording: its size and its bytes up to the code |
//! | `noise` | bytes that were no frame: how many, what was wrong, and the bytes; masked, only what looks like the head of a frame |
//! | `host cut` | the link was lost when so many bytes of a frame had left |
//! | `lost` | the link is gone, or could not be opened; why |
//! | `gap` | so many lines are missing here; why |
//!
//! `part=begun` is written when a recording is begun or taken up again, `part=continued` when a part is full.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::id::TerminalId;
use crate::protocol::{Direction, Family};

use super::Cards;

/// What a header begins with, before the version.
pub const MAGIC: &str = "# quittance-frames ";

/// The version that is written, and read.
const VERSION: &str = "1";

/// A moment in UTC, to the microsecond. Written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        let nanos = i128::from(self.0).saturating_mul(1000);
        let text = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|moment| moment.format(format).ok());
        f.write_str(text.as_deref().unwrap_or("9999-12-31T23:59:59.999999Z"))
    }
}

impl FromStr for Moment {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| LineError::Time)?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).map(Self).map_err(|_| LineError::Time)
    }
}

/// The first line of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose frames these are.
    pub terminal: TerminalId,
    /// Its family.
    pub family: Family,
    /// What was done with card data.
    pub cards: Cards,
    /// The recording was begun here, and not only this part of it.
    pub begun: bool,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, cards) = (self.family.as_str(), self.cards.as_str());
        let part = if self.begun { "begun" } else { "continued" };
        write!(f, "{MAGIC}{VERSION} terminal={} family={family} cards={cards} part={part}", self.terminal)
    }
}

/// Something that happened on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Moment,
    /// On which link.
    pub link: u64,
    /// What.
    pub event: Event,
}

/// What can happen on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The wire is open.
    Opened(String),
    /// A frame has crossed it.
    Frame {
        /// Who sent it.
        from: Direction,
        /// Card data in it is overwritten.
        masked: bool,
        /// The whole frame.
        bytes: Vec<u8>,
    },
    /// A sound frame that nobody understands, so all of it may be card data.
    Unread {
        /// Who sent it.
        from: Direction,
        /// How many bytes it has.
        size: usize,
        /// Up to its code.
        head: Vec<u8>,
    },
    /// Bytes came that were no frame.
    Noise {
        /// How many.
        size: usize,
        /// What was wrong with the first of them, in a word.
        why: String,
        /// What may be kept of them.
        bytes: Vec<u8>,
    },
    /// A frame of ours had left in part when the link was lost.
    Cut {
        /// So many bytes had left.
        left: usize,
        /// So many it has.
        size: usize,
    },
    /// The link is gone.
    Lost(String),
    /// Lines are missing.
    Gap {
        /// How many.
        lines: u64,
        /// Why.
        why: String,
    },
}

/// What a line of a recording can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A part begins.
    Header(Header),
    /// Something happened.
    Line(Line),
    /// A remark, or nothing.
    Remark,
}

/// Why a text is no line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The header is of a version that is not known.
    #[error("this part has the version {0:?}, and only version {VERSION} can be read")]
    Version(String),
    /// A header lacks something.
    #[error("the header says nothing that can be used as its {0}")]
    Header(&'static str),
    /// It does not begin with a time.
    #[error("it does not begin with a time such as 2026-11-23T15:23:39.123456Z")]
    Time,
    /// The number of the link is missing.
    #[error("after the time there is no number of a link")]
    Link,
    /// What happened is missing or not known.
    #[error("{0:?} is nothing that can happen on a wire")]
    What(String),
    /// Numbers are missing.
    #[error("a number is missing after {0:?}")]
    Number(&'static str),
    /// Bytes are no bytes.
    #[error("{0:?} is no byte in two hex digits")]
    Hex(String),
    /// A frame ends early, as when a line was cut off.
    #[error("the frame has {came} bytes, but by its length {whole}: the line was cut off or changed")]
    Size {
        /// How many there are.
        came: usize,
        /// How many there should be.
        whole: u64,
    },
}

const fn name(from: Direction) -> &'static str {
    match from {
        Direction::FromHost => "host",
        Direction::FromTerminal => "terminal",
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.at, self.link)?;
        match &self.event {
            Event::Opened(place) => write!(f, "opened {}", plain(place)),
            Event::Frame { from, masked, bytes } => {
                f.write_str(name(*from))?;
                f.write_str(if *masked { " masked" } else { "" })?;
                hex(f, bytes)
            }
            Event::Unread { from, size, head } => {
                write!(f, "{} unread {size}", name(*from))?;
                hex(f, head)
            }
            Event::Noise { size, why, bytes } => {
                write!(f, "noise {size} {why}")?;
                hex(f, bytes)
            }
            Event::Cut { left, size } => write!(f, "host cut {left} of {size}"),
            Event::Lost(why) => write!(f, "lost {}", plain(why)),
            Event::Gap { lines, why } => write!(f, "gap {lines} {}", plain(why)),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, " {byte:02X}"))
}

/// A text that stays on its line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        // Writing to a String cannot fail.
        let _ = plain.write_char(if character.is_control() { ' ' } else { character });
    }
    plain
}

impl FromStr for Text {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let text = text.trim_end();
        if let Some(header) = text.strip_prefix(MAGIC) {
            return header_of(header).map(Self::Header);
        }
        if text.is_empty() || text.starts_with('#') {
            return Ok(Self::Remark);
        }
        let (at, rest) = text.split_once(' ').ok_or(LineError::Time)?;
        let at = at.parse()?;
        let (link, rest) = rest.split_once(' ').ok_or(LineError::Link)?;
        let link = link.parse().map_err(|_| LineError::Link)?;
        Ok(Self::Line(Line { at, link, event: event_of(rest)? }))
    }
}

fn header_of(text: &str) -> Result<Header, LineError> {
    let mut words = text.split_ascii_whitespace();
    let version = words.next().unwrap_or_default();
    if version != VERSION {
        return Err(LineError::Version(version.to_owned()));
    }
    let pairs: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
    let get = |key: &str| pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let terminal = get("terminal").and_then(|id| id.parse().ok()).ok_or(LineError::Header("terminal"))?;
    let family = [Family::Apollo, Family::P6x].into_iter().find(|family| get("family") == Some(family.as_str()));
    let cards = [Cards::Masked, Cards::Clear].into_iter().find(|cards| get("cards") == Some(cards.as_str()));
    Ok(Header {
        terminal,
        family: family.ok_or(LineError::Header("family"))?,
        cards: cards.ok_or(LineError::Header("cards"))?,
        begun: get("part") == Some("begun"),
    })
}

fn event_of(text: &str) -> Result<Event, LineError> {
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    let from = match what {
        "opened" => return Ok(Event::Opened(rest.to_owned())),
        "lost" => return Ok(Event::Lost(rest.to_owned())),
        "gap" => {
            let (lines, why) = rest.split_once(' ').unwrap_or((rest, ""));
            let lines = lines.parse().map_err(|_| LineError::Number("gap"))?;
            return Ok(Event::Gap { lines, why: why.to_owned() });
        }
        "noise" => {
            let mut words = rest.split_ascii_whitespace();
            let size = words.next().and_then(|size| size.parse().ok()).ok_or(LineError::Number("noise"))?;
            let why = words.next().unwrap_or_default().to_owned();
            return Ok(Event::Noise { size, why, bytes: bytes_of(words)? });
        }
        "host" => Direction::FromHost,
        "terminal" => Direction::FromTerminal,
        _ => return Err(LineError::What(what.to_owned())),
    };
    let mut words = rest.split_ascii_whitespace().peekable();
    match words.peek().copied() {
        Some("cut") => {
            let mut numbers = words.filter_map(|word| word.parse().ok());
            let (left, size) = (numbers.next(), numbers.next());
            let (Some(left), Some(size)) = (left, size) else { return Err(LineError::Number("cut")) };
            Ok(Event::Cut { left, size })
        }
        Some("unread") => {
            words.next();
            let size = words.next().and_then(|size| size.parse().ok()).ok_or(LineError::Number("unread"))?;
            Ok(Event::Unread { from, size, head: bytes_of(words)? })
        }
        word => {
            let masked = word == Some("masked");
            if masked {
                words.next();
            }
            let bytes = bytes_of(words)?;
            check_size(&bytes)?;
            Ok(Event::Frame { from, masked, bytes })
        }
    }
}

/// A line can lose its end and still be bytes.
fn check_size(frame: &[u8]) -> Result<(), LineError> {
    let field = if frame.get(1) == Some(&0) { frame.get(1..5) } else { frame.get(1..2) };
    let came = frame.len();
    let Some(field) = field else { return Err(LineError::Size { came, whole: 5 }) };
    let length = field.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    let whole = 1 + field.len() as u64 + length + 1;
    if whole == came as u64 { Ok(()) } else { Err(LineError::Size { came, whole }) }
}

fn bytes_of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, LineError> {
    let byte = |word: &str| {
        let digits = word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = if digits { u8::from_str_radix(word, 16).ok() } else { None };
        // What is no byte may be very long.
        byte.ok_or_else(|| LineError::Hex(word.chars().take(8).collect()))
    };
    words.map(byte).collect()
}
