//! Some storms of `tests/storm`, in every run of the tests: a fixed set, and a fresh one.

#[path = "../storm/mod.rs"]
mod storms;

use rand::RngExt;

/// Always the same ones; `cargo storm` runs as many as one likes.
const FIXED: u64 = 80;
/// Others in every run: whatever they find is printed with its seed.
const FRESH: u64 = 40;

/// Whatever goes wrong, nothing is lost. A seed that fails is printed with the command that tells its story.
#[test]
fn nothing_is_lost_in_storms() {
    let mut random = rand::rng();
    let fresh = (0..FRESH).map(|_| random.random::<u64>() >> 16);
    let mut failed = Vec::new();
    let (mut holds, mut lives) = (0, 0);
    for seed in (0..FIXED).chain(fresh) {
        // Shown if this test fails or hangs.
        eprintln!("cargo storm-one {seed}");
        let outcome = storms::run(seed, false);
        (holds, lives) = (holds + outcome.holds, lives + outcome.lives);
        if !outcome.violations.is_empty() {
            failed.push(format!("cargo storm-one {seed}\n  {}", outcome.violations.join("\n  ")));
        }
    }
    assert_eq!(failed, Vec::<String>::new(), "{}", failed.join("\n"));
    assert!(
        holds > 100 && lives > FIXED as u32,
        "a storm in which nothing happens proves nothing: {holds} holds, {lives} lives"
    );
}

/// The same seed gives the same story, word by word: otherwise no failure could be looked into.
#[test]
fn a_seed_gives_the_same_storm_twice() {
    for seed in 0..8 {
        let (one, other) = (storms::run(seed, true), storms::run(seed, true));
        assert!(one.story.len() > 20);
        assert_eq!((one.story, one.records, one.simulated), (other.story, other.records, other.simulated), "seed {seed}");
    }
}

/// The deliberate bugs that the storm must notice can still be put into the sources: what stands before and after each change stands there
/// exactly once.
#[test]
fn the_deliberate_bugs_still_fit() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut patches = 0;
    for entry in std::fs::read_dir(top.join("tests/mutants")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        patches += 1;
        let patch = std::fs::read_to_string(&path).unwrap();
        let mut file = String::new();
        for part in patch.split("\n@@ ") {
            // A part ends with the head of the next file.
            let lines = part.lines().skip(1).take_while(|line| !line.starts_with("diff --git"));
            let before: Vec<&str> = lines.filter_map(|line| line.strip_prefix(' ').or(line.strip_prefix('-'))).collect();
            let fits = file.is_empty() || file.matches(&before.join("\n")).count() == 1;
            assert!(fits, "{} does not fit any more at\n{}", path.display(), before.join("\n"));
            if let Some(name) = part.lines().find_map(|line| line.strip_prefix("+++ b/")) {
                file = std::fs::read_to_string(top.join(name)).unwrap();
            }
        }
    }
    assert!(patches >= 10);
}
