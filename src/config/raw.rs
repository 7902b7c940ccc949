//! The file and the environment as one tree of values, and the [`Section`]s by which it is taken apart: what nobody asked for
//! is unknown, and what has the wrong type is a mistake instead of an end.

use std::time::Duration;

use config::{File, FileFormat, Map, Value, ValueKind};

use super::{Environment, Mistake};

/// What every overriding variable begins with.
const PREFIX: &str = "QUITTANCE__";

/// Parses the text and lays the environment over it. Only a text that is no TOML at all ends here.
pub(super) fn read(text: &str, environment: &Environment, mistakes: &mut Vec<Mistake>) -> Result<Value, Mistake> {
    let table = config::Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .build()
        .map_err(|error| Mistake { path: String::new(), message: format!("is not TOML: {}", one_line(&error.to_string())) })?
        .cache;
    let mut root = table;
    for (name, text) in environment {
        if let Some(keys) = name.strip_prefix(PREFIX) {
            let keys: Vec<String> = keys.split("__").map(str::to_ascii_lowercase).collect();
            let value = Value::new(Some(name), ValueKind::String(text.clone()));
            if place(&mut root, &keys, name, value).is_none() {
                mistakes.push(Mistake { path: name.clone(), message: "names no key of the configuration".to_owned() });
            }
        }
    }
    Ok(root)
}

/// Puts a value where its keys say; `None` when a key on the way holds no keys, or a list has no such entry.
fn place(at: &mut Value, keys: &[String], name: &String, value: Value) -> Option<()> {
    let Some((key, rest)) = keys.split_first() else {
        *at = value;
        return Some(());
    };
    if key.is_empty() {
        return None;
    }
    match &mut at.kind {
        ValueKind::Table(table) => {
            let next = table.entry(key.clone()).or_insert_with(|| Value::new(Some(name), ValueKind::Table(Map::new())));
            place(next, rest, name, value)
        }
        ValueKind::Array(list) => place(list.get_mut(key.parse::<usize>().ok()?)?, rest, name, value),
        _ => None,
    }
}

/// Keeps position and reason of a syntax error and drops the quoted lines, which could hold a secret.
fn one_line(text: &str) -> String {
    let quoted = |line: &&str| line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|');
    text.lines().filter(|line| !quoted(line) && !line.trim().is_empty()).map(str::trim).collect::<Vec<_>>().join(": ")
}

/// A table that is being taken apart.
pub(super) struct Section {
    path: String,
    left: Map<String, Value>,
}

impl Section {
    /// The whole file.
    pub(super) fn root(value: Value) -> Self {
        let left = if let ValueKind::Table(left) = value.kind { left } else { Map::new() };
        Self { path: String::new(), left }
    }

    /// The path of one of its keys.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes what is wrong with a key.
    pub(super) fn mistake(&self, key: &str, message: impl Into<String>, mistakes: &mut Vec<Mistake>) {
        mistakes.push(Mistake { path: self.path(key), message: message.into() });
    }

    /// Whether the key is there and not yet taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    /// Takes a key, whatever it holds.
    pub(super) fn discard(&mut self, key: &str) -> bool {
        self.left.remove(key).is_some()
    }

    /// Takes a key that says `false`: what is usual is not wanted here.
    pub(super) fn says_no(&mut self, key: &str) -> bool {
        let no = self.left.get(key).is_some_and(|value| truth(value) == Ok(false));
        no && self.discard(key)
    }

    /// A table below this one; an empty one when it is missing or no table.
    pub(super) fn section(&mut self, key: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let path = self.path(key);
        match self.left.remove(key) {
            Some(value) => Self::of(path, value, mistakes).unwrap_or_else(|path| Self { path, left: Map::new() }),
            None => Self { path, left: Map::new() },
        }
    }

    fn of(path: String, value: Value, mistakes: &mut Vec<Mistake>) -> Result<Self, String> {
        match value.kind {
            ValueKind::Table(left) => Ok(Self { path, left }),
            _ => {
                let message = wrong("a table", &value);
                mistakes.push(Mistake { path: path.clone(), message });
                Err(path)
            }
        }
    }

    /// A list of tables; entries that are none are mistakes.
    pub(super) fn sections(&mut self, key: &str, mistakes: &mut Vec<Mistake>) -> Vec<Self> {
        let path = self.path(key);
        let Some(value) = self.left.remove(key) else { return Vec::new() };
        let ValueKind::Array(list) = value.kind else {
            mistakes.push(Mistake { path, message: wrong("a list of tables", &value) });
            return Vec::new();
        };
        let entries = list.into_iter().enumerate();
        entries.filter_map(|(index, value)| Self::of(format!("{path}[{index}]"), value, mistakes).ok()).collect()
    }

