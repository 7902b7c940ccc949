//! The configuration: TOML, overridden by the environment, turned into the settings that the lower layers define. Whatever is
//! wrong is said at once, each [`Mistake`] with its key path.
//!
//! Relative paths are relative to the working directory of the process, as with any daemon.

mod link;
mod quirks;
mod raw;
mod record;
mod reload;
mod remembered;
mod settings;
mod terminals;
#[cfg(test)]
mod tests;
mod ui;
mod warnings;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use reload::{Settings as Difference, follow};
pub use remembered::{recall, remember};
pub use settings::{Config, Site};
pub use warnings::warnings;

/// Environment variables by name. An argument, so that nothing below the command line reads the process's own.
pub type Environment = BTreeMap<String, String>;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `terminals[1].id`, or the variable that is unknown. Empty when it concerns the whole file.
    pub path: String,
    /// What.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// One that concerns the whole file.
    pub fn one(message: String) -> Self {
        Self(vec![Mistake { path: String::new(), message }])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads and validates a file.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, Mistakes> {
    let text = std::fs::read_to_string(path).map_err(|error| Mistakes::one(format!("cannot be read: {error}")))?;
    parse(&text, environment)
}

/// Validates the text of a file.
pub fn parse(text: &str, environment: &Environment) -> Result<Config, Mistakes> {
    let mut mistakes = Vec::new();
    let root = raw::read(text, environment, &mut mistakes).map_err(|mistake| Mistakes(vec![mistake]))?;
    match settings::validate(root, &mut mistakes) {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(Mistakes(mistakes)),
    }
}

/// Where the journal is when nobody says.
fn default_journal() -> PathBuf {
    PathBuf::from("journal.db")
}
