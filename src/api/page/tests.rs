//! What the page says of each kind of session, and who may read it. How it looks is seen in a browser.

use super::concern::{self, Urgency};
use crate::api::tests::{Scripted, ask, at, disposing, get, held, opened, tokens, view};
use crate::journal::record::{Cause, DeadMan, DeadManAction, DiscrepancyKind};
use crate::journal::record::{Discrepancy, Entry, Fact, Record, Report, ReportResult, Trigger};
use crate::session::state::{Disposal, Failure, Hold};
use crate::session::{Session, State};
use crate::terminal::View;
use crate::terminal::view::LinkState;

/// Each state with each link, before and after its deadline: who must act, and the words for it.
#[test]
fn what_is_said_of_a_session() {
    let up = view();
    let down = View { link: LinkState::Down, last_error: Some("no route to host".to_owned()), ..view() };
    let quarantined = View { link: LinkState::Quarantined, last_error: Some("wrong serial number".to_owned()), ..view() };
    let (early, late) = (at("2026-03-01T11:30:00Z"), at("2026-03-01T12:30:00Z"));
    let deadline = Some(at("2026-03-01T12:00:00Z"));
    let dead_man = DeadMan { at: None, action: DeadManAction::Void };
    let doubt = Session { state: State::InDoubt(dead_man), hold: None, ..held() };
    let uncertain = Session { state: State::Uncertain("the terminal has forgotten it".to_owned()), ..held() };
    let failed = |refusals, last_failure| {
        let disposal = disposing().disposal.map(|disposal| Disposal { refusals, last_failure, ..disposal });
        Session { disposal, ..disposing() }
    };
    let alert =
        Session { hold: held().hold.map(|hold| Hold { at_end: crate::journal::record::AtEnd::Alert, ..hold }), ..held() };
    let table = [
        ("held, in time", held(), Some(&up), early, Urgency::None, ""),
        ("held, its link down", held(), Some(&down), early, Urgency::None, ""),
        ("held too long", held(), Some(&up), late, Urgency::Waiting, "nobody has ended it in time."),
        (
            "held too long, and a person decides",
            alert,
            Some(&up),
            late,
            Urgency::Person,
            "nobody has ended it in time, and by the configuration a person decides: commit or void it.",
        ),
        (
            "no such terminal any more",
            held(),
            None,
            early,
            Urgency::Person,
            "its terminal is not in the configuration, so nobody can end this hold.",
        ),
        ("being committed", disposing(), Some(&up), early, Urgency::None, "taking 31.40 EUR is decided (api) and tried twice."),
        (
            "being committed behind a link that is down",
            failed(0, Some(Failure::Unanswered(Cause::LinkLost))),
            Some(&down),
            early,
            Urgency::Waiting,
            "taking 31.40 EUR is decided (api) and tried twice; last: no answer: link lost; its terminal cannot be reached (no \
             route to host).",
        ),
        (
            "refused, and nobody knows why",
            failed(2, Some(Failure::Refused(None))),
            Some(&up),
            early,
            Urgency::Waiting,
            "taking 31.40 EUR is decided (api) and tried twice; last: refused: no reason given.",
        ),
        (
            "being committed behind a quarantine",
            disposing(),
            Some(&quarantined),
            early,
            Urgency::Person,
            "taking 31.40 EUR is decided (api) and tried twice; its terminal fails again and again (wrong serial number): look at \
             it.",
        ),
        (
            "in doubt",
            doubt,
            Some(&up),
            early,
            Urgency::Waiting,
            "the bank's answer was lost, so there may be a hold; the terminal's own timer gives it back in any case.",
        ),
        (
            "uncertain",
            uncertain,
            Some(&up),
            early,
            Urgency::Person,
            "the terminal has forgotten it; find out what became of it, then resolve the session.",
        ),
    ];
    for (case, session, terminal, now, urgency, sentence) in table {
        let concern = concern::of(&session, terminal, deadline, now);
        assert_eq!((concern.urgency, concern.sentence.as_str()), (urgency, sentence), "{case}");
    }
}

