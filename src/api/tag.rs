//! Answers that a client may already have: each has an ETag, and who sends it back in If-None-Match is told that nothing has
//! changed, in a few bytes.

use actix_web::http::header::{ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// It may be kept, but not used without asking; and by nobody on the way.
pub(super) const ASK_AGAIN: (&str, &str) = ("Cache-Control", "private, no-cache");

/// A text with its tag.
pub(super) struct Tagged {
    tag: String,
    text: Bytes,
}

impl Tagged {
    /// The tag is made from the text.
    pub(super) fn new(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let digest: String = Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { tag: format!("\"{digest}\""), text }
    }

    /// The text, unless whoever asks has it.
    pub(super) fn answer(&self, request: &HttpRequest, content_type: &str) -> HttpResponse {
        if has(request, &self.tag) {
            return unchanged(&self.tag);
        }
        let mut response = HttpResponse::Ok();
        response.insert_header((ETAG, self.tag.as_str())).insert_header(ASK_AGAIN).content_type(content_type);
        response.body(self.text.clone())
    }
}

/// The tag of a session is its version.
pub(super) fn of_version(version: u64) -> String {
    format!("\"{version}\"")
}

/// Whether whoever asks has what this tag belongs to. (RFC 9110, 13.1.2: a weak comparison.)
pub(super) fn has(request: &HttpRequest, tag: &str) -> bool {
    let known = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    known.flat_map(|list| list.split(',')).map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// 304.
pub(super) fn unchanged(tag: &str) -> HttpResponse {
    HttpResponse::NotModified().insert_header((ETAG, tag)).insert_header(ASK_AGAIN).finish()
}
