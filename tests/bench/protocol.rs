//! Frames: nanoseconds to decode and to encode one, beside a checksum pass over the same bytes, which is the least that
//! either must do.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group};
use quittance::id::TerminalSessionId;
use quittance::protocol::dol::Tag;
use quittance::protocol::request::Request;
use quittance::protocol::response::{Response, Verdict};
use quittance::protocol::{BlockFormat, Discipline, Dol, Family, HostCodec, TerminalCodec, checksum};
use tokio_util::codec::{Decoder, Encoder};

criterion_group!(benches, frames);

fn frames(criterion: &mut Criterion) {
    let dol = Dol::default()
        .with(Tag::CARD_HASH, *b"3012041092BEBAF23AFC1DA175B1F3A529E6F2D1")
        .with(Tag::MASKED_PAN, *b"411111******1111")
        .with(Tag::HOST_REFERENCE, [0x5A; 128]);
    let approved = Response::Approved { session: TerminalSessionId(11), dol };
    for (format, name) in [(BlockFormat::Default, "default block"), (BlockFormat::Extended, "extended block")] {
        let mut terminal = TerminalCodec::new(Family::Apollo, Discipline::Strict);
        let mut host = HostCodec::new(Family::Apollo, Discipline::Strict);
        terminal.set_format(format);
        host.set_format(format);
        measure(criterion, &format!("Result, {name}"), &mut terminal, &mut host, &Response::Result(Verdict::Ok));
        measure(criterion, &format!("Get Status, {name}"), &mut host, &mut terminal, &Request::GetStatus);
        measure(criterion, &format!("Session Approved, {name}"), &mut terminal, &mut host, &approved);
    }
}

fn measure<'m, M, S, R>(criterion: &mut Criterion, name: &str, sender: &mut S, receiver: &mut R, message: &'m M)
where
    S: Encoder<&'m M>,
    R: Decoder,
{
    let mut wire = BytesMut::new();
    assert!(sender.encode(message, &mut wire).is_ok());
    let mut group = criterion.benchmark_group(name);
    let mut out = BytesMut::with_capacity(512);
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(sender.encode(black_box(message), &mut out).is_ok())
        });
    });
    let mut buffer = BytesMut::with_capacity(512);
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            // Copying the bytes in is part of what a link does, too.
            buffer.clear();
            buffer.extend_from_slice(black_box(&wire));
            black_box(receiver.decode(&mut buffer).is_ok_and(|message| message.is_some()))
        });
    });
    group.bench_function("checksum alone", |bencher| bencher.iter(|| checksum(black_box(&wire))));
    group.finish();
}
