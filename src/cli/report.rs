//! `quittance report`: what became of every session that was approved within a time, out of a journal's file: for an accountant, and
//! for Payter's validation. The same journal and the same question give the same report, byte for byte; it names the records that it was
//! made from, so that a third person can verify it.
//!
//! A session belongs to the report if it was approved in `[from, to)`: at `from` or later, and before `to`. One of which nobody knows
//! whether it was approved belongs to it by the moment at which the bank was asked.

mod evidence;
mod html;
mod json;
#[cfg(test)]
mod tests;
mod text;

use std::io::Write;
use std::path::PathBuf;

use super::client::{Failure, exit_code};
use super::moment::moment;
use super::screen::Screen;
use crate::id::TerminalId;
use crate::time::Timestamp;
use evidence::{Evidence, Question};

/// Which sessions, and how
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Approved at this moment or later: a date (midnight UTC) or RFC 3339, such as 2026-11-01 or 2026-11-01T06:00:00+01:00
    #[arg(long, value_name = "TIME", value_parser = moment::<Timestamp>)]
    pub from: Option<Timestamp>,
    /// Approved before this moment; a month ends with the first day of the next one
    #[arg(long, value_name = "TIME", value_parser = moment::<Timestamp>)]
    pub to: Option<Timestamp>,
    /// Only those of this terminal
    #[arg(long, value_name = "T")]
    pub terminal: Option<TerminalId>,
    /// For programs; amounts are minor units
    #[arg(long)]
    pub json: bool,
    /// A page that opens alone and can be printed
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// The journal's file; its program may be running or not
    #[arg(long, value_name = "FILE")]
    pub journal: PathBuf,
}

/// Writes the report to `out`, or one line to `err`; gives the exit code, which is 1 also where the journal is not sound.
pub fn run(args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut sound = true;
    let done = report(args, screen, &mut sound, out);
    exit_code(done, err).max(u8::from(!sound))
}

fn report(args: &Args, screen: &Screen, sound: &mut bool, out: &mut dyn Write) -> Result<(), Failure> {
    let question = Question { from: args.from, to: args.to, terminal: args.terminal.clone() };
    if let (Some(from), Some(to)) = (question.from, question.to)
        && from >= to
    {
        return Err(Failure::Usage(format!("--from {from} is not before --to {to}")));
    }
    let evidence = Evidence::read(&args.journal, question)?;
    *sound = evidence.damage.is_empty();
    match (args.json, args.html) {
        (true, _) => writeln!(out, "{:#}", json::of(&evidence))?,
        (false, true) => out.write_all(html::page(&evidence).as_bytes())?,
        (false, false) => text::write(&evidence, screen.colours, out)?,
    }
    Ok(out.flush()?)
}
