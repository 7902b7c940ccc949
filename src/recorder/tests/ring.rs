use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::{all, id};
use crate::protocol::Family;
use crate::recorder::line::Header;
use crate::recorder::ring::Ring;
use crate::recorder::{Cards, every_part, parts};

fn header() -> Header {
    Header { terminal: id(), family: Family::Apollo, cards: Cards::Masked, begun: true }
}

fn total(path: &std::path::Path) -> u64 {
    every_part(path).filter_map(|part| fs::metadata(part).ok()).map(|found| found.len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is written, however often the program is started again, and however the size is changed between: the files are
    /// never larger than agreed, and what they hold is whole lines, in order, up to the newest.
    #[test]
    fn the_ring_is_never_larger_than_agreed(runs in prop::collection::vec((2_000_u64..9_000, 0_usize..60), 1..5)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bay-01.psp");
        let mut number = 0;
        for (size, count) in runs {
            let mut ring = Ring::open(&path, size, header()).unwrap();
            prop_assert!(total(&path) <= size);
            for _ in 0..count {
                number += 1;
                ring.append(&format!("line {number} {}\n", "x".repeat(number * 37 % 300))).unwrap();
                prop_assert!(total(&path) <= size, "{} > {size}", total(&path));
            }
        }
        let text = all(&path);
        prop_assert!(text.ends_with('\n'));
        let numbers: Vec<usize> = text
            .lines()
            .filter_map(|line| line.strip_prefix("line ")?.split_once(' ')?.0.parse().ok())
            .collect();
        let first = number + 1 - numbers.len();
        prop_assert_eq!(numbers, (first..=number).collect::<Vec<_>>());
        prop_assert!(text.lines().all(|line| line.starts_with("line ") || line.starts_with("# quittance-frames 1 ")));
    }
}

/// At any time at least three quarters of the size hold lines, and every part says what it is.
#[test]
fn full_parts_are_kept_beside_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below").join("bay-01.psp");
    let mut ring = Ring::open(&path, 4000, header()).unwrap();
    for number in 0..200 {
        ring.append(&format!("{number:>99}\n")).unwrap();
    }
    assert_eq!(parts(&path).len(), 4);
    assert!(total(&path) >= 3000);
    for part in parts(&path) {
        let text = fs::read_to_string(&part).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            "# quittance-frames 1 terminal=bay-01 family=apollo cards=masked part=continued"
        );
        assert_eq!(fs::metadata(&part).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(fs::read_to_string(&path).unwrap().ends_with("199\n"));
}

/// A line that a crash has left unfinished goes, so that the next one begins where a line begins.
#[test]
fn a_torn_line_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bay-01.psp");
    Ring::open(&path, 100_000, header()).unwrap().append("first\n").unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}half a li{}", "n".repeat(5000))).unwrap();
    Ring::open(&path, 100_000, header()).unwrap().append("second\n").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["first", "second"]);
}

/// A path that was mistyped must not cost somebody a file.
#[test]
fn a_file_that_is_no_recording_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    fs::write(&path, "SQLite format 3").unwrap();
    let Err(error) = Ring::open(&path, 4000, header()) else { panic!("it was opened") };
    assert!(error.to_string().contains("no recording"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "SQLite format 3");
    assert!(Ring::open(folder.path(), 4000, header()).is_err());
}

/// Whoever takes the file away while it is written gets what was in it, and the recording goes on in a new one.
#[test]
fn a_file_that_was_taken_away_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bay-01.psp");
    let mut ring = Ring::open(&path, 4000, header()).unwrap();
    ring.append("first\n").unwrap();
    fs::remove_file(&path).unwrap();
    ring.append("second\n").unwrap();
    fs::rename(&path, folder.path().join("evidence")).unwrap();
    ring.append("third\n").unwrap();
    let begun = "# quittance-frames 1 terminal=bay-01 family=apollo cards=masked part=begun\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{begun}third\n"));
    assert_eq!(fs::read_to_string(folder.path().join("evidence")).unwrap(), format!("{begun}second\n"));
}

#[test]
fn a_line_that_fits_into_no_part_is_refused_and_the_next_one_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bay-01.psp");
    let mut ring = Ring::open(&path, 4000, header()).unwrap();
    assert!(ring.append(&"x".repeat(1001)).is_err());
    ring.append("small\n").unwrap();
    assert!(all(&path).ends_with("small\n") && !all(&path).contains("xx"));
}
