//! What comes in as JSON: a small flat object whose fields are taken out one by one. Each mistake names its field, and what
//! nobody has taken out in the end is a mistake, too: a misspelt `"amout"` must not pass for "no amount".

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::error::{Problem, quoted};
use crate::money::Amount;
use crate::session::Refusal;

/// No request of ours is longer than some hundred bytes; a note of 1000 characters takes 4000.
const LIMIT: usize = 16 * 1024;

/// A body that has not arrived by then holds a connection for nothing.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The fields of a request.
#[derive(Debug)]
pub(super) struct Body(BTreeMap<String, Value>);

impl Body {
    /// An amount.
    pub(super) fn amount(&mut self, field: &str) -> Result<Amount, Problem> {
        let value = self.0.remove(field).ok_or_else(|| missing(field))?;
        amount(&value)
    }

    /// An amount, if there is one.
    pub(super) fn optional_amount(&mut self, field: &str) -> Result<Option<Amount>, Problem> {
        self.optional(field).map(|value| amount(&value)).transpose()
    }

    /// A text.
    pub(super) fn text(&mut self, field: &str) -> Result<String, Problem> {
        self.optional_text(field)?.ok_or_else(|| missing(field))
    }

    /// A text, if there is one.
    pub(super) fn optional_text(&mut self, field: &str) -> Result<Option<String>, Problem> {
        match self.optional(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(field, "a text", &other)),
        }
    }

    /// A list, if there is one.
    pub(super) fn optional_list(&mut self, field: &str) -> Result<Option<Vec<Value>>, Problem> {
        match self.optional(field) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong(field, "a list", &other)),
        }
    }

    /// A number from 1 to 255, if there is one.
    pub(super) fn optional_ordinal(&mut self, field: &str) -> Result<Option<u8>, Problem> {
        let Some(value) = self.optional(field) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|number| *number > 0);
        number.map(Some).ok_or_else(|| wrong(field, "a whole number from 1 to 255", &value))
    }

    /// Refuses what nobody has asked for.
    pub(super) fn nothing_else(self) -> Result<(), Problem> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(field) => Err(Problem::malformed(format!("the field {} is not known here", quoted(&field)))),
        }
    }

    fn optional(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }
}

fn amount(value: &Value) -> Result<Amount, Problem> {
    let minor = value.as_u64().and_then(|minor| u32::try_from(minor).ok());
    let (most, came) = (u32::MAX, shown(value));
    minor.map(Amount::from_minor).ok_or_else(|| {
        let words = match value {
            Value::Number(_) if value.as_u64().is_some() => {
                format!("an amount is at most {most} minor units, but this is {came}")
            }
            _ => format!("an amount is a whole number of minor units, but this is {came}"),
        };
        Refusal::AmountInvalid(words).into()
    })
}

fn missing(field: &str) -> Problem {
    Problem::malformed(format!("the field \"{field}\" is missing"))
}

fn wrong(field: &str, expected: &str, came: &Value) -> Problem {
    Problem::malformed(format!("the field \"{field}\" is expected to be {expected}, but it is {}", shown(came)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.content_type().to_ascii_lowercase();
        let payload = payload.take();
        Box::pin(async move {
            let bytes = tokio::time::timeout(TIME_LIMIT, gather(payload)).await;
            let bytes = bytes.map_err(|_| Problem::too_slow(TIME_LIMIT))??;
            if bytes.is_empty() {
                return Ok(Self(BTreeMap::new()));
            }
            if content_type != "application/json" {
                return Err(Problem::wrong_media_type(&content_type));
            }
            serde_json::from_slice(&bytes)
                .map_err(|error| Problem::malformed(format!("the body is not a JSON object: {error}")))
        })
    }
}

async fn gather(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::malformed(format!("the body could not be read: {error}")))?;
        if bytes.len() + chunk.len() > LIMIT {
            return Err(Problem::too_large(LIMIT));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

// Not derived: a map would silently take the last one of two amounts.
impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((field, value)) = map.next_entry::<String, Value>()? {
                    let name = quoted(&field);
                    if fields.insert(field, value).is_some() {
                        return Err(A::Error::custom(format!("the field {name} is there twice")));
                    }
                }
                Ok(Body(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
