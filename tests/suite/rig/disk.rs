//! A disk that can be filled.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set where a test runs once more in a world of its own, in which it may mount.
const OWN_WORLD: &str = "QUITTANCE_TEST_MAY_MOUNT";

/// A file system of a megabyte, until this is dropped.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where the test has nothing more to do: it was run once more in a world of its own, or nobody may mount anything here, which
    /// CI must allow.
    pub(crate) fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        if disk.mounted(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
            return Some(disk);
        }
        let ran = std::env::var_os(OWN_WORLD).is_none() && run_in_own_world();
        assert!(ran || std::env::var_os("CI").is_none(), "no small file system can be mounted here, which CI must allow");
        if !ran {
            eprintln!("skipped: no small file system can be mounted here");
        }
        None
    }

    fn mounted(&self, how: &[&str]) -> bool {
        Command::new("mount").args(how).arg(self.path()).status().is_ok_and(|status| status.success())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 512]).is_ok() {}
    }

    /// Leaves room again.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    /// It is larger from now on.
    pub(crate) fn grow(&self) {
        assert!(self.mounted(&["-o", "remount,size=64m"]), "the small file system does not grow");
    }

    /// Nobody can write to it from now on.
    pub(crate) fn protect(&self) {
        assert!(self.mounted(&["-o", "remount,ro"]), "the small file system cannot be protected");
    }
}

/// Runs the test of this thread once more, as the root of a user namespace. Says whether that was possible; fails when the test does.
fn run_in_own_world() -> bool {
    let test = std::thread::current().name().map(str::to_owned);
    let possible = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    let Some(test) = test.filter(|name| name.contains("::") && possible) else { return false };
    let mut again = Command::new("unshare");
    again.arg("-rm").arg(std::env::current_exe().unwrap()).args([&test, "--exact", "--nocapture"]);
    assert!(again.env(OWN_WORLD, "1").status().unwrap().success(), "{test} has failed in a user namespace");
    true
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that a failing test leaves behind may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
