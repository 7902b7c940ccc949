//! A record as it is stored: text that an auditor can read, and a hash that holds it to the record before.
//!
//! ```text
//! hash(N) = SHA-256 of   hash(N-1) \n seq \n at \n terminal \n session \n kind \n body      in lower case hex
//! hash(0) = 64 zeros     an absent terminal or session is empty text
//! ```
//!
//! No column but the last can hold a line feed (a record whose column does is damaged), so the text has one meaning only.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::record::{Entry, Fact, Record};

/// What the first record is chained to.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The name of a record's variant inside its JSON.
const KIND: &str = "kind";

/// The columns of a record that is not yet numbered.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) at: String,
    pub(super) terminal: Option<String>,
    pub(super) session: Option<String>,
    pub(super) kind: String,
    pub(super) body: String,
}

impl Columns {
    /// The columns of an entry.
    pub(super) fn of(entry: &Entry) -> Result<Self, String> {
        let (kind, fields) = fields(&entry.fact)?;
        Ok(Self {
            at: entry.at.to_string(),
            terminal: entry.terminal.as_ref().map(ToString::to_string),
            session: entry.session.map(|session| session.to_string()),
            kind,
            body: Value::Object(fields).to_string(),
        })
    }

    /// The hash of these columns as record `seq` after a record with the hash `previous`.
    pub(super) fn hash(&self, seq: u64, previous: &str) -> String {
        let mut sha = Sha256::new();
        for part in [
            previous,
            &seq.to_string(),
            &self.at,
            self.terminal.as_deref().unwrap_or_default(),
            self.session.as_deref().unwrap_or_default(),
            &self.kind,
        ] {
            sha.update(part);
            sha.update("\n");
        }
        sha.update(&self.body);
        sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The record that these columns say.
    pub(super) fn decode(&self, seq: u64) -> Result<Record, String> {
        let at = self.at.parse().map_err(|error| format!("its time {:?} is none: {error}", short(&self.at)))?;
        let terminal = self.terminal.as_deref().map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        let session = match self.session.as_deref() {
            Some(text) => Some(text.parse().map_err(|error| format!("its session {:?} is none: {error}", short(text)))?),
            None => None,
        };
        // The error of the JSON reader may quote what it read, which may be card data: its place must do.
        let place = |error: serde_json::Error| format!("its body is not JSON (column {})", error.column());
        let mut fields: Map<String, Value> = serde_json::from_str(&self.body).map_err(place)?;
        fields.insert(KIND.to_owned(), Value::String(self.kind.clone()));
        let fact: Fact = serde_json::from_value(Value::Object(fields))
            .map_err(|_| format!("its body does not say what a record of kind {:?} says", short(&self.kind)))?;
        Ok(Record { seq, entry: Entry { at, terminal, session, fact } })
    }
}

/// The kind of a fact, and its own fields.
pub(super) fn fields(fact: &Fact) -> Result<(String, Map<String, Value>), String> {
    match serde_json::to_value(fact) {
        Ok(Value::Object(mut fields)) => match fields.remove(KIND) {
            Some(Value::String(kind)) => Ok((kind, fields)),
            _ => Err("a fact without a kind".to_owned()),
        },
        Ok(_) => Err("a fact that is no JSON object".to_owned()),
        Err(error) => Err(format!("a fact that cannot be written as JSON: {error}")),
    }
}

/// A record as it was read back.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) columns: Columns,
    pub(super) hash: String,
}

/// The last record of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl Head {
    /// Of an empty journal.
    pub(super) fn genesis() -> Self {
        Self { seq: 0, hash: GENESIS.to_owned() }
    }

    /// The row that follows with these columns. `None`: the numbers are used up.
    pub(super) fn follow(&self, columns: Columns) -> Option<Row> {
        let seq = self.seq.checked_add(1)?;
        let hash = columns.hash(seq, &self.hash);
        Some(Row { seq, columns, hash })
    }
}

impl Row {
    /// This row as the last one.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }
}

/// So much of a text as fits into a message.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
