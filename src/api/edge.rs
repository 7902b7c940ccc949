//! What happens to every request and every answer, whoever handles it: a name of its own, which the log has, too; an answer without a
//! body for HEAD; nothing that is kept on the way. And its connection counts as busy until the answer has gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use tracing::{Instrument, debug, info, info_span, warn};

use super::auth::Caller;
use super::connections::{Busy, Connection};

/// The name of a request, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are no names.
const REQUEST_ID_MAX: usize = 128;

/// How much of a path the log has.
const PATH_SHOWN: usize = 128;

/// Around every handler.
pub(super) async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Passing>, Error> {
    let busy = request.conn_data::<Connection>().map(Connection::work);
    let head = *request.method() == Method::HEAD;
    let id = name(&request);
    let span = info_span!("request", request_id = id);
    let mut response = next.call(request).instrument(span).await?;
    tell(&response, &id);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response.map_body(|_, body| {
        let size = body.size();
        Passing { body: (!head).then(|| body.boxed()), size, busy }
    }))
}

/// The request's own name, if it has one that can be written down; else a new one.
fn name(request: &ServiceRequest) -> String {
    let mut names = request.headers().get_all(REQUEST_ID);
    let own = names.next().filter(|_| names.next().is_none()).and_then(|name| name.to_str().ok());
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
    let own = own.filter(|name| (1..=REQUEST_ID_MAX).contains(&name.len()) && name.bytes().all(legal));
    own.map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

/// One line for each wish; what only reads, and what comes every few seconds, is told to those who look closer.
fn tell(response: &ServiceResponse<impl MessageBody>, request_id: &str) {
    let request = response.request();
    let (method, status) = (request.method(), response.status());
    let path: String = request.path().chars().take(PATH_SHOWN).collect();
    let extensions = request.extensions();
    let by = extensions.get::<Caller>().map_or("-", |caller| caller.0.as_str());
    let reads = *method == Method::GET || *method == Method::HEAD;
    let often = reads || status == StatusCode::TOO_MANY_REQUESTS || request.path().ends_with("/energy");
    let status = status.as_u16();
    if status == 500 {
        warn!(request_id, %method, path, status, by, "answered");
    } else if often {
        debug!(request_id, %method, path, status, by, "answered");
    } else {
        info!(request_id, %method, path, status, by, "answered");
    }
}

/// An answer's body on its way; none for HEAD, which is told its length only.
pub(super) struct Passing {
    body: Option<BoxBody>,
    size: BodySize,
    busy: Option<Busy>,
}

impl MessageBody for Passing {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.get_mut().body {
            Some(body) => Pin::new(body).poll_next(context),
            None => Poll::Ready(None),
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, size, busy } = self;
        match body.map(BoxBody::try_into_bytes) {
            None => Ok(Bytes::new()),
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(body)) => Err(Self { body: Some(body), size, busy }),
        }
    }
}
