//! `/`: the depot on one page, for the person who stands in it. Plain tables that need no script; a script renews them. What
//! the page says is what the API says, in words, and nothing can be changed here.

mod concern;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{DOCTYPE, Markup, html};

use super::auth::Guest;
use super::error::Problem;
use super::routes::Routes;
use super::tag::Tagged;
use super::view::discrepancies_in_words;
use super::{Api, in_time};
use crate::fleet::Filter;
use crate::id::TerminalId;
use crate::journal::Record;
use crate::journal::record::{Fact, Report, ReportResult};
use crate::session::{Session, State};
use crate::terminal::View;
use crate::terminal::view::LinkState;
use crate::time::Timestamp;
use concern::{Concern, Urgency};

/// More open holds than a depot has connectors; the rest is only counted.
const HOLDS_SHOWN: usize = 200;

/// So many past reconciliations are shown.
const REPORTS_SHOWN: usize = 10;

/// Without its script the page is loaded anew after so many seconds.
const RELOAD_SECONDS: u8 = 10;

/// Nothing but what this server sends, and nobody else may frame it.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes(routes: &mut Routes) {
    routes.page("/", status).page("/status.css", style).page("/status.js", script);
}

async fn style(request: HttpRequest) -> HttpResponse {
    Tagged::new(include_str!("page/status.css")).answer(&request, "text/css; charset=utf-8")
}

async fn script(request: HttpRequest) -> HttpResponse {
    Tagged::new(include_str!("page/status.js")).answer(&request, "text/javascript; charset=utf-8")
}

async fn status(_by: Guest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let open = Filter { undisposed: true, limit: usize::MAX, ..Filter::default() };
    let (sessions, _) = in_time(api.depot.sessions(open)).await?;
    let depot = Depot {
        site: &api.site,
        now: api.depot.now(),
        terminals: api.depot.terminals(),
        deadlines: sessions.iter().map(|session| api.depot.deadline(session)).collect(),
        sessions,
        // The journal may be what is wrong; then the rest of the page is wanted most.
        reports: in_time(api.depot.reconciliations(None, REPORTS_SHOWN)).await.unwrap_or_default(),
        unready: api.depot.unready(),
    };
    let page = HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", CONTENT_POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(depot.page().into_string());
    Ok(page)
}

/// Everything that the page shows.
struct Depot<'a> {
    site: &'a str,
    now: Timestamp,
    terminals: Vec<View>,
    sessions: Vec<Session>,
    /// One for each session.
    deadlines: Vec<Option<Timestamp>>,
    reports: Vec<Record>,
    unready: Vec<String>,
}

/// A session and what is to be said of it.
struct Line<'a> {
    session: &'a Session,
    deadline: Option<Timestamp>,
    concern: Concern,
}

