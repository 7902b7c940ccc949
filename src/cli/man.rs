//! `quittance man` and `quittance completions`: what a package installs beside the program, made from the command line itself.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// What is typed, and what it is for. Each belongs to the page of its command, and all to the page of the program.
const EXAMPLES: [(&str, &str); 24] = [
    ("quittance check --config /etc/quittance/quittance.toml", "Say every mistake of a configuration before it is used."),
    (
        "quittance run --config /etc/quittance/quittance.toml --log-format json",
        "Run the orchestrator, as its unit for systemd does.",
    ),
    ("quittance terminals --watch", "Look at the terminals again and again."),
    ("quittance sessions --undisposed", "Show every open hold, what is late, and why."),
    ("quittance sessions --terminal bay-02 --json", "The same for a program, of one terminal."),
    ("quittance explain 01a209ca-3192", "Tell the story of the one session whose name begins like this."),
    (
        "quittance explain 01a209ca-3192 --journal /var/lib/quittance/journal.db",
        "The same out of the file, with or without a program that runs.",
    ),
    ("quittance drain bay-02", "Take no new cards on a terminal; holds go on to their end."),
    ("quittance resume bay-02", "Take cards again."),
    ("quittance reconnect bay-02", "Make the link anew, also out of quarantine."),
    ("quittance reconcile bay-02", "Compare our holds with the terminal's, and print both sides."),
    (
        "quittance resolve 01a209ca-3192 --outcome committed --amount 12.40 --note 'settlement file of 24 November'",
        "Settle a session that is uncertain.",
    ),
    ("quittance resolve 01a209ca-3192 --withdraw", "Take back what waits for a second person."),
    ("quittance reload", "Let the program read its configuration again."),
    (
        "quittance report --from 2026-11-01 --to 2026-12-01 --journal /var/lib/quittance/journal.db",
        "What became of every session that was approved in November.",
    ),
    (
        "quittance report --from 2026-11-01 --to 2026-12-01 --html --journal /var/lib/quittance/journal.db",
        "The same as a page to be printed.",
    ),
    (
        "quittance journal verify --journal /var/lib/quittance/journal.db",
        "Prove that the journal is what was appended, and that it balances.",
    ),
    (
        "quittance journal verify --journal /var/lib/quittance/journal.db --at 1385",
        "Print the hash of a record as well, to compare it with a report's.",
    ),
    ("quittance journal show --journal /var/lib/quittance/journal.db --json", "Print every record for a program."),
    ("quittance decode 10 20 30", "Explain the bytes of a frame."),
    ("quittance decode --file frames/bay-01.psp --dialogue", "Read a recording as the conversation that it is."),
    ("quittance completions bash", "Print the completions for a shell."),
    ("quittance man", "Print this manual in one page."),
    ("quittance man /usr/local/share/man/man1", "Write a page for each command."),
];

const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "It was done. A reader that stops early, such as head, is no failure."),
    ("1", "It was not done, or what was looked at is not sound; one line on standard error says why."),
    ("2", "It was typed wrongly."),
];

const ENVIRONMENT: [(&str, &str); 6] = [
    ("QUITTANCE_URL", "Where the API is, if --url does not say it."),
    (
        "QUITTANCE_TOKEN",
        "The token to show to the API, if --token does not say it. Better than --token, which others can see in the list of processes.",
    ),
    ("QUITTANCE_CA", "The CA that signed the API's certificate, if --ca does not say it."),
    (
        "QUITTANCE__SECTION__KEY",
        "Overrides a key of the configuration, such as QUITTANCE__API__LISTEN. One that is not known is a mistake.",
    ),
    ("RUST_LOG", "What is logged, instead of log.filter."),
    ("NO_COLOR", "No colours, not even on a terminal."),
];

const FILES: [(&str, &str); 4] = [
    ("quittance.toml", "The configuration; the one that comes with the program explains every key."),
    (
        "journal.db",
        "The journal, a SQLite file: every fact that may not be forgotten. With journal.db-wal beside it while a program runs.",
    ),
    ("journal.db.lock", "Keeps a second orchestrator out."),
    ("frames/*.psp", "What the frame recorder has written."),
];

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell, mut command: Command, out: &mut dyn Write) -> io::Result<u8> {
    let name = command.get_name().to_owned();
    // Made in memory first, since the generator gives up when nobody reads any more.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    Ok(0)
}

/// Writes a page for each command into the folder, or prints all of them as one.
pub(super) fn run(folder: Option<&Path>, command: Command, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let pages = pages(command)?;
    match folder {
        None => out.write_all(&whole(&pages)?)?,
        Some(folder) => {
            for page in &pages {
                let file = folder.join(format!("{}.1", page.name));
                if let Err(error) = fs::write(&file, &page.text) {
                    writeln!(err, "{}: {error}", file.display())?;
                    return Ok(1);
                }
                writeln!(out, "{}", file.display())?;
            }
        }
    }
    Ok(0)
}

/// The manual's page of one command.
struct Page {
    /// Such as `quittance-journal-verify`.
    name: String,
    text: Vec<u8>,
}

/// The program's own page first, then those of its commands.
fn pages(command: Command) -> io::Result<Vec<Page>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, "quittance", &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, typed: &str, pages: &mut Vec<Page>) -> io::Result<()> {
    pages.push(Page { name: typed.replace(' ', "-"), text: page(command, typed)? });
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect(below, &format!("{typed} {}", below.get_name()), pages)?;
    }
    Ok(())
}

fn page(command: &Command, typed: &str) -> io::Result<Vec<u8>> {
    let name = typed.replace(' ', "-");
    let version = concat!("quittance ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone().display_name(&name)).title(&name).source(version).manual("Quittance");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::default();
    section(&mut more, "EXIT STATUS", EXIT_STATUS);
    if typed == "quittance" {
        section(&mut more, "ENVIRONMENT", ENVIRONMENT);
        section(&mut more, "FILES", FILES);
    }
    let whose = |line: &str| line == typed || line.starts_with(&format!("{typed} "));
    section(&mut more, "EXAMPLES", EXAMPLES.into_iter().filter(|(line, _)| whose(line)));
    more.to_writer(&mut text)?;
    Ok(text)
}

fn section<'a>(roff: &mut Roff, title: &str, told: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut told = told.into_iter().peekable();
    if told.peek().is_none() {
        return;
    }
    roff.control("SH", [title]);
    for (what, means) in told {
        roff.control("TP", []);
        roff.text([bold(what)]);
        roff.text([roman(means)]);
    }
}

/// All pages as one: the program's own, and from each command's what only that says, under its name.
fn whole(pages: &[Page]) -> io::Result<Vec<u8>> {
    let Some((first, rest)) = pages.split_first() else { return Ok(Vec::new()) };
    let mut text = first.text.clone();
    for page in rest {
        writeln!(text, ".SH \"{}\"", page.name.replace('-', " ").to_uppercase())?;
        let own = String::from_utf8_lossy(&page.text);
        let mut wanted = false;
        for line in own.lines() {
            if let Some(title) = line.strip_prefix(".SH ") {
                wanted = matches!(title.trim_matches('"'), "SYNOPSIS" | "DESCRIPTION" | "OPTIONS");
                if title == "OPTIONS" {
                    writeln!(text, ".PP")?;
                }
            } else if wanted {
                writeln!(text, "{line}")?;
            }
        }
    }
    Ok(text)
}
