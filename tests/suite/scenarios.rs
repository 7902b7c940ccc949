//! Scenarios in sentences (`tests/scenarios/*.txt`, explained in the README there): each is played as it stands, and then once with a
//! crash before and once with a crash after every append, followed by a second crash while the orchestrator recovers from the first.
//! Whatever becomes of people then, the simulated bank and the journal must agree on it, and every decision that was taken is kept.

mod causes;
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

/// Plays it with these crashes; all of them that happened, and how many appends there were.
fn play(script: &Script, crashes: Vec<Crash>) -> Result<(Vec<Crash>, usize), String> {
    let told = format!("{crashes:?}");
    let first = crashes.first().copied();
    let played = play::play(script, crashes);
    let died = played.world.died();
    let missed = (died.first().copied() != first).then(|| "the first crash has not happened".to_owned());
    let wrong: Vec<String> = played.wrong.into_iter().chain(judge::judge(&played.world, script)).chain(missed).collect();
    if wrong.is_empty() {
        return Ok((died, played.world.appends()));
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
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (plays, twice) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = play_with_every_crash(file, &plays, &twice);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let (plays, twice, wrong) = (plays.into_inner(), twice.into_inner(), wrong.into_inner().unwrap());
    eprintln!("{} scenarios, {plays} plays with a crash, {twice} of them with two", files.len());
    let some = wrong[..wrong.len().min(3)].join("\n");
    assert!(wrong.is_empty(), "{} plays went wrong; these are some of them:\n\n{some}", wrong.len());
    // A life that has little to write down ends before the second crash.
    assert!(twice * 20 >= plays * 19 || !only.is_empty(), "the second crash has happened in {twice} plays of {plays} only");
    assert!(files.len() >= 25 && plays > 1000 || !only.is_empty(), "{} scenarios, {plays} plays", files.len());
}

/// What was wrong in any of its plays.
fn play_with_every_crash(file: &Path, plays: &AtomicUsize, twice: &AtomicUsize) -> Vec<String> {
    let plain = Script::read(file).and_then(|script| play(&script, Vec::new()).map(|(_, appends)| (script, appends)));
    let (script, appends) = match plain {
        Ok(plain) => plain,
        Err(why) => return vec![why],
    };
    let crashes = (1..=appends).flat_map(|number| [Crash::Before(number), Crash::After(number)].map(|crash| (number, crash)));
    crashes
        .filter_map(|(number, crash)| {
            plays.fetch_add(1, Ordering::Relaxed);
            let died = play(&script, vec![crash, second(number)]);
            twice.fetch_add(usize::from(died.as_ref().is_ok_and(|(died, _)| died.len() == 2)), Ordering::Relaxed);
            died.err()
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
        ("terminal bay apollo\nanna wants 1.00 at bay with bert's card", "bad.txt:2: bert has not wanted anything yet"),
        ("anna", "bad.txt:1: there is no terminal"),
    ] {
        let mistakes = Script::parse("bad.txt", text).unwrap_err();
        assert!(mistakes.contains(told), "{told:?} is not in:\n{mistakes}");
    }
}

/// What is not as expected is told with its sentence.
#[test]
fn a_scenario_can_fail() {
    let text = "terminal bay p6x\nanna wants 50.00 at bay\nanna presents a card\nexpect anna is declined\n";
    let script = Script::parse("fails.txt", text).unwrap();
    let why = play(&script, Vec::new()).unwrap_err();
    assert!(why.contains("fails.txt:4: expect anna is declined: anna is "), "{why}");
}

/// Plays a story in which all is well, and then says what is wrong with it if the judge has another story before him, or other people.
fn misjudged(told: &str, before_him: &str, people: impl FnOnce(&world::World)) -> String {
    let script = |text: &str| Script::parse("misjudged.txt", text).unwrap();
    let played = play::play(&script(told), Vec::new());
    assert_eq!((played.wrong, judge::judge(&played.world, &script(told))), (None, Vec::new()));
    people(&played.world);
    judge::judge(&played.world, &script(before_him)).join("\n")
}

#[test]
fn nothing_is_left_to_people_without_a_cause() {
    let story = |cause: &str, later: &str, end: &str| {
        format!(
            "terminal bay apollo\nsetting max_session = \"6m\"\nsetting terminal_timeout = \"70m\"\nanna wants 50.00 at bay\n\
             anna presents a card\n{cause}\nanna pays 12.40\n{later}\nexpect anna is {end}\n"
        )
    };
    for cause in ["bay loses power and forgets", "bay refuses the next Commit with 0x0C"] {
        let told = story(cause, "", "uncertain");
        // What happens after its end is no cause of it.
        for before_him in [story("", "", "uncertain"), format!("{}{cause}\n", story("", "", "uncertain"))] {
            let wrong = misjudged(&told, &before_him, |_| {});
            assert!(wrong.contains("nothing has happened that nobody could find out about"), "{before_him}{wrong}");
        }
    }
    let away = |long: &str| story("bay is unplugged", &format!("{long}\nbay is plugged in"), "expired");
    let wrong = misjudged(&away("2h pass"), &away("1h pass"), |_| {});
    assert!(wrong.contains("the terminal's timer has not ended it"), "{wrong}");
}

#[test]
fn nobody_decides_against_what_was_acknowledged() {
    let money = quittance::money::Amount::from_minor;
    let begun = "terminal bay p6x\nsetting max_session = \"6m\"\nanna wants 50.00 at bay\nanna presents a card\n";
    let unplugged = format!("{begun}6m pass\nexpect anna is voided\n");
    let wrong = misjudged(&unplugged, &unplugged, |world| world.change("anna", |anna| anna.charged = Some(money(1))));
    assert!(wrong.contains("Void by PlugInTimeout, but anna has charged"), "{wrong}");

    let charged = format!("{begun}anna has charged 12.40\n7m pass\nexpect anna is committed\n");
    let lost =
        |world: &world::World| world.change("anna", |anna| (anna.charged, anna.sent) = (Some(money(1250)), Some(money(1300))));
    let wrong = misjudged(&charged, &charged, lost);
    assert!(wrong.contains("Commit(Amount(1240)) by MaxSession, but anna has charged"), "{wrong}");

    let paid = format!("{begun}anna pays 12.40\nexpect anna is committed\n");
    let wrong = misjudged(&paid, &paid, |world| world.change("anna", |anna| anna.asked.clear()));
    assert!(wrong.contains("Commit(Amount(1240)) by Api"), "{wrong}");
}

#[test]
fn only_a_person_who_has_spoken_settles_anything() {
    let told = "terminal bay p6x\nanna wants 50.00 at bay\nanna presents a card\nbay loses power and forgets\n\
                expect anna is uncertain\na person says that anna has paid 12.40\nexpect anna is committed\n";
    let wrong = misjudged(told, told, |world| world.change("anna", |anna| (anna.said, anna.settled) = (None, false)));
    assert!(wrong.contains("a person has said None of anna, which is committed"), "{wrong}");
}
