//! `quittance journal verify` and `quittance journal show`: the journal for an auditor, with or without a running orchestrator.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::id::SessionId;
use crate::journal::verify::{self, hash_of, verify as follow};
use crate::journal::{JournalError, Record, view};

/// Checks the hash chain, and by `check` what the records say: its text is printed when all is sound, or else the record that
/// is not and why. Prints the hash of record `at`, too.
pub fn verify(
    path: &Path,
    at: Option<u64>,
    check: impl FnOnce(&mut dyn Iterator<Item = Record>) -> Result<String, (u64, String)>,
    out: &mut dyn Write,
) -> ExitCode {
    let (verdict, exit) = match follow(path, check) {
        Ok((verify::Summary { records, hash, .. }, told)) => {
            let told = if told.is_empty() { told } else { format!("; {told}") };
            (format!("sound: {records} records{told}; the last hash is {hash}"), ExitCode::SUCCESS)
        }
        Err(JournalError::Damaged { seq, why }) => (format!("not sound: record {seq}: {why}"), ExitCode::FAILURE),
        Err(error) => return failed(&error),
    };
    if let Err(error) = writeln!(out, "{verdict}") {
        return failed(&error);
    }
    match at.map(|seq| (seq, hash_of(path, seq))) {
        None => exit,
        Some((seq, Ok(Some(hash)))) => {
            writeln!(out, "record {seq} has the hash {hash}").map_or_else(|error| failed(&error), |()| exit)
        }
        Some((seq, Ok(None))) => failed(&format!("there is no record {seq}")),
        Some((_, Err(error))) => failed(&error),
    }
}

/// Prints the records, or those of one session, oldest first: a line for a person each, or a JSON object.
pub fn show(path: &Path, session: Option<SessionId>, json: bool, out: &mut dyn Write) -> ExitCode {
    let mut broken = None;
    let shown = verify::each(path, session, |read| {
        let line = match read {
            Ok(record) if json => view::public_json(&record).to_string(),
            Ok(record) => view::public_line(&record),
            Err((seq, why)) => {
                broken.get_or_insert(JournalError::Damaged { seq, why });
                return Ok(());
            }
        };
        writeln!(out, "{line}")
    });
    match shown {
        Ok(Ok(())) => broken.as_ref().map_or(ExitCode::SUCCESS, |error| failed(error)),
        // Whoever reads has seen enough, such as `head`.
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    // Data goes to stdout, and why there is none to stderr; it may be closed, too.
    let _ = writeln!(io::stderr(), "quittance: {error}");
    ExitCode::FAILURE
}
