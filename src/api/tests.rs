//! The API before a scripted fleet: what comes in, what the fleet is asked, what goes out.

mod access;
mod asking;
mod bodies;
mod edge;
pub(crate) mod outside;
mod requests;
mod views;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use serde_json::Value;

use super::depot::{Answer, Enough};
use super::events::Settings as EventSettings;
use super::reload::{NotReloaded, Reloaded, Reloader};
use super::{Api, Depot, Events, Live, Role, Token, Tokens, routes};
use crate::card::{Card, CardHash, MaskedPan};
use crate::config::{Mistake, Mistakes};
use crate::fleet::{Filter, Wanted};
use crate::id::{Connector, SessionId, SessionReference, TerminalId, TerminalSessionId};
use crate::journal::record::{AtEnd, DeadMan, DeadManAction, DecidedBy, Decision, Learned, Origin};
use crate::journal::verify::Place;
use crate::journal::{MemoryJournal, Record};
use crate::money::Amount;
use crate::protocol::{Family, Request, Response};
use crate::session::state::{Disposal, Hold};
use crate::session::story::Story;
use crate::session::{Refusal, Session, State, Wish};
use crate::terminal::{Accepted, Identity, LinkState, View};
use crate::time::Timestamp;

/// The session that every fleet here has.
pub(crate) const SESSION: &str = "01936b1e-7c00-7000-8000-000000000001";

/// A fleet that answers what it was told to and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Mutex<Script>>);

pub(super) struct Script {
    pub(super) session: Session,
    refusal: Option<Refusal>,
    replayed: bool,
    silent: bool,
    takes: Duration,
    pub(super) unready: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
    response: Response,
    pub(super) records: Vec<Record>,
    asked: Vec<String>,
}

impl Scripted {
    pub(crate) fn new(session: Session) -> Self {
        let script = Script {
            session,
            refusal: None,
            replayed: false,
            silent: false,
            takes: Duration::ZERO,
            unready: Vec::new(),
            mistakes: Vec::new(),
            response: Response::Cancelled,
            records: Vec::new(),
            asked: Vec::new(),
        };
        Self(Arc::new(Mutex::new(script)))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// Remembers the question; `silent` never answers, `refusal` answers once, and everything else takes its time.
    async fn hear(&self, question: String) -> Result<(), Refusal> {
        let (silent, takes) = {
            let mut script = self.0.lock().unwrap();
            script.asked.push(question);
            if let Some(refusal) = script.refusal.take() {
                return Err(refusal);
            }
            (script.silent, script.takes)
        };
        tokio::time::sleep(takes).await;
        if silent { std::future::pending().await } else { Ok(()) }
    }

    fn known(&self, session: SessionId) -> Result<Session, Refusal> {
        let known = self.0.lock().unwrap().session.clone();
        if known.id == session { Ok(known) } else { Err(Refusal::SessionUnknown(session.to_string())) }
    }
}

impl Depot for Scripted {
    fn open(&self, wanted: Wanted) -> Answer<'_, (Session, bool)> {
        Box::pin(async move {
            self.hear(format!("{wanted:?}")).await?;
            let script = self.0.lock().unwrap();
            Ok((script.session.clone(), !script.replayed))
        })
    }

