//! Scenarios in sentences (`tests/scenarios/*.txt`, explained in the README there): each is played as it stands, and then once with a
//! crash before and once with a crash after every append, followed by a second crash while the orchestrator recovers from the first.
//! Whatever becomes of people then, the simulated bank and the journal must agree on it, and every decision that was taken is kept.

mod judge;
mod play;
mod script;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use script::Script;
use world::Crash;

fn all() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "txt"));
    files.sort_unstable();
    files
}

/// Plays it with these crashes; how many appends there were.
fn play(script: &Script, crashes: Vec<Crash>) -> Result<usize, String> {
    let told = format!("{crashes:?}");
    let played = play::play(script, crashes);
    let wrong: Vec<String> = played.wrong.into_iter().chain(judge::judge(&played.world)).collect();
    if wrong.is_empty() {
        return Ok(played.world.appends());
    }
    Err(format!("{}, crashes {told}:\n{}\n{}\n", script.name, wrong.join("\n"), played.world.story()))
}

/// The second crash comes when the orchestrator recovers: at one of its first appends after the first crash, which is its start.
fn second(first: usize) -> Crash {
    let at = first + 1 + first % 4;
    if first.is_multiple_of(2) { Crash::Before(at) } else { Crash::After(at) }
}

#[test]
fn every_scenario_holds_with_a_crash_at_every_record() {
    let only = std::env::var("QUITTANCE_SCENARIO").unwrap_or_default();
    let files: Vec<PathBuf> = all().into_iter().filter(|file| file.to_string_lossy().contains(&only)).collect();
    let (next, plays, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = play_with_every_crash(file, &plays);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let (plays, wrong) = (plays.into_inner(), wrong.into_inner().unwrap());
    eprintln!("{} scenarios, {plays} plays with two crashes each", files.len());
    let some = wrong[..wrong.len().min(3)].join("\n");
    assert!(wrong.is_empty(), "{} plays went wrong; these are some of them:\n\n{some}", wrong.len());
    assert!(files.len() >= 12 && plays > 100 || !only.is_empty(), "{} scenarios, {plays} plays", files.len());
}

/// What was wrong in any of its plays.
fn play_with_every_crash(file: &Path, plays: &AtomicUsize) -> Vec<String> {
    let plain = Script::read(file).and_then(|script| play(&script, Vec::new()).map(|appends| (script, appends)));
    let (script, appends) = match plain {
        Ok(plain) => plain,
        Err(why) => return vec![why],
    };
    let crashes = (1..=appends).flat_map(|number| [Crash::Before(number), Crash::After(number)].map(|crash| (number, crash)));
    crashes
        .filter_map(|(number, crash)| {
            plays.fetch_add(1, Ordering::Relaxed);
            play(&script, vec![crash, second(number)]).err()
        })
        .collect()
}

#[test]
fn a_wrong_sentence_is_told_with_its_file_and_line() {
    let good = "terminal bay apollo\nanna wants 50.00 at bay\nexpect anna is waiting_card\n";
    assert!(Script::parse("good.txt", good).is_ok());
    for (text, told) in [
        ("terminal bay apolo", "bad.txt:1: a family is apollo or p6x"),
        ("terminal bay apollo\nanna wants 50 at bay", "bad.txt:2: 50 is no amount such as 31.40"),
        ("terminal bay apollo\n\nanna wants 50.00 at bey", "bad.txt:3: no terminal above is called bey"),
        ("terminal bay apollo\nanna presents a card", "bad.txt:2: anna has not wanted anything yet"),
        ("terminal bay apollo\nanna wants 50.00 at bay\nanna sings", "bad.txt:3: nobody understands this: anna sings"),
        ("terminal bay apollo\nanna wants 1.00 at bay\nexpect anna is happy", "bad.txt:3: a state is one of"),
        ("terminal bay apollo\nbay loses the next Commmit", "bad.txt:2: a command is one of"),
        ("terminal bay apollo\nanna wants 1.00 at bay", "bad.txt:1: nothing is expected"),
        ("terminal bay apollo\n5 minutes pass", "bad.txt:2: nobody understands this"),
        ("anna", "bad.txt:1: there is no terminal"),
    ] {
        let mistakes = Script::parse("bad.txt", text).unwrap_err();
        assert!(mistakes.contains(told), "{told:?} is not in:\n{mistakes}");
    }
}

/// What is not as expected is told with its sentence; and the judge sees a hold that nobody ends.
#[test]
fn a_scenario_can_fail() {
    let text = "terminal bay p6x\nanna wants 50.00 at bay\nanna presents a card\nexpect anna is declined\n";
    let script = Script::parse("fails.txt", text).unwrap();
    let why = play(&script, Vec::new()).unwrap_err();
    assert!(why.contains("fails.txt:4: expect anna is declined: anna is "), "{why}");
}
