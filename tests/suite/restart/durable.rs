//! What the disk holds for sure. A library that is loaded before the program's others (`durable.c`) keeps, after each sync of the
//! journal's files, what is in them; put in their place, that is a disk on which nothing has arrived but what somebody waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::rig::{Builder, Rig, SmallDisk};
use super::audit::Remains;
use super::power::beside;

const JOURNAL: &str = "journal.db";

/// The journal's file and its log.
const FILES: [&str; 2] = ["", "-wal"];

/// The library, until this is dropped.
pub(super) struct Library(TempDir);

impl Library {
    /// None where there is no C compiler, which CI must have.
    pub(super) fn build() -> Option<Self> {
        let library = Self(tempfile::tempdir().unwrap());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/restart/durable.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(library.path()).arg(source);
        match compiler.args(["-ldl", "-pthread"]).output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(library)
            }
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "cc cannot be started ({error}), which CI must have");
                eprintln!("skipped: what is synced cannot be watched, since cc cannot be started: {error}");
                None
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("durable.so")
    }

    /// A disk that is watched.
    pub(super) fn disk(&self) -> Disk<'_> {
        Disk { library: self, kept: tempfile::tempdir().unwrap() }
    }
}

/// What the disk under a journal holds for sure.
pub(super) struct Disk<'a> {
    library: &'a Library,
    kept: TempDir,
}

impl Disk<'_> {
    /// The program's syncs are watched.
    pub(super) fn watch(&self, builder: Builder) -> Builder {
        let kept = self.kept.path().to_str().unwrap();
        builder.env("LD_PRELOAD", self.library.path().to_str().unwrap()).env("DURABLE", kept)
    }

    /// What was synced, as a journal in a folder of its own.
    pub(super) fn synced(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join(JOURNAL);
        self.fail(&journal);
        (folder, journal)
    }

    /// The power fails: what was not synced is gone.
    pub(super) fn fail(&self, journal: &Path) {
        for end in FILES {
            let (kept, to) = (beside(&self.kept.path().join(JOURNAL), end), beside(journal, end));
            if kept.exists() {
                fs::copy(kept, to).unwrap();
            } else {
                assert_ne!(end, "", "the journal was never synced");
                let _ = fs::remove_file(to);
            }
        }
    }

    /// The power has failed and left these files, so the disk holds them.
    pub(super) fn settle(&self, journal: &Path) {
        for end in FILES {
            fs::copy(beside(journal, end), beside(&self.kept.path().join(JOURNAL), end)).unwrap();
        }
    }
}

/// A process that is killed before its sync leaves records that the next one reads. On a full disk that one cannot make them durable by
/// writing its own behind them; what it says of them must be so nevertheless.
#[test]
fn a_start_on_a_full_disk_tells_nothing_that_the_power_could_take() {
    let (Some(small), Some(library)) = (SmallDisk::mount(), Library::build()) else { return };
    let disk = library.disk();
    let rig = disk.watch(Rig::builder().apollos(1)).journal(small.path().join(JOURNAL)).start();
    let session = rig.approve("apollo-1", 5000);
    rig.kill9();
    let full = || rig.said().contains("the program's own record could not be appended");
    // Some starts find a place for a record in what the one before has left free.
    for _ in 0..10 {
        // As if the dead one had written all of its log and synced nothing.
        let _ = fs::remove_file(beside(&disk.kept.path().join(JOURNAL), "-wal"));
        small.fill();
        rig.start_unready();
        assert_eq!(rig.session(&session)["state"], "approved");
        rig.kill9();
        let (_folder, journal) = disk.synced();
        let known = Remains::of(&journal).knows_hold(session.parse().unwrap());
        assert!(known, "it was told of a hold that a power failure takes away");
        if full() {
            break;
        }
    }
    assert!(full(), "the disk was never full at a start");
    rig.check_books();
}
