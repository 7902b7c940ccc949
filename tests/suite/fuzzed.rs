//! The bodies of the fuzz targets (`tests/fuzz`) without a fuzzer: on the corpus that fuzzing has left behind, and on random
//! bytes.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use quittance::protocol::Family;

#[path = "../fuzz/bodies/mod.rs"]
pub(crate) mod bodies;

use bodies::messages::{REQUESTS, RESPONSES, kind_of_request, kind_of_response, request, response};
use bodies::source::Source;

/// Whatever a fuzzer found worth keeping still keeps every promise.
#[test]
fn the_corpus_keeps_every_promise() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, body) in bodies::ALL {
        let files = fs::read_dir(corpus.join(name)).unwrap();
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| body(&bytes)) {
                eprintln!("{} breaks a promise", path.display());
                std::panic::resume_unwind(panic);
            }
            count += 1;
        }
        assert!((10..=100).contains(&count), "{name} has {count} files: too few to say anything, or too many to keep");
    }
}

/// A folder without a target, or a target that is not built, would be fuzzed by nobody.
#[test]
fn each_target_is_there() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let names = |folder: &str| {
        let entries = fs::read_dir(fuzz.join(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let all: Vec<_> = bodies::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("targets"), all);
    assert_eq!(names("corpus"), all);
    for name in all {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} is not built");
        let text = fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("bodies::{name}(data)")), "{name} does something else");
    }
}

/// The generator leaves no message out. (A new one does not compile until it has a number, and the number fails here until
/// the generator makes it.)
#[test]
fn every_message_is_made() {
    for kind in 0..REQUESTS {
        assert_eq!(kind_of_request(&request(kind, &mut Source::new(&[]))), kind);
    }
    for kind in 0..RESPONSES {
        for family in [Family::Apollo, Family::P6x] {
            assert_eq!(kind_of_response(&response(kind, family, &mut Source::new(&[]))), kind);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the corpus does not hold.
    #[test]
    fn random_bytes_keep_every_promise(bytes in vec(any::<u8>(), 0..600)) {
        for (_, body) in bodies::ALL {
            body(&bytes);
        }
    }

    /// Every kind of message on every kind of wire.
    #[test]
    fn every_message_comes_back_the_same(ends in vec(0u8..2, 3), values in vec(any::<u8>(), 0..400)) {
        for (kinds, is_request) in [(REQUESTS, 1), (RESPONSES, 0)] {
            for kind in 0..kinds {
                bodies::round_trip(&[&ends[..], &[kind, is_request], &values].concat());
            }
        }
    }
}