    fn instruct(&self, session: SessionId, wish: Wish) -> Answer<'_, Session> {
        Box::pin(async move {
            self.hear(format!("{wish:?}")).await?;
            self.known(session)
        })
    }

    fn session(&self, session: SessionId) -> Answer<'_, Session> {
        Box::pin(async move { self.known(session) })
    }

    fn wait(&self, session: SessionId, limit: Duration, enough: Enough) -> Answer<'_, Session> {
        Box::pin(async move {
            let look = async {
                while !enough(&self.known(session)?) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok::<_, Refusal>(())
            };
            if let Ok(looked) = tokio::time::timeout(limit, look).await {
                looked?;
            }
            self.known(session)
        })
    }

    fn sessions(&self, filter: Filter) -> Answer<'_, (Vec<Session>, Option<SessionId>)> {
        Box::pin(async move {
            let first = filter.before.is_none();
            let before = filter.before.map(|before| before.to_string());
            let question = (filter.undisposed, filter.terminal, filter.state, before, filter.limit);
            self.hear(format!("{question:?}")).await?;
            let session = self.0.lock().unwrap().session.clone();
            let next = first.then_some(session.id);
            Ok((vec![session], next))
        })
    }

    fn story(&self, session: SessionId) -> Answer<'_, Story> {
        Box::pin(async move {
            self.hear(format!("story of {session}")).await?;
            let places: Vec<Place> = self.0.lock().unwrap().records.iter().cloned().map(Place::Record).collect();
            Story::tell(session, &places, self.now()).ok_or_else(|| Refusal::SessionUnknown(session.to_string()))
        })
    }

    fn terminals(&self) -> Vec<View> {
        vec![view()]
    }

    fn terminal(&self, terminal: &str) -> Result<View, Refusal> {
        if terminal == "bay-01" { Ok(view()) } else { Err(Refusal::TerminalUnknown(terminal.to_owned())) }
    }

    fn drain<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(async move {
            self.hear(format!("drain {terminal} by {by}")).await?;
            Ok(View { draining: true, ..self.terminal(terminal)? })
        })
    }

    fn resume<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(async move {
            self.hear(format!("resume {terminal} by {by}")).await?;
            self.terminal(terminal)
        })
    }

    fn reconnect<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(async move {
            self.hear(format!("reconnect {terminal} by {by}")).await?;
            self.terminal(terminal)
        })
    }

    fn request<'a>(&'a self, terminal: &'a str, request: Request, by: String) -> Answer<'a, Response> {
        Box::pin(async move {
            self.hear(format!("{request:?} of {terminal} by {by}")).await?;
            Ok(self.0.lock().unwrap().response.clone())
        })
    }

    fn reconcile<'a>(&'a self, terminal: &'a str) -> Answer<'a, Record> {
        Box::pin(async move {
            self.hear(format!("reconcile {terminal}")).await?;
            Ok(self.0.lock().unwrap().records[0].clone())
        })
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(async move {
            self.hear(format!("{limit} reconciliations of {terminal:?}")).await?;
            Ok(self.0.lock().unwrap().records.clone())
        })
    }

    fn unready(&self) -> Vec<String> {
        self.0.lock().unwrap().unready.clone()
    }

    fn now(&self) -> Timestamp {
        at("2026-03-01T12:00:00Z")
    }

    fn deadline(&self, session: &Session) -> Option<Timestamp> {
        session.hold.as_ref().map(|hold| hold.end_by)
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A session that waits for a card.
pub(crate) fn opened() -> Session {
    Session {
        id: SESSION.parse().unwrap(),
        version: 1,
        terminal: "bay-01".parse().unwrap(),
        device: None,
        connector: Some(Connector(1)),
        reference: Some(SessionReference(4711)),
        caller_reference: Some("plug 7".to_owned()),
        origin: Origin::Api,
        idempotency: None,
        currency: "EUR".parse().unwrap(),
        amount_requested: Some(Amount::from_minor(5000)),
        asked_bank_at: None,
        card: None,
        state: State::Opened,
        hold: None,
        update: None,
        energy: None,
        disposal: None,
        resolution: None,
        past_unsure: false,
        created_at: at("2026-03-01T10:00:00Z"),
        changed_at: at("2026-03-01T10:00:00Z"),
    }
}

/// A session with a hold and some energy.
pub(crate) fn held() -> Session {
    Session {
        version: 4,
        state: State::Held,
        card: Some(Card {
            hash: Some(CardHash::new("0123456789abcdef")),
            masked_pan: Some(MaskedPan::new("541333******0019")),
        }),
        hold: Some(Hold {
            terminal_session_id: TerminalSessionId(11),
            amount: Some(Amount::from_minor(4500)),
            learned: Learned::PartiallyApproved,
            since: at("2026-03-01T10:00:20Z"),
            plug_in_by: at("2026-03-01T10:05:20Z"),
            end_by: at("2026-03-01T22:00:20Z"),
            at_end: AtEnd::CommitLastKnown,
            dead_man: DeadMan { at: None, action: DeadManAction::Void },
            reused_by: None,
            shared_with: None,
            doubted_since: None,
        }),
        energy: Some(Amount::from_minor(1240)),
        changed_at: at("2026-03-01T10:30:00Z"),
        ..opened()
    }
}

/// A session whose commit of 31.40 is decided.
pub(super) fn disposing() -> Session {
    let disposal = Disposal {
        decision: Decision::Commit(Amount::from_minor(3140)),
        by: DecidedBy::Api,
        decided_at: at("2026-03-01T11:00:00Z"),
        attempts: 2,
        under_way: true,
        doubtful: false,
        refusals: 0,
        last_ended_at: None,
        last_failure: None,
        confirmed_by: None,
    };
    Session { version: 7, state: State::Disposing, disposal: Some(disposal), changed_at: at("2026-03-01T11:00:01Z"), ..held() }
}

pub(super) fn view() -> View {
    View {
        id: "bay-01".parse().unwrap(),
        family: Family::Apollo,
        state: "wait_card",
        link: LinkState::Up,
        draining: false,
        leaving: false,
        refuses_cards: None,
        connectors: 2,
        undisposed: 1,
        identity: Some(Identity { serial_number: "A0042".to_owned(), model: None, software: vec!["psp 3.1".to_owned()] }),
        protocol: Some(Accepted { version: 3, options: vec!["events"], missing: vec!["extended_block"] }),
        last_reconciliation: None,
        last_error: Some("no answer\nto Get Status".to_owned()),
        timer_in_question: false,
        reconciled: true,
    }
}

/// One token per role; the token's text is the role's name with "-token" after it. The digests were made with `sha256sum`.
pub(crate) fn tokens() -> Vec<Token> {
    let token = |name: &str, role, sha256: &str| {
        let byte = |place: usize| u8::from_str_radix(&sha256[place * 2..place * 2 + 2], 16).unwrap();
        Token { name: name.to_owned(), role, sha256: std::array::from_fn(byte) }
    };
    vec![
        token("dashboard", Role::Viewer, "d036bd6d01a1cae081d39a2f8dab751dc042de814fd60df31fcb553170950f29"),
        token("charger", Role::Operator, "0850123315d21ab90f4f7236408a52ef6dbd6a02a6550e5c10dc73f4d993680e"),
        token("boss", Role::Admin, "10a4c7c9fc5206d6f36dc6944a81bb6f4a3cb0e25014ae3b12e6c3e52712292a"),
    ]
}

/// The tokens at first, and the fleet itself for reading the configuration again.
pub(super) fn live(depot: &Scripted, tokens: Vec<Token>) -> Live {
    let tokens = Arc::new(Tokens::new(tokens));
    Live { tokens, resolve_requires_two: Arc::default(), reloader: Arc::new(depot.clone()), events: events() }
}

impl Reloader for Scripted {
    fn reload(self: Arc<Self>, by: String) -> Pin<Box<dyn Future<Output = Result<Reloaded, NotReloaded>>>> {
        Box::pin(async move {
            self.hear(format!("reload by {by}")).await?;
            let mistakes = std::mem::take(&mut self.0.lock().unwrap().mistakes);
            if mistakes.is_empty() {
                Ok(Reloaded { added: vec!["bay-02".to_owned()], needs_restart: vec!["api.listen"], ..Reloaded::default() })
            } else {
                Err(NotReloaded::Invalid(Mistakes(mistakes)))
            }
        })
    }
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and problem code.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("Content-Type"), "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status);
        (self.status, body["code"].as_str().unwrap().to_owned())
    }

    fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

/// The events of an empty journal.
pub(super) fn events() -> Events {
    Events::start(Arc::new(MemoryJournal::new()), EventSettings::default(), |_| ()).unwrap()
}

/// One request; `headers` are `("Name", "value")`, a body is sent as JSON unless they say otherwise.
pub(super) async fn ask(
    depot: &Scripted,
    tokens: Vec<Token>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Reply {
    let live = live(depot, tokens);
    let api = web::Data::new(Api::new("depot & co".to_owned(), depot.clone(), live, || "quittance_link_up 1\n".to_owned()));
    let app = init_service(App::new().wrap(from_fn(crate::api::edge::pass)).configure(|app| routes(app, api))).await;
    let mut request = TestRequest::with_uri(path).method(method.parse::<Method>().unwrap());
    if let Some(body) = body {
        request = request.insert_header(("Content-Type", "application/json")).set_payload(body.to_owned());
    }
    for header in headers {
        request = request.insert_header(*header);
    }
    let response = call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = match response.into_body().try_into_bytes() {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        // It streams, and goes on for ever.
        Err(_) => String::new(),
    };
    Reply { status, headers, text }
}

pub(super) async fn get(depot: &Scripted, path: &str) -> Reply {
    ask(depot, Vec::new(), "GET", path, &[], None).await
}

async fn post(depot: &Scripted, path: &str, body: &str) -> Reply {
    ask(depot, Vec::new(), "POST", path, &[], (!body.is_empty()).then_some(body)).await
}

/// `action` of the one session.
fn path(action: &str) -> String {
    format!("/v1/sessions/{SESSION}{action}")
}
