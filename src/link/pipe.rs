//! Wires of memory, for simulations: whoever plays the other side hands them over.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::DuplexStream;

use crate::protocol::Discipline;

/// A wire to come.
type Coming = Pin<Box<dyn Future<Output = io::Result<DuplexStream>>>>;

/// Where a wire of memory comes from. Two with the same name count as the same.
#[derive(Clone)]
pub struct Pipe {
    name: String,
    serial: bool,
    call: Arc<dyn Fn() -> Coming + Send + Sync>,
}

impl Pipe {
    /// A place of this name; every time somebody connects, `call` gives a wire or refuses. `serial`: it stands for a serial line, which
    /// can be noisy, and not for a connection.
    pub fn new(name: &str, serial: bool, call: impl Fn() -> Coming + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), serial, call: Arc::new(call) }
    }

    pub(super) const fn discipline(&self) -> Discipline {
        if self.serial { Discipline::Resynchronise } else { Discipline::Strict }
    }

    pub(super) async fn connect(&self) -> io::Result<DuplexStream> {
        (self.call)().await
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("name", &self.name).field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl PartialEq for Pipe {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.serial) == (&other.name, other.serial)
    }
}

impl Eq for Pipe {}

impl Hash for Pipe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
