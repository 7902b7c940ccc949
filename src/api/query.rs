//! What comes in after the question mark. Like a body, it is taken apart parameter by parameter: an unknown one is refused,
//! since a misspelt filter would silently list everything. An empty value is none.

use std::str::FromStr;

use actix_web::{HttpRequest, web};

use super::error::{Problem, quoted};

/// The parameters of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters, all of which must be among `known`.
    pub(super) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let pairs = pairs.map_err(|error| Problem::malformed(format!("the query cannot be read: {error}")))?.into_inner();
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::malformed(format!("the parameter {} is not known here; known: {known}", quoted(name))));
            }
            if pairs.iter().take(place).any(|(earlier, _)| earlier == name) {
                return Err(Problem::malformed(format!("the parameter \"{name}\" is there twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// The parameter's text, if it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The parameter as something else, if it is there and not empty; `expected` says what it should be.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| {
            let wrong = || format!("the parameter \"{name}\" is expected to be {expected}, but it is {}", quoted(text));
            text.parse().map_err(|_| Problem::malformed(wrong()))
        };
        self.text(name).map(parse).transpose()
    }

    /// How many to list: 1 to 1000, or 100 if nothing is said.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        const EXPECTED: &str = "a whole number from 1 to 1000";
        match self.parsed::<usize>("limit", EXPECTED)? {
            None => Ok(100),
            Some(limit) if (1..=1000).contains(&limit) => Ok(limit),
            Some(limit) => {
                Err(Problem::malformed(format!("the parameter \"limit\" is expected to be {EXPECTED}, but it is {limit}")))
            }
        }
    }
}