    /// Any scalar, by a function that turns it into what is wanted or says what it wants.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        mistakes: &mut Vec<Mistake>,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.left.remove(key)?;
        read(&value).map_err(|message| self.mistake(key, from(&value, message), mistakes)).ok()
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, key: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        self.take(key, mistakes, text)
    }

    /// A whole number within limits.
    pub(super) fn number(&mut self, key: &str, limits: (u32, u32), mistakes: &mut Vec<Mistake>) -> Option<u32> {
        self.take(key, mistakes, |value| number(value, limits))
    }

    /// A length of time above zero.
    pub(super) fn duration(&mut self, key: &str, mistakes: &mut Vec<Mistake>) -> Option<Duration> {
        self.take(key, mistakes, duration)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)], mistakes: &mut Vec<Mistake>) -> Option<T> {
        self.take(key, mistakes, |value| {
            let names = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
            let ValueKind::String(text) = &value.kind else { return Err(wrong(&names, value)) };
            words.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning).ok_or_else(|| wrong(&names, value))
        })
    }

    /// Says that a key is needed, unless it was there and wrong.
    pub(super) fn required<T>(
        &mut self,
        key: &str,
        mistakes: &mut Vec<Mistake>,
        take: impl FnOnce(&mut Self, &mut Vec<Mistake>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.mistake(key, "is missing", mistakes);
        }
        take(self, mistakes)
    }

    /// Everything that nobody has taken is unknown.
    pub(super) fn finish(self, mistakes: &mut Vec<Mistake>) {
        let mut left: Vec<_> = self.left.iter().collect();
        left.sort_by_key(|(key, _)| key.as_str());
        for (key, value) in left {
            match variable(value) {
                Some(name) => mistakes.push(Mistake { path: name.to_owned(), message: "unknown variable".to_owned() }),
                None => self.mistake(key, "unknown key", mistakes),
            }
        }
    }
}

/// Text that is not empty.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match &value.kind {
        ValueKind::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => Err(wrong("a text that is not empty", value)),
    }
}

/// `true` or `false`.
pub(super) fn truth(value: &Value) -> Result<bool, String> {
    match &value.kind {
        ValueKind::Boolean(truth) => Ok(*truth),
        ValueKind::String(text) if variable(value).is_some() => text.parse().map_err(|_| wrong("true or false", value)),
        _ => Err(wrong("true or false", value)),
    }
}

/// A whole number within limits.
pub(super) fn number(value: &Value, (least, most): (u32, u32)) -> Result<u32, String> {
    let number = match &value.kind {
        ValueKind::I64(number) => u32::try_from(*number).ok(),
        ValueKind::String(text) if variable(value).is_some() => text.parse().ok(),
        _ => None,
    };
    let wanted = || wrong(&format!("a whole number from {least} to {most}"), value);
    number.filter(|number| (least..=most).contains(number)).ok_or_else(wanted)
}

/// A length of time above zero.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let ValueKind::String(text) = &value.kind else { return Err(wrong("a duration such as \"15s\"", value)) };
    let duration = humantime::parse_duration(text.trim()).map_err(|_| wrong("a duration such as \"15s\"", value))?;
    if duration.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(duration) }
}

/// Durations; from the environment, separated by commas.
pub(super) fn durations(value: &Value) -> Result<Vec<Duration>, String> {
    let steps: Vec<Duration> = match &value.kind {
        ValueKind::Array(steps) => steps.iter().map(duration).collect::<Result<_, _>>()?,
        ValueKind::String(text) if variable(value).is_some() => {
            text.split(',').map(|step| duration(&Value::new(None, step))).collect::<Result<_, _>>()?
        }
        _ => return Err(wrong("a list of durations", value)),
    };
    if steps.is_empty() { Err("needs at least one step".to_owned()) } else { Ok(steps) }
}

/// What was expected and what came. Names a value's kind, and quotes only short texts.
pub(super) fn wrong(wanted: &str, value: &Value) -> String {
    let came = match &value.kind {
        ValueKind::String(text) if text.len() <= 48 => format!("{text:?}"),
        ValueKind::String(_) => "a long text".to_owned(),
        ValueKind::Boolean(truth) => truth.to_string(),
        ValueKind::I64(number) => number.to_string(),
        ValueKind::Float(number) => number.to_string(),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        _ => "something else".to_owned(),
    };
    format!("must be {wanted}, but is {came}")
}

fn from(value: &Value, message: String) -> String {
    variable(value).map_or(message.clone(), |name| format!("{message} (from {name})"))
}

/// The variable that a value comes from.
fn variable(value: &Value) -> Option<&str> {
    value.origin().filter(|origin| origin.starts_with(PREFIX))
}
