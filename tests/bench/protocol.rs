//! Frames: nanoseconds to decode and to encode one, beside a checksum pass over the same bytes, which is the least that either
//! must do. All three walk over the same buffer of frames laid end to end; putting the bytes there is not measured, since on a
//! wire the kernel does that. After each kind of frame a line says how many times as long as the checksum the two others took.
//!
//! What the factor consists of. The sum is summed up many bytes at a time, so it hardly grows with the frame. Decoding a small
//! frame is some eight times as long and still a few dozen nanoseconds: finding the frame (preamble, length, magic), reading
//! its fields and moving the buffer's beginning cost the same for every frame. Where there are data objects, what counts is
//! one allocation and one copy for each of them, and giving them back; a Card Read with two small ones has the largest factor.
//! In the largest frames the copies and allocations remain, for every 200 bytes one. Encoding copies, too, but into a buffer
//! that is already there, so it takes about half of that.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group};
use quittance::id::TerminalSessionId;
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::request::Request;
use quittance::protocol::response::{Response, Verdict};
use quittance::protocol::{BlockFormat, Discipline, Dol, Family, HostCodec, TerminalCodec, checksum};
use tokio_util::codec::{Decoder, Encoder};

criterion_group!(benches, frames);

/// How many bytes of frames lie end to end: more than the largest frame, less than a processor's cache.
const LAID_OUT: usize = 256 * 1024;

fn frames(criterion: &mut Criterion) {
    let commit = Request::CommitSession { session: TerminalSessionId(11), amount: Amount::from_minor(2_500) };
    for (format, name, room) in
        [(BlockFormat::Default, "default block", 0xF0), (BlockFormat::Extended, "extended block", 0xFFFF)]
    {
        let mut terminal = TerminalCodec::new(Family::Apollo, Discipline::Strict);
        let mut host = HostCodec::new(Family::Apollo, Discipline::Strict);
        terminal.set_format(format);
        host.set_format(format);
        let typical = Dol::default()
            .with(Tag::CARD_HASH, *b"3012041092BEBAF23AFC1DA175B1F3A529E6F2D1")
            .with(Tag::MASKED_PAN, *b"411111******1111");
        let card_read = Response::CardRead(typical);
        let largest = Response::PartiallyApproved {
            session: TerminalSessionId(11),
            amount: Amount::from_minor(2_500),
            dol: filled(room),
        };
        let ok = Response::Result(Verdict::Ok);
        measure(criterion, &format!("{name}, Synchronize"), &mut terminal, &mut host, &Response::Synchronize);
        measure(criterion, &format!("{name}, Result"), &mut terminal, &mut host, &ok);
        measure(criterion, &format!("{name}, Commit Session"), &mut host, &mut terminal, &commit);
        measure(criterion, &format!("{name}, Card Read"), &mut terminal, &mut host, &card_read);
        measure(criterion, &format!("{name}, largest"), &mut terminal, &mut host, &largest);
    }
}

/// Data objects of 200 bytes, as many as there is room for, and a last one with what is left.
fn filled(room: usize) -> Dol {
    let mut dol = Dol::default();
    while room - dol.encoded_len() > 5 {
        let left = room - dol.encoded_len() - 5;
        dol = dol.with(Tag::HOST_REFERENCE, vec![0x5A; left.min(200)]);
    }
    dol
}

fn measure<'m, M, S, R>(criterion: &mut Criterion, name: &str, sender: &mut S, receiver: &mut R, message: &'m M)
where
    S: Encoder<&'m M>,
    R: Decoder,
{
    let mut frame = BytesMut::new();
    assert!(sender.encode(message, &mut frame).is_ok());
    let count = (LAID_OUT / frame.len()).max(1);
    let frames = frame.repeat(count);
    let mut buffer = BytesMut::new();
    let mut fill = || {
        buffer.clear();
        buffer.extend_from_slice(&frames);
        std::mem::take(&mut buffer)
    };

    let mut group = criterion.benchmark_group(format!("{name}, {} bytes", frame.len()));
    let sum = run(
        &mut group,
        "checksum",
        count,
        || (),
        |(), at| {
            let at = at * frame.len();
            black_box(checksum(black_box(&frames[at..at + frame.len()])));
        },
    );
    let decode = run(&mut group, "decode", count, &mut fill, |buffer, _| {
        assert!(matches!(black_box(receiver.decode(buffer)), Ok(Some(_))));
    });
    let encode = run(
        &mut group,
        "encode",
        count,
        || BytesMut::with_capacity(frames.len()),
        |out, _| {
            assert!(sender.encode(black_box(message), out).is_ok());
        },
    );
    group.finish();
    // Nothing was measured when a filter left it out.
    if sum.is_finite() {
        eprintln!("{name}: decode {:.1}, encode {:.1} times the checksum's {sum:.2} ns\n", decode / sum, encode / sum);
    }
}

/// Measures `step` on what `prepare` makes, for `count` steps each time, and says how many nanoseconds the best run took.
fn run<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    count: usize,
    mut prepare: impl FnMut() -> T,
    mut step: impl FnMut(&mut T, usize),
) -> f64 {
    let mut best = f64::INFINITY;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut took, mut left) = (Duration::ZERO, iterations);
            while left > 0 {
                let steps = left.min(count as u64);
                let mut prepared = prepare();
                #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
                let begin = Instant::now();
                (0..steps as usize).for_each(|at| step(&mut prepared, at));
                let this = begin.elapsed();
                // A few steps measure the clock instead.
                if steps == count as u64 {
                    best = best.min(this.as_secs_f64() * 1e9 / count as f64);
                }
                (took, left) = (took + this, left - steps);
            }
            took
        });
    });
    best
}