impl Depot<'_> {
    fn page(&self) -> Markup {
        let lines = self.lines();
        let urgent: Vec<&Line<'_>> = lines.iter().filter(|line| line.concern.urgency != Urgency::None).collect();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title(&urgent)) }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href="/status.css";
                    noscript { meta http-equiv="refresh" content=(RELOAD_SECONDS); }
                    script src="/status.js" defer {}
                }
                body {
                    header {
                        h1 { (self.site) }
                        p id="live" .quiet role="status" { "renewed every " (RELOAD_SECONDS) " s" }
                    }
                    main {
                        (self.banner(&urgent))
                        (self.figures(&lines))
                        (self.attention(&urgent))
                        (self.terminal_table())
                        (self.hold_table(&lines))
                        (self.report_table())
                        p .quiet { "As of " (clock(self.now)) " UTC, " (self.now.to_string()) "." }
                    }
                }
            }
        }
    }

    /// Every open session, the most urgent first, then by deadline.
    fn lines(&self) -> Vec<Line<'_>> {
        let terminals: HashMap<&TerminalId, &View> = self.terminals.iter().map(|view| (&view.id, view)).collect();
        let mut lines: Vec<Line<'_>> = (self.sessions.iter().zip(&self.deadlines))
            .map(|(session, deadline)| Line {
                session,
                deadline: *deadline,
                concern: concern::of(session, terminals.get(&session.terminal).copied(), *deadline, self.now),
            })
            .collect();
        lines.sort_by_key(|line| (line.concern.urgency, line.deadline.is_none(), line.deadline, line.session.id));
        lines
    }

    fn title(&self, urgent: &[&Line<'_>]) -> String {
        let calls = urgent.iter().filter(|line| line.concern.urgency == Urgency::Person).count() + self.unready.len();
        if calls == 0 { format!("{} · Quittance", self.site) } else { format!("({calls}) {} · Quittance", self.site) }
    }

    fn banner(&self, urgent: &[&Line<'_>]) -> Markup {
        let person = urgent.iter().filter(|line| line.concern.urgency == Urgency::Person).count();
        html! {
            @if person > 0 {
                p .banner.bad { (count(person, "hold needs", "holds need")) " a person" }
            } @else if !self.unready.is_empty() {
                p .banner.bad { "Not ready" }
            } @else if !urgent.is_empty() {
                p .banner.warn { (count(urgent.len(), "hold is", "holds are")) " waiting for an answer" }
            } @else {
                p .banner.good { "All is well" }
            }
            @for reason in &self.unready {
                p .bad { (reason) }
            }
        }
    }

    fn figures(&self, lines: &[Line<'_>]) -> Markup {
        let overdue = lines.iter().filter(|line| line.deadline.is_some_and(|at| at < self.now)).count();
        let in_state = |wanted: fn(&State) -> bool| lines.iter().filter(|line| wanted(&line.session.state)).count();
        let up = self.terminals.iter().filter(|view| view.link == LinkState::Up).count();
        html! {
            ul .figures {
                li { b { (lines.len()) } "undisposed" }
                li { b { (held(lines)) } "held" }
                li { b .bad[overdue > 0] { (overdue) } "overdue" }
                li { b { (in_state(|state| matches!(state, State::InDoubt(_)))) } "in doubt" }
                li { b { (in_state(|state| matches!(state, State::Uncertain(_)))) } "uncertain" }
                li { b { (up) "/" (self.terminals.len()) } "terminals up" }
            }
        }
    }

    fn attention(&self, urgent: &[&Line<'_>]) -> Markup {
        html! {
            @if !urgent.is_empty() {
                h2 { "What is not as it should be" }
                ul {
                    @for line in urgent {
                        li {
                            strong { (line.session.terminal.as_str()) ", " (amount(line.session)) ": " }
                            (line.concern.sentence)
                            " " code .quiet { (line.session.id.to_string()) }
                        }
                    }
                }
            }
        }
    }

    fn terminal_table(&self) -> Markup {
        html! {
            h2 { "Terminals" }
            table {
                thead { tr { th { "Terminal" } th { "Link" } th { "State" } th { "Holds" } th { "Compared" } th { "Last error" } } }
                tbody {
                    @for view in &self.terminals {
                        tr {
                            td data-label="Terminal" { span { strong { (view.id.as_str()) } " " span .quiet { (view.family.as_str()) } } }
                            td data-label="Link" .(link_class(view.link)) { (view.link.as_str()) }
                            td data-label="State" { span { (view.state) @if view.draining || view.leaving { " " span .warn { "draining" } } } }
                            td data-label="Holds" { (view.undisposed) " of " (view.connectors) }
                            td data-label="Compared" { (self.compared(view)) }
                            td data-label="Last error" .quiet { (view.last_error.as_deref().unwrap_or("–")) }
                        }
                    }
                }
            }
        }
    }

    fn compared(&self, view: &View) -> Markup {
        html! {
            @match &view.last_reconciliation {
                Some((at, report)) => span {
                    span .(result_class(report.result)) { (report.result.as_str()) }
                    " " span .quiet { (age(self.now.since(*at))) " ago" }
                },
                None => "not yet",
            }
        }
    }

    fn hold_table(&self, lines: &[Line<'_>]) -> Markup {
        html! {
            h2 { "Holds" }
            @if lines.is_empty() {
                p .quiet { "No money is held." }
            } @else {
                table {
                    thead { tr {
                        th { "Terminal" } th { "State" } th .number { "Held" } th .number { "Energy" } th .number { "Age" }
                        th { "To end by (UTC)" } th { "Session" }
                    } }
                    tbody {
                        @for line in lines.iter().take(HOLDS_SHOWN) { (self.hold_row(line)) }
                    }
                }
                @if lines.len() > HOLDS_SHOWN {
                    p .quiet { "and " (lines.len() - HOLDS_SHOWN) " more" }
                }
            }
        }
    }

    fn hold_row(&self, line: &Line<'_>) -> Markup {
        let session = line.session;
        let since = session.hold.as_ref().map_or(session.created_at, |hold| hold.since);
        html! {
            tr {
                td data-label="Terminal" {
                    span {
                        strong { (session.terminal.as_str()) }
                        @if let Some(connector) = session.connector { " plug " (connector.0) }
                    }
                }
                td data-label="State" .(urgency_class(line.concern.urgency)) { (session.state_name()) }
                td data-label="Held" .number { (amount(session)) }
                td data-label="Energy" .number {
                    (session.energy.map_or_else(|| "–".to_owned(), |energy| session.currency.major(energy.minor().into())))
                }
                td data-label="Age" .number { (age(self.now.since(since))) }
                td data-label="To end by" { (self.deadline(line.deadline)) }
                td data-label="Session" { code { (session.id.to_string()) } }
            }
        }
    }

    fn deadline(&self, deadline: Option<Timestamp>) -> Markup {
        html! {
            @match deadline {
                Some(at) if at < self.now => span .bad { (age(self.now.since(at))) " overdue" },
                Some(at) => span { (clock(at)) " " span .quiet { "in " (age(at.since(self.now))) } },
                None => "–",
            }
        }
    }

    fn report_table(&self) -> Markup {
        let reports = self.reports.iter().filter_map(|record| match &record.entry.fact {
            Fact::Reconciled { report } => Some((record, report)),
            _ => None,
        });
        html! {
            h2 { "Last comparisons with the terminals" }
            @if self.reports.is_empty() {
                p .quiet { "None yet." }
            } @else {
                table {
                    thead { tr { th { "When" } th { "Terminal" } th { "Result" } th { "What was found and done" } } }
                    tbody {
                        @for (record, report) in reports { (self.report_row(record, report)) }
                    }
                }
            }
        }
    }

    fn report_row(&self, record: &Record, report: &Report) -> Markup {
        html! {
            tr {
                td data-label="When" { (age(self.now.since(record.entry.at))) " ago" }
                td data-label="Terminal" { (record.entry.terminal.as_ref().map_or("–", TerminalId::as_str)) }
                td data-label="Result" .(result_class(report.result)) { (report.result.as_str()) }
                td data-label="Found" { (discrepancies_in_words(report)) }
            }
        }
    }
}

/// How much is held, in each currency; sums do not overflow, since a depot's holds are 32-bit numbers.
fn held(lines: &[Line<'_>]) -> String {
    let mut sums: Vec<(crate::money::Currency, u64)> = Vec::new();
    for (session, amount) in lines.iter().filter_map(|line| Some((line.session, line.session.hold.as_ref()?.amount?))) {
        match sums.iter_mut().find(|(currency, _)| *currency == session.currency) {
            Some((_, sum)) => *sum = sum.saturating_add(amount.minor().into()),
            None => sums.push((session.currency, amount.minor().into())),
        }
    }
    let sums: Vec<String> = sums.iter().map(|(currency, sum)| format!("{} {currency}", currency.major(*sum))).collect();
    if sums.is_empty() { "0".to_owned() } else { sums.join(" + ") }
}

fn amount(session: &Session) -> String {
    let (amount, unsure) = match &session.hold {
        Some(hold) => (hold.amount, ""),
        None => (session.amount_requested, "perhaps "),
    };
    match amount {
        Some(amount) => format!("{unsure}{} {}", session.currency.major(amount.minor().into()), session.currency),
        None => "an unknown amount".to_owned(),
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// To the second below an hour, to the minute above.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let exact = if seconds >= 3600 { seconds - seconds % 60 } else { seconds };
    humantime::format_duration(Duration::from_secs(exact)).to_string()
}

/// Hours and minutes, as RFC 3339 has them.
fn clock(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

const fn link_class(link: LinkState) -> &'static str {
    match link {
        LinkState::Up => "good",
        LinkState::Down => "warn",
        LinkState::Quarantined => "bad",
    }
}

const fn urgency_class(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Person => "bad",
        Urgency::Waiting => "warn",
        Urgency::None => "plain",
    }
}

const fn result_class(result: ReportResult) -> &'static str {
    match result {
        ReportResult::Clean => "good",
        ReportResult::Repaired => "warn",
        ReportResult::Failed => "bad",
    }
}
