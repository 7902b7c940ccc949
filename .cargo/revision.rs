//! Tells the program which revision it was built from (`quittance_build_info`): `QUITTANCE_REVISION` if it is set, else what git
//! says, else "unknown".

#![allow(clippy::print_stdout, reason = "cargo is told through stdout")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=QUITTANCE_REVISION");
    println!("cargo::rerun-if-changed=.cargo/revision.rs");
    let revision = std::env::var("QUITTANCE_REVISION").ok().or_else(from_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=QUITTANCE_REVISION={revision}");
}

/// Asked for releases only: others would be built anew after every commit.
fn from_git() -> Option<String> {
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
    let told = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let revision = String::from_utf8(told.stdout).ok()?.trim().to_owned();
    (told.status.success() && !revision.is_empty()).then_some(revision)
}
