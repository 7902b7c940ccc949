//! `quittance check`: says whether a configuration is good, everything that is not, what will be trouble, and what it believes of its
//! terminals.

use std::io::{self, Write};
use std::path::Path;

use crate::config::{self, Environment};
use crate::protocol::quirks::{POINTS, Point, SETTLED};
use crate::protocol::{Family, Quirks};
use crate::terminal::settings::TerminalSettings;
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
            explain_quirks(&config.terminals, out)?;
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

/// Every point on which Payter's pages leave a choice, the value that is taken, and which terminals have another one.
fn explain_quirks(terminals: &[TerminalSettings], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nPayter's pages contradict each other or are silent on these points; `quirks` of a terminal settles them for it:"
    )?;
    for point in &POINTS {
        writeln!(out, "\n  {} = {}", point.key, documented(point))?;
        writeln!(out, "    the pages: {}", point.pages)?;
        writeln!(out, "    it sets:   {}", point.changes)?;
        for terminal in terminals {
            let (value, usual) = (point.value(&terminal.link.quirks), point.value(&Quirks::of(terminal.family)));
            if value != usual {
                writeln!(out, "    {}: {value}", terminal.id)?;
            }
        }
    }
    writeln!(out, "\nSettled otherwise:\n")?;
    for (what, how) in SETTLED {
        writeln!(out, "  {what}: {how}")?;
    }
    Ok(())
}

/// The value that holds unless a terminal has another one.
fn documented(point: &Point) -> String {
    let of = |family| point.value(&Quirks::of(family));
    let (apollo, p6x) = (of(Family::Apollo), of(Family::P6x));
    if apollo == p6x { apollo } else { format!("{apollo} on an Apollo, {p6x} on a P6X") }
}

fn plural(noun: &str, count: usize) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
