//! The program as a child process: its log, its signals, its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::LIMIT;

/// The real program.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_quittance");

/// A check that waits for the log is made at least this often: not everything that happens is logged.
const NOW_AND_THEN: Duration = Duration::from_millis(50);

/// What one or more lives of the program have written to stderr.
#[derive(Default)]
struct Log {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    /// Where the present life begins.
    begin: usize,
    /// The present life's stderr is at its end.
    ended: bool,
}

/// The program.
pub(super) struct Child {
    config: PathBuf,
    environment: Vec<(String, String)>,
    process: Mutex<process::Child>,
    log: Arc<Log>,
}

impl Child {
    pub(super) fn start(config: &Path, environment: Vec<(String, String)>) -> Self {
        let log = Arc::new(Log::default());
        let process = Mutex::new(spawn(config, &environment, &log));
        Self { config: config.to_owned(), environment, process, log }
    }

    pub(super) fn start_again(&self) {
        let mut process = self.process();
        let mut lines = self.log.lines.lock().unwrap();
        lines.begin = lines.lines.len();
        lines.ended = false;
        drop(lines);
        *process = spawn(&self.config, &self.environment, &self.log);
    }

    /// Where the API of the present life listens.
    pub(super) fn address(&self) -> String {
        self.try_address().expect("the program has ended before it was running")
    }

    /// Likewise; none when it ends before it listens.
    pub(super) fn try_address(&self) -> Option<String> {
        let began = Instant::now();
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            let told =
                |line: &String| line.split_once("api=").filter(|_| line.contains(" running ")).map(|(_, at)| at.to_owned());
            if let Some(address) = lines.lines[lines.begin..].iter().find_map(told) {
                return Some(address.split_whitespace().next().unwrap().to_owned());
            }
            if lines.ended {
                return None;
            }
            assert!(began.elapsed() < LIMIT, "the program does not run");
            lines = self.log.grown.wait_timeout(lines, LIMIT).unwrap().0;
        }
    }

    pub(super) fn said(&self) -> String {
        // Also for a test that failed while it looked at the log.
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    pub(super) fn until<T>(&self, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let seen = self.log.lines.lock().unwrap().lines.len();
            if let Some(found) = check() {
                return found;
            }
            assert!(began.elapsed() < LIMIT, "never {what}");
            self.wait_beyond(seen);
        }
    }

    /// Waits for the next line, for a moment.
    pub(super) fn pause(&self) {
        let seen = self.log.lines.lock().unwrap().lines.len();
        self.wait_beyond(seen);
    }

    fn wait_beyond(&self, seen: usize) {
        let lines = self.log.lines.lock().unwrap();
        let nothing_new = |lines: &mut Lines| lines.lines.len() == seen;
        drop(self.log.grown.wait_timeout_while(lines, NOW_AND_THEN, nothing_new).unwrap());
    }

    pub(super) fn kill(&self) {
        let mut process = self.process();
        process.kill().unwrap();
        process.wait().unwrap();
        drop(process);
        self.drained();
    }

    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.process()), Signal::TERM).unwrap();
    }

    pub(super) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.process()), Signal::HUP).unwrap();
    }

    pub(super) fn exit_code(&self) -> i32 {
        self.drained();
        self.process().wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits until the program has closed its stderr, which it does by ending.
    fn drained(&self) {
        let lines = self.log.lines.lock().unwrap();
        let (lines, waited) = self.log.grown.wait_timeout_while(lines, LIMIT, |lines| !lines.ended).unwrap();
        drop(lines);
        assert!(!waited.timed_out(), "the program does not end");
    }

    fn process(&self) -> MutexGuard<'_, process::Child> {
        self.process.lock().unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        let _ = process.kill();
        let _ = process.wait();
        if std::thread::panicking() {
            eprintln!("--- the program said ---\n{}\n---", self.said());
        } else {
            self.drained();
            assert_calm(&self.said());
        }
    }
}

/// The program never panics, whatever a test does to it: one that survives is a bug all the same.
fn assert_calm(said: &str) {
    let panicked = said.lines().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None, "the program has panicked");
}

#[test]
fn a_panic_of_the_program_fails_its_test() {
    let panicked = || assert_calm("INFO set up\nthread 'main' panicked at src/main.rs:1:1:\nno");
    assert!(std::panic::catch_unwind(panicked).is_err());
    assert_calm("INFO set up");
}

fn spawn(config: &Path, environment: &[(String, String)], log: &Arc<Log>) -> process::Child {
    let mut command = Command::new(BINARY);
    command.args(["run", "--config"]).arg(config).env_remove("RUST_LOG");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(process.stderr.take().unwrap());
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            log.lines.lock().unwrap().lines.push(line);
            log.grown.notify_all();
        }
        log.lines.lock().unwrap().ended = true;
        log.grown.notify_all();
    });
    process
}
