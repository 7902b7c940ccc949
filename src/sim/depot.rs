//! Several simulated terminals at once, with one bank behind them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::bank::Bank;
use super::handle::SimHandle;
use super::papers::Papers;
use super::quirks::Quirks;
use super::stage::Stage;
use super::terminal::SimTerminal;
use super::tls::TlsListen;
use super::{listener, pty};
use crate::id::TerminalId;
use crate::protocol::Family;
use crate::time::Clock;

/// Where a terminal is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A listening socket; port 0 takes a free one.
    Tcp(SocketAddr),
    /// Likewise, with TLS.
    Tls(Box<TlsListen>),
    /// A pseudo terminal, under this path (a symbolic link, which keeps its name when the device is unplugged and plugged).
    Pty(PathBuf),
    /// Nowhere: the caller brings the wire to its [`Port`](super::Port).
    Port,
}

impl Listen {
    /// The socket's address, if it is one.
    pub(super) const fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Tls(tls) => Some(tls.address),
            Self::Pty(_) | Self::Port => None,
        }
    }
}

/// One terminal of a depot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// Its name.
    pub id: TerminalId,
    /// Its family.
    pub family: Family,
    /// Where it is to be reached.
    pub listen: Listen,
    /// Its serial number.
    pub serial_number: String,
    /// What is special about it.
    pub quirks: Quirks,
    /// What it gives as raw bytes.
    pub papers: Papers,
}

impl SimConfig {
    /// An Apollo on a free port of this machine.
    pub fn apollo(id: TerminalId) -> Self {
        let serial_number = format!("APO-{id}");
        let listen = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self { id, family: Family::Apollo, listen, serial_number, quirks: Quirks::default(), papers: Papers::default() }
    }

    /// A P6X on a pseudo terminal under this path.
    pub fn p6x(id: TerminalId, path: impl Into<PathBuf>) -> Self {
        // Fourteen characters and a NUL (PSP, Request Ids).
        let serial_number = format!("P6X-{id}").chars().take(14).collect();
        Self {
            id,
            family: Family::P6x,
            listen: Listen::Pty(path.into()),
            serial_number,
            quirks: Quirks::default(),
            papers: Papers::default(),
        }
    }
}

/// Why a depot could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// Two terminals have the same name.
    #[error("two terminals are called {0}")]
    Twice(TerminalId),
    /// The family does not speak over that (PSP, Transports).
    #[error("terminal {0}: a P6X is reached by pty only")]
    Transport(TerminalId),
    /// The socket or device could not be made.
    #[error("terminal {id} cannot be reached at {at}: {error}")]
    Io {
        /// Which terminal.
        id: TerminalId,
        /// Where.
        at: String,
        /// Why.
        error: io::Error,
    },
}

/// Simulated terminals, reachable until this is dropped.
#[derive(Debug)]
pub struct Depot {
    bank: Bank,
    /// In the order of their configuration.
    terminals: Vec<(SimHandle, String)>,
    index: HashMap<TerminalId, usize>,
    tasks: Vec<JoinHandle<()>>,
    links: Vec<PathBuf>,
}

impl Depot {
    /// Opens the terminals on the current tokio runtime, with a new bank behind them.
    pub async fn start(configs: Vec<SimConfig>) -> Result<Self, DepotError> {
        Self::start_with(configs, Bank::new(), Clock::start()).await
    }

    /// Opens the terminals with this bank and clock.
    pub async fn start_with(configs: Vec<SimConfig>, bank: Bank, clock: Clock) -> Result<Self, DepotError> {
        let order = Arc::new(AtomicU64::new(0));
        let mut depot = Self { bank, terminals: Vec::new(), index: HashMap::new(), tasks: Vec::new(), links: Vec::new() };
        for config in configs {
            depot.open(config, clock, Arc::clone(&order)).await?;
        }
        Ok(depot)
    }

    /// The bank behind all of them.
    pub const fn bank(&self) -> &Bank {
        &self.bank
    }

    /// The terminal of this name.
    pub fn terminal(&self, id: &TerminalId) -> Option<&SimHandle> {
        self.index.get(id).and_then(|index| self.terminals.get(*index)).map(|(handle, _)| handle)
    }

    /// All terminals, in the order of their configuration.
    pub fn terminals(&self) -> impl Iterator<Item = &SimHandle> {
        self.terminals.iter().map(|(handle, _)| handle)
    }

    /// Where a host reaches it: `host:port`, or the path of the device.
    pub fn address(&self, id: &TerminalId) -> Option<&str> {
        self.index.get(id).and_then(|index| self.terminals.get(*index)).map(|(_, address)| address.as_str())
    }

    async fn open(&mut self, config: SimConfig, clock: Clock, order: Arc<AtomicU64>) -> Result<(), DepotError> {
        let SimConfig { id, family, listen, serial_number, quirks, papers } = config;
        if self.index.contains_key(&id) {
            return Err(DepotError::Twice(id));
        }
        let mut terminal = SimTerminal::new(id.clone(), family, serial_number, quirks, self.bank.clone());
        terminal.papers = papers;
        let serial = family == Family::P6x || matches!(listen, Listen::Pty(_));
        let stage = Arc::new(Stage::new(terminal, family, serial, clock, order));
        let (address, task) = match (family, listen) {
            (Family::Apollo, Listen::Tcp(wanted)) => {
                let wrong = |error| DepotError::Io { id: id.clone(), at: wanted.to_string(), error };
                let socket = TcpListener::bind(wanted).await.map_err(wrong)?;
                let address = socket.local_addr().map_err(wrong)?;
                (address.to_string(), Some(tokio::spawn(listener::serve(Arc::clone(&stage), address, socket, None))))
            }
            (Family::Apollo, Listen::Tls(tls)) => {
                let wrong = |error| DepotError::Io { id: id.clone(), at: tls.address.to_string(), error };
                tls.config().map_err(wrong)?;
                let socket = TcpListener::bind(tls.address).await.map_err(wrong)?;
                let address = socket.local_addr().map_err(wrong)?;
                (address.to_string(), Some(tokio::spawn(listener::serve(Arc::clone(&stage), address, socket, Some(*tls)))))
            }
            (_, Listen::Pty(path)) => {
                let wrong = |error| DepotError::Io { id: id.clone(), at: path.display().to_string(), error };
                let device = pty::Device::create(&path).map_err(wrong)?;
                let address = path.display().to_string();
                self.links.push(path);
                (address, Some(tokio::spawn(pty::serve(Arc::clone(&stage), device))))
            }
            (_, Listen::Port) => ("port".to_owned(), None),
            (Family::P6x, Listen::Tcp(_) | Listen::Tls(_)) => return Err(DepotError::Transport(id)),
        };
        self.tasks.extend(task);
        self.index.insert(id.clone(), self.terminals.len());
        self.terminals.push((SimHandle { id, family, bank: self.bank.clone(), stage }, address));
        Ok(())
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for link in &self.links {
            // It may be gone already, or the terminal unplugged.
            let _ = std::fs::remove_file(link);
        }
    }
}
