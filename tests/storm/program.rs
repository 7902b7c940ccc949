//! `cargo storm SEEDS [FIRST]`, `cargo storm --forever`, `cargo storm-one SEED`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a storm fails by panicking, and so may its helpers")]
#![allow(clippy::print_stdout, reason = "a program for a person at a terminal")]
#![allow(clippy::disallowed_methods, reason = "how long it takes is real time")]

#[path = "mod.rs"]
mod storms;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "cargo storm SEEDS [FIRST]   so many storms, from seed FIRST (or 0) on\n\
                     cargo storm --forever       fresh seeds until one fails\n\
                     cargo storm until-caught SEEDS [twice]   until one fails, of those in which bytes come twice; for tests/mutants/run\n\
                     cargo storm twice SEEDS     each seed twice: the stories must be the same\n\
                     cargo storm-one SEED        the story of a seed (and the program's log, with RUST_LOG)";

/// The longest seeds take some seconds.
const HANGS: Duration = Duration::from_secs(300);

/// What many storms add up to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: u64,
    simulated: Duration,
    lives: u64,
    holds: usize,
    records: usize,
}

fn main() {
    // What `cargo bench` adds is for benchmarks.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("{word:?} is no number\n{USAGE}"));
    match words.as_slice() {
        ["one", seed] => tell(number(seed)),
        ["twice", seeds] => (0..number(seeds)).for_each(twice),
        ["until-caught", seeds] => until_caught(number(seeds), |_| true),
        ["until-caught", seeds, "twice"] => until_caught(number(seeds), storms::bytes_come_twice),
        ["--forever"] => many(rand::random::<u64>() >> 16, None),
        [seeds] => many(0, Some(number(seeds))),
        [seeds, first] => many(number(first), Some(number(seeds))),
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

fn tell(seed: u64) {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().without_time().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    let outcome = storms::run(seed, true);
    outcome.story.iter().for_each(|line| println!("{line}"));
    match outcome.violations.as_slice() {
        [] => println!("\nAll is well."),
        violations => {
            println!("\nWRONG:\n{}", violations.join("\n"));
            std::process::exit(1);
        }
    }
}

fn twice(seed: u64) {
    let (one, other) = (storms::run(seed, true), storms::run(seed, true));
    if one.story != other.story {
        let differs = one.story.iter().zip(&other.story).position(|(one, other)| one != other);
        let at = differs.unwrap_or(one.story.len().min(other.story.len()));
        println!("seed {seed} differs at line {at}:\n  {:?}\n  {:?}", one.story.get(at), other.story.get(at));
        std::process::exit(1);
    }
}

/// For mutants: fails when so many storms have noticed nothing. Others than those that are wanted could not.
fn until_caught(seeds: u64, wanted: fn(u64) -> bool) {
    for (nth, seed) in (0..).filter(|seed| wanted(*seed)).take(usize::try_from(seeds).unwrap_or(usize::MAX)).enumerate() {
        let outcome = storms::run(seed, false);
        if let Some(first) = outcome.violations.first() {
            let first: String = first.lines().next().unwrap_or_default().chars().take(150).collect();
            println!("caught by seed {seed}, storm number {}: {first}", nth + 1);
            return;
        }
    }
    println!("{seeds} seeds have noticed nothing");
    std::process::exit(1);
}

fn many(first: u64, count: Option<u64>) {
    let began = Instant::now();
    let mut shown = began;
    let mut sum = Sum::default();
    let watched = watch(first);
    for seed in first.. {
        if count.is_some_and(|count| sum.seeds >= count) || count.is_none() && sum.failed > 0 {
            break;
        }
        watched.store(seed, Ordering::Relaxed);
        let outcome = storms::run(seed, false);
        sum.seeds += 1;
        sum.simulated += outcome.simulated;
        sum.lives += u64::from(outcome.lives);
        sum.holds += outcome.holds;
        sum.records += outcome.records;
        if !outcome.violations.is_empty() {
            sum.failed += 1;
            println!("FAILED: cargo storm-one {seed}\n  {}", outcome.violations.join("\n  "));
        }
        if shown.elapsed() > Duration::from_secs(60) {
            shown = Instant::now();
            show(&sum, began.elapsed(), seed);
        }
    }
    show(&sum, began.elapsed(), first + sum.seeds.saturating_sub(1));
    std::process::exit(i32::from(sum.failed > 0));
}

/// A seed that hangs is told, and ends the program: the seed that is under way is stored in what is returned.
fn watch(first: u64) -> Arc<AtomicU64> {
    let under_way = Arc::new(AtomicU64::new(first));
    let watched = Arc::clone(&under_way);
    std::thread::spawn(move || {
        let mut seen = (first, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let seed = watched.load(Ordering::Relaxed);
            if seed != seen.0 {
                seen = (seed, Instant::now());
            } else if seen.1.elapsed() > HANGS {
                println!("HANGS: cargo storm-one {seed}");
                std::process::exit(1);
            }
        }
    });
    under_way
}

fn show(sum: &Sum, took: Duration, last: u64) {
    println!(
        "{} seeds to {last}, {} failed, {:.1} h simulated, {} lives, {} holds, {} records, in {:.0?}",
        sum.seeds,
        sum.failed,
        sum.simulated.as_secs_f64() / 3600.0,
        sum.lives,
        sum.holds,
        sum.records,
        took
    );
}
