//! The fleet as the API sees it. It has the fleet's own methods, but can stand behind a pointer, so that the API is tested
//! without terminals.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::fleet::{Filter, Fleet, Wanted};
use crate::id::{SessionId, TerminalId};
use crate::journal::Record;
use crate::protocol::{Request, Response};
use crate::session::story::Story;
use crate::session::{Refusal, Session, Wish};
use crate::terminal::View;
use crate::time::Timestamp;

/// An answer to come.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + 'a>>;

/// Tells whether a session has come as far as somebody waits for.
pub type Enough = Box<dyn Fn(&Session) -> bool + Send>;

/// What can be asked of a fleet; see [`Fleet`] for what each method means.
pub trait Depot: Send + Sync + 'static {
    /// [`Fleet::open`].
    fn open(&self, wanted: Wanted) -> Answer<'_, (Session, bool)>;
    /// [`Fleet::instruct`].
    fn instruct(&self, session: SessionId, wish: Wish) -> Answer<'_, Session>;
    /// [`Fleet::session`].
    fn session(&self, session: SessionId) -> Answer<'_, Session>;
    /// [`Fleet::wait`].
    fn wait(&self, session: SessionId, limit: Duration, enough: Enough) -> Answer<'_, Session>;
    /// [`Fleet::sessions`].
    fn sessions(&self, filter: Filter) -> Answer<'_, (Vec<Session>, Option<SessionId>)>;
    /// [`Fleet::story`].
    fn story(&self, session: SessionId) -> Answer<'_, Story>;
    /// [`Fleet::terminals`].
    fn terminals(&self) -> Vec<View>;
    /// [`Fleet::terminal`].
    fn terminal(&self, terminal: &str) -> Result<View, Refusal>;
    /// [`Fleet::drain`].
    fn drain<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View>;
    /// [`Fleet::resume`].
    fn resume<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View>;
    /// [`Fleet::reconnect`].
    fn reconnect<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View>;
    /// [`Fleet::request`].
    fn request<'a>(&'a self, terminal: &'a str, request: Request, by: String) -> Answer<'a, Response>;
    /// [`Fleet::reconcile`].
    fn reconcile<'a>(&'a self, terminal: &'a str) -> Answer<'a, Record>;
    /// [`Fleet::reconciliations`].
    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Answer<'_, Vec<Record>>;
    /// [`Fleet::unready`].
    fn unready(&self) -> Vec<String>;
    /// [`Fleet::now`].
    fn now(&self) -> Timestamp;
    /// [`Fleet::deadline`].
    fn deadline(&self, session: &Session) -> Option<Timestamp>;
}

impl Depot for Fleet {
    fn open(&self, wanted: Wanted) -> Answer<'_, (Session, bool)> {
        Box::pin(Fleet::open(self, wanted))
    }

    fn instruct(&self, session: SessionId, wish: Wish) -> Answer<'_, Session> {
        Box::pin(Fleet::instruct(self, session, wish))
    }

    fn session(&self, session: SessionId) -> Answer<'_, Session> {
        Box::pin(Fleet::session(self, session))
    }

    fn wait(&self, session: SessionId, limit: Duration, enough: Enough) -> Answer<'_, Session> {
        Box::pin(Fleet::wait(self, session, limit, enough))
    }

    fn sessions(&self, filter: Filter) -> Answer<'_, (Vec<Session>, Option<SessionId>)> {
        Box::pin(Fleet::sessions(self, filter))
    }

    fn story(&self, session: SessionId) -> Answer<'_, Story> {
        Box::pin(Fleet::story(self, session))
    }

    fn terminals(&self) -> Vec<View> {
        Fleet::terminals(self)
    }

    fn terminal(&self, terminal: &str) -> Result<View, Refusal> {
        Fleet::terminal(self, terminal)
    }

    fn drain<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(Fleet::drain(self, terminal, by))
    }

    fn resume<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(Fleet::resume(self, terminal, by))
    }

    fn reconnect<'a>(&'a self, terminal: &'a str, by: String) -> Answer<'a, View> {
        Box::pin(Fleet::reconnect(self, terminal, by))
    }

    fn request<'a>(&'a self, terminal: &'a str, request: Request, by: String) -> Answer<'a, Response> {
        Box::pin(Fleet::request(self, terminal, request, by))
    }

    fn reconcile<'a>(&'a self, terminal: &'a str) -> Answer<'a, Record> {
        Box::pin(Fleet::reconcile(self, terminal))
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(Fleet::reconciliations(self, terminal, limit))
    }

    fn unready(&self) -> Vec<String> {
        Fleet::unready(self)
    }

    fn now(&self) -> Timestamp {
        Fleet::now(self)
    }

    fn deadline(&self, session: &Session) -> Option<Timestamp> {
        Fleet::deadline(self, session)
    }
}
