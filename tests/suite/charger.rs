//! README's charger controller, run as it stands there, while it and the orchestrator are killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use quittance::sim::{self, Fault, HoldState};
use serde_json::{Value, json};

use super::rig::Rig;
use super::tool::{root, tool};

const APOLLO: &str = "apollo-1";

/// The block of README that begins with its name.
fn script() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```python\n").unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

/// The script, until it is killed or has ended.
struct Charger {
    python: PathBuf,
    rig_folder: PathBuf,
    url: String,
    process: Child,
}

impl Charger {
    fn start(python: &Path, folder: &Path, url: &str) -> Self {
        let process = spawn(python, folder, url);
        Self { python: python.to_owned(), rig_folder: folder.to_owned(), url: url.to_owned(), process }
    }

    /// SIGKILL, and starts it again.
    fn die_and_come_again(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(&self.python, &self.rig_folder, &self.url);
    }

    /// What it has printed in the end.
    fn end(&mut self) -> String {
        assert!(self.process.wait().unwrap().success());
        std::io::read_to_string(self.process.stdout.take().unwrap()).unwrap()
    }
}

impl Drop for Charger {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(python: &Path, folder: &Path, url: &str) -> Child {
    let mut command = Command::new(python);
    command.arg(folder.join("charger.py")).args([url, APOLLO]).arg(folder.join("charger.json"));
    command.env("NO_PROXY", "*").stdout(Stdio::piped()).spawn().unwrap()
}

/// One hold, committed once with the amount that was decided, whoever dies when.
#[test]
fn the_example_survives_a_restart_of_either_side() {
    let Some(python) = tool("python3", "python3") else { return };
    // The script knows one address, also after a restart; this one is nobody else's, since it has our process's number.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let free = format!("127.{}.{middle}.{low}:8470", 64 + high % 64);
    let rig = Rig::builder().apollos(1).timeout("commit", "\"1s\"").api("listen", &format!("\"{free}\"")).start();
    let folder = rig.path("charger");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("charger.py"), script()).unwrap();
    let mut charger = Charger::start(&python, &folder, &rig.api.url(""));

    let sessions = || rig.api.sessions("");
    let session = rig.until("open", || sessions().first().map(|session| session["id"].as_str().unwrap().to_owned()));
    charger.die_and_come_again();
    rig.tap(APOLLO, &rig.new_card());
    let charging = |body: &Value| body["amount_energy"].as_u64().is_some_and(|amount| amount >= 620);
    rig.wait_session(&session, "charging", charging);
    rig.kill9();
    charger.die_and_come_again();
    // The next Commit is done, but the link is cut before the answer, and then nobody is there to be told.
    rig.terminal(APOLLO).plan(sim::Command::Commit, Fault::CutAfter);
    rig.start_again();
    rig.wait_terminal(APOLLO, "hears Commit", |seen| seen.heard.contains_key(&sim::Command::Commit));
    rig.kill9();
    charger.die_and_come_again();
    rig.start_again();

    assert!(charger.end().contains("committed"), "it says how it ended");
    let body = rig.session(&session);
    assert_eq!((&body["state"], &body["amount_final"]), (&json!("committed"), &json!(3100)), "{body}");
    assert_eq!(sessions().len(), 1);
    let holds: Vec<HoldState> = rig.bank().holds().iter().map(|hold| hold.state).collect();
    assert!(matches!(holds[..], [HoldState::Captured { amount, .. }] if amount.minor() == 3100), "{holds:?}");
    rig.finish();
}
