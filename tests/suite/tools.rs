//! Programs that are not ours: Prometheus, Alertmanager, and what belongs to them. On a machine without them a test says that it is
//! skipped; in CI it must run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the program is, under the first of these names that there is.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    let found = names.iter().find_map(|name| places.iter().map(|place| place.join(name)).find(|file| file.is_file()));
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "{} is not installed, which CI must have", names[0]);
        eprintln!("skipped: {} is not installed", names[0]);
    }
    found
}

/// Runs it where the project is; both its outputs together must be all right.
pub(crate) fn must_succeed(program: &Path, arguments: &[&str]) -> String {
    let output: Output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{} {arguments:?}:\n{said}", program.display());
    said
}

/// Where the project is.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
