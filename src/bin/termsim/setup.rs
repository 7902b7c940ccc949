//! What the demo's depot consists of: its folder, its terminals and the orchestrator's configuration.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use quittance::id::TerminalId;
use quittance::protocol::Family;
use quittance::sim::{Depot, SimConfig};
use quittance::time::Timestamp;

/// The API's usual port; another one is taken when somebody listens there.
const PORT: u16 = 8470;

/// Name, family, and what is special about it.
const TERMINALS: [(&str, Family, &str); 5] = [
    ("bay-01", Family::Apollo, ""),
    ("bay-02", Family::Apollo, "protocol = { extended_block = true, events = true, declined_dol = true }\n"),
    (SCANNING, Family::Apollo, "scan = \"always\"\npreauth = 3500\n"),
    ("bay-04", Family::P6x, "protocol = { events = true }\n"),
    ("bay-05", Family::P6x, ""),
];

/// It waits for cards all the time: nobody asks for a session there, a card is enough.
pub(crate) const SCANNING: &str = "bay-03";

/// How many holds may be open on a terminal at once.
pub(crate) const CONNECTORS: u32 = 2;

/// The part of the configuration that does not depend on addresses. Deadlines are those of people in a hurry.
const RULES: &str = r#"
[policy]
terminal_timeout = "2h"
terminal_timeout_action = "void"
plug_in_timeout = "30s"
max_session = "10m"
on_max_session = "commit_last_known"
reconcile_every = "30s"

[supervision]
backoff_min = "500ms"
backoff_max = "5s"
intensity = 10
period = "60s"
quarantine_retry = "20s"
"#;

/// Where the demo's files are.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The orchestrator's journal.
    pub(crate) journal: PathBuf,
    /// The orchestrator's configuration.
    pub(crate) config: PathBuf,
    /// The orchestrator's log.
    pub(crate) log: PathBuf,
}

impl Place {
    /// That folder, or a new one among the system's temporary files. It is kept.
    pub(crate) fn make(folder: Option<&Path>, now: Timestamp) -> Result<Self, String> {
        let folder = folder.map_or_else(
            || std::env::temp_dir().join(format!("quittance-demo-{}-{}", now.unix_millis(), std::process::id())),
            Path::to_path_buf,
        );
        let wrong = |error| format!("the folder {} cannot be made: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(wrong)?;
        let folder = folder.canonicalize().map_err(wrong)?;
        let file = |name| folder.join(name);
        Ok(Self { journal: file("journal.db"), config: file("quittance.toml"), log: file("orchestrator.log"), folder })
    }

    /// The simulated terminals, not yet running.
    pub(crate) fn terminals(&self, now: Timestamp) -> Vec<SimConfig> {
        let again = self.journal.exists();
        let configured = |(name, family, _): (&str, Family, &str)| {
            let id: TerminalId = name.parse().ok()?;
            let mut config = match family {
                Family::Apollo => SimConfig::apollo(id),
                Family::P6x => SimConfig::p6x(id, self.folder.join(name)),
            };
            if again {
                // The terminals are new ones, but the journal remembers numbers of the old ones.
                config.quirks.first_session_id = u32::try_from(now.unix_millis() / 1000).unwrap_or(u32::MAX / 2);
            }
            Some(config)
        };
        TERMINALS.into_iter().filter_map(configured).collect()
    }

    /// Writes the configuration; gives the address of the API.
    pub(crate) fn configure(&self, depot: &Depot) -> Result<SocketAddr, String> {
        let api = free_address()?;
        let mut text = format!(
            "# Made by the demo, anew for each run.\n\n[site]\nid = \"depot-demo\"\ncurrency = \"EUR\"\n\n[api]\nlisten = \"{api}\"\n\n[journal]\npath = {}\n{RULES}",
            quoted(&self.journal)
        );
        for (terminal, (_, _, special)) in depot.terminals().zip(TERMINALS) {
            let address = depot.address(terminal.id()).unwrap_or_default();
            let link = match terminal.family() {
                Family::Apollo => format!("{{ tcp = \"{address}\" }}"),
                Family::P6x => format!("{{ serial = {}, baud = 57600 }}", quoted(Path::new(address))),
            };
            // A Commit whose answer is lost is asked for again soon.
            let limits = "{ command = \"3s\", commit = \"4s\", authorise = \"20s\", card = \"20s\" }";
            // Writing to a text cannot fail.
            let _ = write!(
                text,
                "\n[[terminals]]\nid = \"{}\"\nfamily = \"{}\"\nlink = {link}\nconnectors = {CONNECTORS}\ntimeouts = {limits}\n{special}",
                terminal.id(),
                terminal.family().as_str()
            );
        }
        fs::write(&self.config, text).map_err(|error| format!("{} cannot be written: {error}", self.config.display()))?;
        Ok(api)
    }
}

fn free_address() -> Result<SocketAddr, String> {
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let socket = usual.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    socket.and_then(|socket| socket.local_addr()).map_err(|error| format!("this machine has no free port: {error}"))
}

/// A path as a TOML string: JSON's escapes are among TOML's.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}
