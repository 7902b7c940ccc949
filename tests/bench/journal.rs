//! How many appends a second are durable, beside what the disk itself can do in the same run.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to say")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use quittance::journal::record::Fact;
use quittance::journal::{Entry, Journal, SqliteJournal};
use quittance::money::Amount;
use quittance::time::Timestamp;

/// How long each of the two is measured for the ratio.
const WHILE: Duration = Duration::from_secs(2);

/// Durable appends by one writer and by 64 at once, and `fdatasync` of the bytes that one append writes.
pub(crate) fn bench(criterion: &mut Criterion) {
    // On the disk of the build, since /tmp is often in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let path = directory.path().join("journal.db");
    let journal = SqliteJournal::open(&path, Arc::new(())).unwrap();
    let bytes = bytes_of_an_append(&runtime, &journal, &path);
    let mut raw = Raw::new(&directory.path().join("raw"), bytes);
    let append = |writers: usize| {
        runtime.block_on(async {
            let appends = (0..writers).map(|_| journal.append(vec![energy()]));
            join_all(appends).await.into_iter().for_each(|appended| drop(appended.unwrap()));
        });
    };

    let disk = per_second(|| raw.write());
    for writers in [1, 64] {
        let appends = per_second(|| append(writers)) * writers as f64;
        eprintln!(
            "journal: {appends:.0} durable appends/s by {writers} at once; fdatasync of {bytes} bytes: {disk:.0}/s; ratio {:.2}",
            appends / disk
        );
    }

    let mut group = criterion.benchmark_group("journal");
    group.sample_size(20).measurement_time(WHILE);
    group.bench_function("raw fdatasync", |bencher| bencher.iter(|| raw.write()));
    for writers in [1, 64] {
        group.throughput(Throughput::Elements(writers as u64));
        group.bench_function(format!("append by {writers}"), |bencher| bencher.iter(|| append(writers)));
    }
    group.finish();
}

fn energy() -> Entry {
    let fact = Fact::EnergyReported { amount: Amount::from_minor(1240) };
    Entry { at: Timestamp::from_unix_millis(0), terminal: "bay-01".parse().ok(), session: None, fact }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn per_second(mut once: impl FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < WHILE {
        once();
        count += 1.0;
    }
    count / start.elapsed().as_secs_f64()
}

/// By how much the write-ahead log grows.
fn bytes_of_an_append(runtime: &tokio::runtime::Runtime, journal: &SqliteJournal, path: &Path) -> usize {
    let log = path.with_file_name("journal.db-wal");
    let length = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let append = || drop(runtime.block_on(journal.append(vec![energy()])).unwrap());
    append();
    let before = length();
    append();
    usize::try_from(length() - before).unwrap()
}

/// The plainest thing that is durable: bytes at the end of a file, and a sync.
struct Raw {
    file: fs::File,
    bytes: Vec<u8>,
}

impl Raw {
    fn new(path: &Path, bytes: usize) -> Self {
        Self { file: fs::File::create(path).unwrap(), bytes: vec![1; bytes] }
    }

    fn write(&mut self) {
        self.file.write_all(&self.bytes).unwrap();
        self.file.sync_data().unwrap();
    }
}
