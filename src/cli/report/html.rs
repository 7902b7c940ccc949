//! A report as a page that opens alone, from a disk or out of a mail, and prints well: no script, no picture, nothing to be loaded, heads
//! of tables on every sheet, and nothing that only a colour says.

use maud::{DOCTYPE, Markup, html};

use super::evidence::{Count, Evidence, Exception, Line, Sum};
use super::json::pan;
use super::text::{amount, lasted, range, short, title, why};

const STYLE: &str = include_str!("html/report.css");

pub(super) fn page(evidence: &Evidence) -> String {
    let title = title(evidence);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (origin(evidence))
                (damage(evidence))
                (exceptions(evidence))
                (sums(evidence))
                (sessions(evidence))
                (how_to_verify(evidence))
            }
        }
    };
    page.into_string()
}

fn origin(evidence: &Evidence) -> Markup {
    html! {
        dl {
            dt { "Journal" } dd { (evidence.file) ", " (range(evidence)) }
            dt { "Hash of record 1" } dd .hash { (evidence.first_hash) }
            dt { "Hash of record " (evidence.records) } dd .hash { (evidence.last_hash) }
            dt { "Checked" } dd {
                @if evidence.damage.is_empty() {
                    "Every record fits the hash of the one before it and may follow from it; approved = disposed + undisposed."
                } @else {
                    "The journal is not sound, see below."
                }
            }
        }
    }
}

fn damage(evidence: &Evidence) -> Markup {
    html! {
        @if !evidence.damage.is_empty() || !evidence.unreadable.is_empty() {
            section .damage {
                h2 { "The journal is not sound" }
                p { "What follows is what its readable records say. Sessions may be missing, and sums with them." }
                ul {
                    @for why in &evidence.damage { li { (why) } }
                    @for (session, why) in &evidence.unreadable { li { "Session " (session) " cannot be told: " (why) } }
                }
            }
        }
    }
}

fn exceptions(evidence: &Evidence) -> Markup {
    let found = evidence.exceptions();
    html! {
        h2 { "Exceptions: " (found.len()) }
        @if found.is_empty() {
            p { "None: every session was decided in time, and its end was confirmed by its terminal." }
        } @else {
            table {
                thead { tr {
                    th { "Session" } th { "Terminal" } th { "Approved, UTC" } th { "State" } th .number { "Held" }
                    th .number { "Final" } th { "Why" }
                } }
                tbody { @for line in found { tr {
                    td .name { (line.session.id) }
                    td { (line.session.terminal) }
                    td .time { (approved(line)) }
                    td { strong { (state(line)) } }
                    td .number { (amount(line, line.held())) }
                    td .number { (amount(line, line.captured())) }
                    td .why { (why(line)) }
                } } }
            }
        }
    }
}

fn sums(evidence: &Evidence) -> Markup {
    html! {
        @for whole in evidence.sums.iter().filter(|sum| sum.terminal.is_none()) {
            h2 { "Sums in " (whole.currency) }
            table .sums {
                thead {
                    tr {
                        th rowspan="2" { "Terminal" }
                        th colspan="2" .group { "Approved" } th colspan="3" .group { "Committed" } th colspan="2" .group { "Voided" }
                        th colspan="2" .group { "Expired" } th colspan="2" .group { "Open" }
                    }
                    tr {
                        th .number { "sessions" } th .number { "held" }
                        th .number { "sessions" } th .number { "held" } th .number { "captured" }
                        th .number { "sessions" } th .number { "held" }
                        th .number { "sessions" } th .number { "held" }
                        th .number { "sessions" } th .number { "held" }
                    }
                }
                tbody {
                    @for sum in evidence.sums.iter().filter(|sum| sum.terminal.is_some() && sum.currency == whole.currency) {
                        tr { (sum_row(sum)) }
                    }
                    tr .whole { (sum_row(whole)) }
                }
            }
            @if whole.unknown > 0 {
                p { "How much is held for " (whole.unknown) " of the open ones is not known, and not in the sums." }
            }
        }
    }
}

