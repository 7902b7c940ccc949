//! The decoder of frames, fed in pieces.

use bytes::BytesMut;
use quittance::protocol::frame::{Decoder, Settings};
use quittance::protocol::{BlockFormat, Direction, Discipline, Family, ProtocolError, Quirks};

use super::source::Source;
use super::within;

/// What came out. A frame is told by where it is, since its bytes are compared there and then.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Frame { ends: usize, size: usize },
    Error(ProtocolError),
}

/// The first bytes choose who sends, how, and where the stream is cut; the rest is the stream.
pub(crate) fn decoder(data: &[u8]) {
    let mut source = Source::new(data);
    let from = source.one_of(&[Direction::FromTerminal, Direction::FromHost]);
    let family = source.one_of(&[Family::Apollo, Family::P6x]);
    let format = source.one_of(&[BlockFormat::Default, BlockFormat::Extended]);
    let discipline = source.one_of(&[Discipline::Resynchronise, Discipline::Strict]);
    let settings = Settings { from, family, format, discipline, quirks: Quirks::of(family) };
    // A sound frame in front, so that the decoder knows where the next one begins.
    let in_step = source.yes();
    let cuts = [source.u8(), source.u8(), source.u8()];
    let silences = source.u8();
    let mut stream = if in_step { synchronize(from, format) } else { Vec::new() };
    stream.extend_from_slice(source.rest());

    let mut whole = Run::new(settings, &stream);
    whole.feed(stream.len());
    let mut pieces = Run::new(settings, &stream);
    pieces.feed_in_pieces(cuts, 0);
    // A serial stream whose very first frame is none that PSP knows is not waited for, so there a cut may matter.
    if in_step || discipline == Discipline::Strict {
        assert_eq!(whole.items, pieces.items, "a cut changes what comes out");
        assert_eq!(whole.buffer, pieces.buffer, "a cut changes what is left");
    }

    let mut interrupted = Run::new(settings, &stream);
    interrupted.feed_in_pieces(cuts, silences);
    interrupted.silence();
    if discipline == Discipline::Resynchronise {
        // However bad it was: after a silence the next frame is understood.
        assert!(interrupted.buffer.is_empty());
        let (preamble, magic) = interrupted.habit.unwrap_or((preamble_of(from), 0x3C));
        let next = frame(preamble, magic, 0x24, format);
        let mut buffer = BytesMut::from(&next[..]);
        let got = interrupted.decoder.decode(&mut buffer, |frame| (frame.code, frame.payload.len()));
        assert_eq!(got, Ok(Some((0x24, 0))));
    }
}

/// One decoder with its stream.
struct Run<'a> {
    settings: Settings,
    decoder: Decoder,
    stream: &'a [u8],
    fed: usize,
    buffer: BytesMut,
    items: Vec<Item>,
    broken: bool,
    /// Preamble and magic of the last frame.
    habit: Option<(u8, u8)>,
}

impl<'a> Run<'a> {
    fn new(settings: Settings, stream: &'a [u8]) -> Self {
        let (decoder, buffer) = (Decoder::new(settings), BytesMut::with_capacity(stream.len()));
        Self { settings, decoder, stream, fed: 0, buffer, items: Vec::new(), broken: false, habit: None }
    }

    fn feed_in_pieces(&mut self, cuts: [u8; 3], silences: u8) {
        for (turn, cut) in cuts.into_iter().cycle().enumerate() {
            if self.fed == self.stream.len() {
                return;
            }
            self.feed(usize::from(cut) + 1);
            if silences >> (turn % 8) & 1 == 1 {
                self.silence();
            }
        }
    }

    fn feed(&mut self, bytes: usize) {
        let end = self.stream.len().min(self.fed + bytes);
        self.buffer.extend_from_slice(&self.stream[self.fed..end]);
        self.fed = end;
        self.drain();
    }

    fn silence(&mut self) {
        self.decoder.line_fell_silent(&self.buffer);
        self.drain();
    }

    /// Takes out what there is. Each call takes at least a byte away, or is the last one; so there is an end.
    fn drain(&mut self) {
        loop {
            let before = self.buffer.len();
            let (decoder, buffer) = (&mut self.decoder, &mut self.buffer);
            // A few kinds of error are remembered, and nothing else.
            let got =
                within(256, || decoder.decode(buffer, |frame| (frame.preamble, frame.magic, frame.code, frame.payload.len())));
            match got {
                Ok(None) => break,
                Ok(Some((preamble, magic, code, payload))) => {
                    let (head, size) = (self.head(), self.head() + 2 + payload + 1);
                    let ends = self.fed - self.buffer.len();
                    // Garbage of a kind that was reported already goes with it.
                    assert!(before - self.buffer.len() >= size);
                    let bytes = &self.stream[ends - size..ends];
                    assert_eq!((bytes[0], bytes[head], bytes[head + 1]), (preamble, magic, code));
                    assert!(is_sound(bytes, head), "this is no frame: {bytes:02X?}");
                    self.habit = Some((preamble, magic));
                    self.items.push(Item::Frame { ends, size });
                }
                Err(error) if self.settings.discipline == Discipline::Strict => {
                    assert_eq!(self.buffer.len(), before);
                    assert!(error.breaks_framing());
                    if !self.broken {
                        self.items.push(Item::Error(error));
                    }
                    assert_eq!(self.items.last(), Some(&Item::Error(error)), "it was broken by another error");
                    self.broken = true;
                    return;
                }
                Err(error) => {
                    assert!(self.buffer.len() < before, "nothing was taken away");
                    assert!(error.breaks_framing() && self.decoder.resynchronised());
                    self.items.push(Item::Error(error));
                }
            }
        }
        assert!(!self.broken);
        // What waits is less than the largest frame.
        let largest = match self.settings.format {
            BlockFormat::Default => 1 + 1 + 255 + 1,
            BlockFormat::Extended => 1 + 4 + (2 + 4 + 4 + 2 + 0xFFFF) + 1,
        };
        assert!(self.buffer.len() < largest);
    }

    /// The bytes in front of the magic.
    fn head(&self) -> usize {
        match self.settings.format {
            BlockFormat::Default => 2,
            BlockFormat::Extended => 5,
        }
    }
}

/// PSP, Frame format, written down a second time.
fn is_sound(bytes: &[u8], head: usize) -> bool {
    let (sum, before) = bytes.split_last().unwrap();
    let length = before[1..head].iter().fold(0, |length, byte| length * 256 + usize::from(*byte));
    let total: usize = before.iter().map(|byte| usize::from(*byte)).sum();
    length == before.len() - head && total % 256 == usize::from(*sum)
}

fn preamble_of(from: Direction) -> u8 {
    match from {
        Direction::FromHost => 0xCC,
        Direction::FromTerminal => 0xAA,
    }
}

fn synchronize(from: Direction, format: BlockFormat) -> Vec<u8> {
    frame(preamble_of(from), 0x3C, 0x24, format)
}

/// A frame without payload.
fn frame(preamble: u8, magic: u8, code: u8, format: BlockFormat) -> Vec<u8> {
    let mut bytes = match format {
        BlockFormat::Default => vec![preamble, 2, magic, code],
        BlockFormat::Extended => vec![preamble, 0, 0, 0, 2, magic, code],
    };
    bytes.push(bytes.iter().fold(0, |sum, byte| byte.wrapping_add(sum)));
    bytes
}
