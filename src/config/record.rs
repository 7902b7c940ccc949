//! Who is recorded: `[recorder]` for all terminals, and a terminal's own `record`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};

use super::Mistake;
use super::raw::{self, Section};
use crate::id::TerminalId;
use crate::recorder::{Cards, SIZES, Settings, every_part};

const MIB: u64 = 1024 * 1024;

/// What holds for terminals that say nothing else.
pub(super) struct Recorder {
    /// Where the recordings of all terminals lie; nobody is recorded by default.
    folder: Option<PathBuf>,
    size: u64,
    cards: Cards,
}

impl Recorder {
    /// Reads `[recorder]`.
    pub(super) fn read(root: &mut Section, m: &mut Vec<Mistake>) -> Self {
        let given = root.has("recorder");
        let mut section = root.section("recorder", m);
        let folder =
            if given { section.required("folder", m, |section, m| section.text("folder", m)).map(PathBuf::from) } else { None };
        let nothing = Self { folder, size: 10 * MIB, cards: Cards::Masked };
        let (size, cards) = nothing.size_and_cards(&mut section, m);
        section.finish(m);
        Self { size, cards, ..nothing }
    }

    /// Reads a terminal's `record`.
    pub(super) fn of(&self, terminal: &mut Section, id: Option<&TerminalId>, m: &mut Vec<Mistake>) -> Option<Settings> {
        if terminal.says_no("record") {
            return None;
        }
        let default = self.folder.as_ref().zip(id).map(|(folder, id)| folder.join(format!("{id}.psp")));
        if !terminal.has("record") {
            return default.map(|path| Settings { path, size: self.size, cards: self.cards });
        }
        let before = m.len();
        let mut section = terminal.section("record", m);
        if m.len() > before {
            return None;
        }
        let path = if default.is_some() && !section.has("path") {
            default
        } else {
            section.required("path", m, |section, m| section.text("path", m)).map(PathBuf::from)
        };
        let (size, cards) = self.size_and_cards(&mut section, m);
        section.finish(m);
        path.map(|path| Settings { path, size, cards })
    }

    fn size_and_cards(&self, section: &mut Section, m: &mut Vec<Mistake>) -> (u64, Cards) {
        let size = section.take("size", m, size).unwrap_or(self.size);
        let words = [Cards::Masked, Cards::Clear].map(|cards| (cards.as_str(), cards));
        (size, section.word("cards", &words, m).unwrap_or(self.cards))
    }
}

/// Says which files would be written by two, the journal among them. `recorded` are paths with the keys that lead to them.
pub(super) fn check_files<'a>(recorded: impl Iterator<Item = (&'a Path, String)>, journal: &Path, mistakes: &mut Vec<Mistake>) {
    let mut known = HashMap::from([(journal.to_owned(), "journal.path".to_owned())]);
    for (path, key) in recorded {
        let parts: Vec<PathBuf> = every_part(path).collect();
        match parts.iter().find_map(|part| known.get(part)) {
            Some(earlier) => {
                mistakes.push(Mistake { path: key, message: format!("would be written to the same files as {earlier}") });
            }
            None => known.extend(parts.into_iter().map(|part| (part, key.clone()))),
        }
    }
}

/// A size such as `"10MiB"`.
fn size(value: &Value) -> Result<u64, String> {
    let wanted = || raw::wrong("a size such as \"10MiB\" or \"1GiB\"", value);
    let ValueKind::String(text) = &value.kind else { return Err(wanted()) };
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "KiB" => 1024,
        "MiB" => MIB,
        "GiB" => 1024 * MIB,
        _ => return Err(wanted()),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wanted)?;
    if SIZES.contains(&size) { Ok(size) } else { Err("must be from 1MiB to 64GiB".to_owned()) }
}
