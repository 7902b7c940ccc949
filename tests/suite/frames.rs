//! What a wire may do to frames, and what comes through. The promise for a serial wire, in full:
//!
//! 1. Garbage in front of frames costs none of them, unless a part of it, together with what follows, *is* a frame by every rule:
//!    length, checksum and, where they are known, preamble and magic. (One false beginning in 256 has the right checksum.)
//! 2. It may delay them: a false beginning is waited for, for at most the 258 bytes that a default block can have (65 553 in an
//!    extended block), or until the line falls silent.
//! 3. After a silence nothing is left of it, however bad it was: the next frame comes through, at once.
//!
//! On TCP the first fault ends the stream.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quittance::protocol::{BlockFormat, Discipline, Family, HostCodec, Request, Response, TerminalCodec};
use tokio_util::codec::{Decoder, Encoder as _};

use super::fuzzed::bodies::messages::{REQUESTS, RESPONSES, request, response};
use super::fuzzed::bodies::source::Source;

/// One direction of one wire.
#[derive(Clone, Copy, Debug)]
struct Way {
    family: Family,
    format: BlockFormat,
    to_host: bool,
}

/// A message in either direction.
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Request(Request),
    Response(Response),
}

/// A message and its frame.
#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    frame: Vec<u8>,
}

fn any_way() -> impl Strategy<Value = Way> {
    let formats = select(vec![BlockFormat::Default, BlockFormat::Extended]);
    (select(vec![Family::Apollo, Family::P6x]), formats, any::<bool>()).prop_map(|(family, format, to_host)| Way {
        family,
        format,
        to_host,
    })
}

/// Messages of every kind that fit into a frame of this way and leave its format as it is.
fn any_sent(way: Way) -> impl Strategy<Value = Sent> {
    (any::<u8>(), vec(any::<u8>(), 0..120)).prop_filter_map("it does not fit", move |(kind, values)| way.send(kind, &values))
}

fn way_and_frames(most: usize) -> impl Strategy<Value = (Way, Vec<Sent>)> {
    any_way().prop_flat_map(move |way| (Just(way), vec(any_sent(way), 1..most)))
}

/// Bytes of which many look like the beginning of a frame.
fn any_garbage() -> impl Strategy<Value = Vec<u8>> {
    let telling = select(vec![0xAA, 0xCC, 0x3C, 0x00, 0x01, 0x02, 0x03, 0x24, 0x34, 0x55]);
    vec(prop_oneof![1 => any::<u8>(), 1 => telling], 1..60)
}

impl Way {
    fn send(self, kind: u8, values: &[u8]) -> Option<Sent> {
        let mut source = Source::new(values);
        let (mut host, mut terminal) = (HostCodec::new(self.family, Discipline::Strict), self.terminal(Discipline::Strict));
        host.set_format(self.format);
        let mut frame = BytesMut::new();
        let message = if self.to_host {
            let response = response(kind % RESPONSES, self.family, &mut source);
            terminal.encode(&response, &mut frame).ok()?;
            Message::Response(response)
        } else {
            let request = request(kind % REQUESTS, &mut source);
            host.encode(&request, &mut frame).ok()?;
            Message::Request(request)
        };
        // These change the block format themselves, so what follows them would be another wire.
        let switches = match &message {
            Message::Response(response) => matches!(response, Response::Protocol(_)),
            Message::Request(request) => matches!(request, Request::Protocol(_) | Request::Reset),
        };
        (!switches).then(|| Sent { message, frame: frame.to_vec() })
    }

    fn terminal(self, discipline: Discipline) -> TerminalCodec {
        let mut terminal = TerminalCodec::new(self.family, discipline);
        terminal.set_format(self.format);
        terminal
    }

    fn receiver(self, discipline: Discipline) -> Receiver {
        let mut host = HostCodec::new(self.family, discipline);
        host.set_format(self.format);
        Receiver { way: self, host, terminal: self.terminal(discipline), buffer: BytesMut::new(), ended: false }
    }

    /// The largest frame.
    fn largest(self) -> usize {
        match self.format {
            BlockFormat::Default => 258,
            BlockFormat::Extended => 65_553,
        }
    }

    /// Whether these bytes begin with a frame by the rules that hold for every one (PSP, Frame format), written down a second
    /// time. Less is asked of a P6X, whose preamble and magic are not known beforehand.
    fn begins_with_a_frame(self, bytes: &[u8]) -> bool {
        let head = if self.format == BlockFormat::Default { 2 } else { 5 };
        let Some((field, body)) = bytes.get(1..head).zip(bytes.get(head..)) else { return false };
        let length = field.iter().fold(0usize, |length, byte| length * 256 + usize::from(*byte));
        if length < 2 || length >= body.len() {
            return false;
        }
        let preamble = if self.to_host { 0xAA } else { 0xCC };
        let known = self.family == Family::P6x || (bytes[0] == preamble && body[0] == 0x3C);
        let sum = bytes[..head + length].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        known && sum == bytes[head + length]
    }
}

/// The end of a wire.
struct Receiver {
    way: Way,
    host: HostCodec,
    terminal: TerminalCodec,
    buffer: BytesMut,
    /// The stream has ended with an error.
    ended: bool,
}

