//! What the disk holds for sure. A library that is loaded before the program's others (`durable.c`) keeps, after each sync of the
//! journal's files, what is in them; put in their place, that is a disk on which nothing has arrived but what somebody waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("durable.so")
    }
}

/// A journal of which nothing is left but what was synced, in a folder of its own.
pub(super) struct Synced(TempDir);

impl Synced {
    pub(super) fn of(journal: &Path) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        put(journal, &copy.journal());
        copy
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.0.path().join("journal.db")
    }
}

/// The power fails: what was not synced is gone.
pub(super) fn fail(journal: &Path) {
    put(journal, journal);
}

/// The power has failed and left these files, so the disk holds them.
pub(super) fn settle(journal: &Path) {
    for end in FILES {
        let kept = super::power::beside(journal, &format!("{end}.durable"));
        fs::copy(super::power::beside(journal, end), kept).unwrap();
    }
}

fn put(journal: &Path, to: &Path) {
    for end in FILES {
        let (kept, to) = (super::power::beside(journal, &format!("{end}.durable")), super::power::beside(to, end));
        if kept.exists() {
            fs::copy(kept, to).unwrap();
        } else {
            assert_ne!(end, "", "the journal was never synced");
            let _ = fs::remove_file(to);
        }
    }
}
