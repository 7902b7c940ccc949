//! Tools that a test needs and a machine may lack. On a user's machine such a test says that it is skipped; in CI it must run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tool, if the machine has it; `package` is what to install.
pub(crate) fn tool(name: &str, package: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "{name} is needed in CI: install {package}");
        eprintln!("skipped: there is no {name} here; it comes with {package}");
    }
    found
}

/// Runs it where the project is; what it said, on both its outputs. It must succeed.
pub(crate) fn must_succeed(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{} {arguments:?}:\n{said}", program.display());
    said
}

/// Where the project is.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