impl Receiver {
    /// Everything that comes out when these bytes come in.
    fn take(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.buffer.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            let next = if self.way.to_host {
                self.host.decode(&mut self.buffer).map(|next| next.map(|next| next.map(Message::Response)))
            } else {
                self.terminal.decode(&mut self.buffer).map(|next| next.map(|next| next.map(Message::Request)))
            };
            match next {
                Ok(None) => return messages,
                Ok(Some(item)) => messages.extend(item),
                Err(_) => {
                    self.ended = true;
                    return messages;
                }
            }
        }
    }

    fn silence(&mut self) -> Vec<Message> {
        let decoder = if self.way.to_host { self.host.decoder() } else { self.terminal.decoder() };
        decoder.line_fell_silent(&self.buffer);
        self.take(&[])
    }
}

fn messages(sent: &[Sent]) -> Vec<Message> {
    sent.iter().map(|sent| sent.message.clone()).collect()
}

fn bytes(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(|sent| sent.frame.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any split of the bytes gives the same messages, on any wire.
    #[test]
    fn a_split_changes_nothing((way, sent) in way_and_frames(6), cuts in vec(any::<Index>(), 0..12)) {
        let stream = bytes(&sent);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        for discipline in [Discipline::Strict, Discipline::Resynchronise] {
            let mut receiver = way.receiver(discipline);
            let got: Vec<Message> = cuts.windows(2).flat_map(|cut| receiver.take(&stream[cut[0]..cut[1]])).collect();
            prop_assert_eq!(&got, &messages(&sent));
            prop_assert!(receiver.buffer.is_empty() && !receiver.ended);
        }
    }

    /// Promise 1: garbage in front, or between, costs no frame.
    #[test]
    fn garbage_costs_no_frame((way, sent) in way_and_frames(6), garbage in any_garbage(), at in any::<Index>()) {
        let (before, after) = sent.split_at(at.index(sent.len()));
        let behind = [&garbage[..], &bytes(after)].concat();
        prop_assume!(!(0..garbage.len()).any(|at| way.begins_with_a_frame(&behind[at..])));
        let mut receiver = way.receiver(Discipline::Resynchronise);
        let mut got = receiver.take(&[&bytes(before)[..], &behind].concat());
        got.extend(receiver.silence());
        prop_assert_eq!(got, messages(&sent));
        prop_assert!(receiver.buffer.is_empty());
    }

    /// Promise 2: what delays a frame is no more than the largest frame.
    #[test]
    fn garbage_delays_no_longer_than_a_frame(way in any_way(), garbage in any_garbage()) {
        // A frame that is no beginning of a false one, over and over.
        let enable = Sent { message: Message::Request(Request::Enable), frame: Vec::new() };
        let cancelled = way.send(if way.to_host { 10 } else { 4 }, &[]).unwrap_or(enable);
        let repeats = way.largest().div_ceil(cancelled.frame.len()) + 2;
        let stream = [&garbage[..], &cancelled.frame.repeat(repeats)].concat();
        prop_assume!(!(0..garbage.len()).any(|at| way.begins_with_a_frame(&stream[at..])));
        let mut receiver = way.receiver(Discipline::Resynchronise);
        prop_assert_eq!(receiver.take(&stream).len(), repeats, "without a silence");
        prop_assert!(receiver.buffer.is_empty());
    }

    /// Promise 3: whatever came, a silence ends it.
    #[test]
    fn after_a_silence_the_next_frame_comes_through((way, sent) in way_and_frames(4), garbage in any_garbage(), noise in vec(any::<u8>(), 0..400)) {
        // A P6X that has shown its preamble and magic in two frames of garbage is expected to keep to them.
        prop_assume!(way.family == Family::Apollo || !(0..garbage.len()).any(|at| way.begins_with_a_frame(&garbage[at..])));
        let noise = if way.family == Family::Apollo { noise } else { Vec::new() };
        let mut receiver = way.receiver(Discipline::Resynchronise);
        receiver.take(&[&garbage[..], &noise].concat());
        receiver.silence();
        prop_assert!(receiver.buffer.is_empty());
        prop_assert_eq!(receiver.take(&bytes(&sent)), messages(&sent));
    }

    /// A frame with a lost, an added or a wrong byte takes no other with it, as promised for garbage.
    #[test]
    fn a_bad_frame_takes_no_other_with_it((way, sent) in way_and_frames(6), bad in any::<Index>(), at in any::<Index>(), how in 0..3, byte in 1u8..) {
        let bad = bad.index(sent.len());
        let mut damaged = sent[bad].frame.clone();
        let at = at.index(damaged.len());
        match how {
            0 => drop(damaged.remove(at)),
            1 => damaged.insert(at, byte),
            _ => damaged[at] = damaged[at].wrapping_add(byte),
        }
        let (before, after) = (&sent[..bad], &sent[bad + 1..]);
        let behind = [&damaged[..], &bytes(after)].concat();
        prop_assume!(!(0..damaged.len()).any(|at| way.begins_with_a_frame(&behind[at..])));
        let mut receiver = way.receiver(Discipline::Resynchronise);
        let mut got = receiver.take(&[&bytes(before)[..], &behind].concat());
        got.extend(receiver.silence());
        prop_assert_eq!(got, messages(&[before, after].concat()));

        // On TCP, nothing behind it is believed.
        let mut receiver = way.receiver(Discipline::Strict);
        let got = receiver.take(&[&bytes(before)[..], &behind].concat());
        prop_assert_eq!(got, messages(before));
        if receiver.ended {
            prop_assert_eq!(receiver.take(&bytes(after)), vec![]);
        }
    }
}