/// The tables hold what the fleet says, in words and escaped, and what is overdue is told apart.
#[tokio::test]
async fn the_page_shows_terminals_holds_and_reports() {
    let depot = Scripted::new(Session { state: State::Uncertain("<b>forgotten</b>".to_owned()), ..held() });
    let report = Report {
        trigger: Trigger::Connect,
        on_terminal: Some(Vec::new()),
        in_journal: Vec::new(),
        discrepancies: vec![Discrepancy {
            kind: DiscrepancyKind::OrphanOnTerminal,
            terminal_session_id: Some(crate::id::TerminalSessionId(77)),
            session: None,
            action: "void".to_owned(),
            why: "nobody knows it".to_owned(),
        }],
        result: ReportResult::Repaired,
        error: None,
        began_at: at("2026-03-01T11:59:00Z"),
    };
    let entry = Entry {
        at: at("2026-03-01T11:59:30Z"),
        terminal: Some("bay-01".parse().unwrap()),
        session: None,
        fact: Fact::Reconciled { report },
    };
    depot.change(|script| {
        script.records = vec![Record { seq: 9, entry }];
        script.unready = vec!["bay-02 is not reconciled yet".to_owned()];
    });
    let page = get(&depot, "/").await;
    assert_eq!((page.status, page.header("Content-Type")), (200, "text/html; charset=utf-8"));
    for shown in [
        "<h1>depot &amp; co</h1>",
        "<title>(2) depot &amp; co · Quittance</title>",
        "1 hold needs a person",
        "bay-02 is not reconciled yet",
        "&lt;b&gt;forgotten&lt;/b&gt;; find out what became of it, then resolve the session.",
        "45.00 EUR",
        "12.40",
        "22:00 <span class=\"quiet\">in 10h</span>",
        "orphan on terminal 77: void (nobody knows it)",
        "no answer\nto Get Status",
    ] {
        assert!(page.text.contains(shown), "no {shown:?} in {}", page.text);
    }
    assert!(!page.text.contains("<b>forgotten"), "{}", page.text);
    assert!(page.header("Content-Security-Policy").starts_with("default-src 'none';"));
}

/// Nothing is held: the page says so, and calls nobody.
#[tokio::test]
async fn a_quiet_depot_says_so() {
    let depot = Scripted::new(opened());
    let page = get(&depot, "/").await;
    assert!(page.text.contains("All is well"), "{}", page.text);
    assert!(page.text.contains("<title>depot &amp; co · Quittance</title>"), "{}", page.text);
}

/// A browser gives the token as a password; whatever else it gives, it is asked again, and learns nothing.
#[tokio::test]
async fn a_token_as_password_opens_the_page_and_nothing_else() {
    // "anybody:viewer-token", "anybody:wrong" and "no colon", encoded by `base64`.
    let (good, wrong, broken) = ("Basic YW55Ym9keTp2aWV3ZXItdG9rZW4=", "Basic YW55Ym9keTp3cm9uZw==", "Basic bm8gY29sb24=");
    let depot = Scripted::new(held());
    for (path, header, status) in [
        ("/", Some(good), 200),
        ("/", Some("Bearer viewer-token"), 200),
        ("/", Some(wrong), 401),
        ("/", Some(broken), 401),
        ("/", Some("Basic %%%"), 401),
        ("/", None, 401),
        ("/v1/sessions", Some(good), 401),
    ] {
        let headers: Vec<_> = header.iter().map(|header| ("Authorization", *header)).collect();
        let reply = ask(&depot, tokens(), "GET", path, &headers, None).await;
        assert_eq!(reply.status, status, "{path} {header:?}");
        let asks = reply.header("WWW-Authenticate").starts_with("Basic ");
        assert_eq!(asks, path == "/" && status == 401, "{path} {header:?}");
        assert_eq!(reply.text.contains("bay-01"), status == 200, "{path} {header:?}");
    }
    let assets = [("/status.css", "text/css; charset=utf-8"), ("/status.js", "text/javascript; charset=utf-8")];
    for (path, kind) in assets {
        let reply = ask(&depot, tokens(), "GET", path, &[], None).await;
        assert_eq!((reply.status, reply.header("Content-Type")), (200, kind));
    }
}