fn sum_row(sum: &Sum) -> Markup {
    let count = |count: Count| html! { td .number { (count.sessions) } td .number { (sum.currency.major(count.held)) } };
    html! {
        td { (sum.terminal.as_ref().map_or("all", |terminal| terminal.as_str())) }
        (count(sum.approved))
        (count(sum.committed))
        td .number { (sum.currency.major(sum.captured)) }
        (count(sum.voided))
        (count(sum.expired))
        (count(sum.open))
    }
}

fn sessions(evidence: &Evidence) -> Markup {
    html! {
        h2 { "Sessions: " (evidence.lines.len()) }
        @if !evidence.lines.is_empty() {
            table .sessions {
                thead {
                    tr {
                        th rowspan="2" { "Session, reference" } th rowspan="2" { "Terminal" } th rowspan="2" { "Card" }
                        th rowspan="2" { "Approved, UTC" } th rowspan="2" { "State" }
                        th rowspan="2" .number { "Held" } th rowspan="2" .number { "Final" }
                        th colspan="2" .group { "Decided" } th colspan="2" .group { "Confirmed" } th rowspan="2" .number { "Records" }
                    }
                    tr { th .number { "after" } th { "by" } th .number { "after" } th { "by" } }
                }
                tbody { @for line in &evidence.lines { (session(line)) } }
            }
        }
    }
}

fn session(line: &Line) -> Markup {
    let session = &line.session;
    let words = |word: Option<&str>| word.map_or_else(|| "–".to_owned(), |word| word.replace('_', " "));
    let after = |time: Option<std::time::Duration>| time.map_or_else(|| "–".to_owned(), lasted);
    html! {
        tr {
            td .name {
                (session.id)
                @if let Some(reference) = &session.caller_reference { br; span .reference { (reference) } }
            }
            td {
                (session.terminal)
                @if let Some(connector) = session.connector { " / " (connector.0) }
            }
            td .name { (pan(line).unwrap_or_else(|| "–".to_owned())) }
            td .time { (approved(line)) }
            td { (state(line)) @if !line.exceptions.is_empty() { " " strong title=(why(line)) { "(!)" } } }
            td .number { (amount(line, line.held())) }
            td .number { (amount(line, line.captured())) }
            td .number { (after(line.until_decided())) }
            td { (words(line.decided_by())) }
            td .number { (after(line.until_confirmed())) }
            td { (words(line.known_by())) }
            td .number { (line.records.0) "–" (line.records.1) }
        }
    }
}

fn how_to_verify(evidence: &Evidence) -> Markup {
    html! {
        section .verify {
            h2 { "How to read and verify this" }
            p {
                "A session is listed if it was approved in the time above: at its beginning or later, and before its end. One whose \
                 approval nobody knows is listed by the moment at which the bank was asked. (!) marks those among the exceptions. "
                em { "Confirmed by" } ": "
                em { "result ok" } ", the terminal said so; " em { "list absent" } ", the terminal does not list the hold any more after an \
                 answer was lost; " em { "presumed" } ", it does not know the hold any more and cannot list; " em { "timer" } ", the \
                 terminal's own timer is past; " em { "person" } ", somebody has settled it. Amounts of a disposal are what was decided and \
                 confirmed, not what a bank has paid out."
            }
            p {
                "This report was made from records 1 to " (evidence.records) " of the journal and from nothing else; the same records give \
                 the same report. Whoever has the journal's file verifies that these records are the ones by "
                code { "quittance journal verify --journal " (evidence.file) " --at " (evidence.records) }
                ", which checks all of it and prints the hash above; later records do not change it. Without Quittance: the hash of a record \
                 is the SHA-256, in lower case hexadecimal digits, of the hash of the record before it (64 zeros before the first), and its \
                 columns seq, at, terminal, session, kind and body, each but the last followed by a line feed, in the table "
                code { "record" } " of the SQLite file."
            }
        }
    }
}

fn approved(line: &Line) -> String {
    line.approved_at.map_or_else(|| "–".to_owned(), |at| short(at).trim_end_matches(" UTC").to_owned())
}

fn state(line: &Line) -> String {
    // The kind says more than the state where both are there.
    match line.exceptions.first() {
        Some(Exception::Presumed) => format!("{}, presumed", line.session.state_name()),
        _ => line.session.state_name().replace('_', " "),
    }
}
