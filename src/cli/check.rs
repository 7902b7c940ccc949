//! `quittance check`: says whether a configuration is good, everything that is not, and what will be trouble.

use std::io::{self, Write};
use std::path::Path;

use crate::config::{self, Environment};
use crate::time::Clock;

/// Validates the file, writes what it finds, and gives the exit code: 0 when there is no mistake, 1 otherwise.
pub fn run(path: &Path, environment: &Environment, out: &mut dyn Write) -> io::Result<u8> {
    let file = path.display();
    match config::load(path, environment) {
        Ok(config) => {
            for warning in config::warnings(&config, Clock::start().now()) {
                writeln!(out, "{file}: warning: {warning}")?;
            }
            let (terminals, tokens) = (config.terminals.len(), config.api.tokens.len());
            writeln!(
                out,
                "ok: {terminals} {}, {tokens} {}, site {}, API on {}",
                plural("terminal", terminals),
                plural("token", tokens),
                config.site.id,
                config.api.listen
            )?;
            Ok(0)
        }
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                writeln!(out, "{file}: {mistake}")?;
            }
            let count = mistakes.0.len();
            writeln!(out, "{count} {}", plural("mistake", count))?;
            Ok(1)
        }
    }
}

fn plural(noun: &str, count: usize) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
