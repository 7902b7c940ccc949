//! The real orchestrator as a child process: found or built, started, watched, told to end.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// How many lines of its log explain why it would not start.
const LAST_WORDS: usize = 8;

/// Where the program is. Started by `cargo run`, which builds only the program that it runs, this has it built first: it may
/// be missing, or older than the sources.
pub(crate) fn program() -> Result<PathBuf, String> {
    let here = env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
    let folder = here.parent().ok_or("this program is in no folder")?;
    let program = folder.join("quittance");
    if let (Some(cargo), Some(package)) = (env::var_os("CARGO"), env::var_os("CARGO_MANIFEST_DIR")) {
        let mut build = Command::new(cargo);
        // With what cargo tells a program that it runs, some crates would be built anew, and with them nearly everything, each time.
        let told = |name: &OsString| {
            let name = name.to_string_lossy();
            let ours = ["OUT_DIR", "QUITTANCE_REVISION"].contains(&name.as_ref());
            ours || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        };
        for name in env::vars_os().map(|(name, _)| name).filter(told) {
            build.env_remove(name);
        }
        build.args(["build", "--bin", "quittance", "--manifest-path"]).arg(Path::new(&package).join("Cargo.toml"));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().map_err(|error| format!("cargo cannot be started to build quittance: {error}"))?;
        if !status.success() {
            return Err(format!("quittance could not be built ({status})"));
        }
    }
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} does not exist; build it, or start the demo by: cargo demo", program.display()))
    }
}

/// The orchestrator, running or not. Killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Orchestrator {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Orchestrator {
    /// Not running yet. Its log goes to that file, behind what is there.
    pub(crate) const fn new(program: PathBuf, config: PathBuf, log: PathBuf) -> Self {
        Self { program, config, log, child: None }
    }

    /// Starts it.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let wrong = |error: io::Error| format!("{} cannot be started: {error}", self.program.display());
        let log = File::options().create(true).append(true).open(&self.log).map_err(wrong)?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg("--config").arg(&self.config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // A Ctrl-C of the demo's terminal is the demo's, which tells the orchestrator to end when the drivers have gone.
        command.process_group(0);
        for (name, _) in env::vars_os() {
            // These would change the configuration that the demo relies on.
            if name.to_string_lossy().starts_with("QUITTANCE_") {
                command.env_remove(name);
            }
        }
        self.child = Some(command.spawn().map_err(wrong)?);
        Ok(())
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How it ended, once.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// Tells it to drain and end.
    pub(crate) fn terminate(&self) {
        if let Some(child) = &self.child {
            // It may have ended in between, which is what is wanted.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LAST_WORDS)..).unwrap_or_default().join("\n")
    }

    /// `quittance journal verify`: whether it is sound, and what it says.
    pub(crate) fn verify(&self, journal: &Path) -> Result<(bool, String), String> {
        let mut command = Command::new(&self.program);
        command.args(["journal", "verify", "--journal"]).arg(journal);
        let output = command.output().map_err(|error| format!("{} cannot be started: {error}", self.program.display()))?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended in between.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
