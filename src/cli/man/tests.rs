//! The manual says what the command line says, and what it shows can be typed.

use clap::{CommandFactory, Parser};

use super::super::Cli;
use super::*;

fn names(command: &Command, typed: &str, into: &mut Vec<(String, Command)>) {
    into.push((typed.to_owned(), command.clone()));
    for below in command.get_subcommands() {
        names(below, &format!("{typed} {}", below.get_name()), into);
    }
}

fn everything() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    names(&Cli::command(), "quittance", &mut found);
    assert!(found.len() > 15);
    found
}

fn plain(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).unwrap().replace("\\-", "-").replace("\\fR", "").replace("\\fB", "").replace("\\fI", "")
}

/// No command and no option is left out, neither of its own page nor of the whole.
#[test]
fn every_command_has_a_page() {
    let pages = pages(Cli::command()).unwrap();
    let whole = plain(&whole(&pages).unwrap());
    for (typed, command) in everything() {
        let page = pages.iter().find(|page| page.name == typed.replace(' ', "-")).unwrap_or_else(|| panic!("no page: {typed}"));
        let text = plain(&page.text);
        assert!(text.contains(".SH \"EXIT STATUS\"") && text.contains(".SH NAME"), "{text}");
        assert!(whole.contains(&typed.to_uppercase()) || typed == "quittance", "{typed} is not in the whole");
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(text.contains(&format!("--{option}")) && whole.contains(&format!("--{option}")), "{typed}: --{option}");
        }
    }
}

/// What the examples show is understood by the program, and every command that can be typed has one.
#[test]
fn every_example_can_be_typed() {
    for (line, _) in EXAMPLES {
        let (unquoted, quoted) = line.split_once(" '").unwrap_or((line, ""));
        let words = unquoted.split(' ').chain(Some(quoted.trim_end_matches('\'')).filter(|rest| !rest.is_empty()));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
    for (typed, command) in everything().into_iter().filter(|(_, command)| !command.has_subcommands()) {
        let shown = EXAMPLES.iter().any(|(line, _)| *line == typed || line.starts_with(&format!("{typed} ")));
        assert!(shown, "{typed} ({:?}) has no example", command.get_name());
    }
}
