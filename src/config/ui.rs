//! `[ui]` and `[terminals.ui]`: what an Apollo shows, a table for each moment.

use config::Value;

use super::Mistake;
use super::raw::{self, Section};
use crate::protocol::request::UiKind;
use crate::terminal::screen::{Moment, Template, Templates, Text};

/// The types of screens that can be configured, with the keys of each (PSP, UI). The first key is needed.
const TYPES: [(&str, UiKind, &[&str]); 4] = [
    ("notification", UiKind::Notification, &["title", "subtitle", "advice", "message", "icon", "color"]),
    ("spinner", UiKind::Spinner, &["title", "amount", "currency"]),
    ("dialog", UiKind::Dialog, &["title", "message", "icon"]),
    ("info", UiKind::Info, &["title", "message"]),
];

const ICONS: [(&str, &str); 2] = [("approved", "approved"), ("declined", "declined")];
const COLORS: [(&str, &str); 3] = [("black", "0"), ("green", "1"), ("red", "2")];

/// The screens of a section, over those that it does not name.
pub(super) fn read(mut section: Section, base: &Templates, m: &mut Vec<Mistake>) -> Templates {
    let mut templates = base.clone();
    for (moment, key) in Moment::ALL {
        if section.has(key) {
            templates.extend(screen(section.section(key, m), m).map(|template| (moment, template)));
        }
    }
    section.finish(m);
    templates
}

fn screen(mut section: Section, m: &mut Vec<Mistake>) -> Option<Template> {
    let kinds: Vec<(&str, usize)> = TYPES.iter().enumerate().map(|(index, (name, _, _))| (*name, index)).collect();
    let kind = section.required("type", m, |section, m| section.word("type", &kinds, m));
    let Some((_, kind, keys)) = kind.and_then(|kind| TYPES.get(kind)) else {
        // Which keys it may have is not known, so that only the type is wrong.
        let _ = TYPES.iter().flat_map(|(_, _, keys)| *keys).filter(|key| section.discard(key)).count();
        section.finish(m);
        return None;
    };
    let mut texts = Vec::new();
    for key in *keys {
        let text = match *key {
            "icon" => section.word(key, &ICONS, m).map(Text::fixed),
            "color" => section.word(key, &COLORS, m).map(Text::fixed),
            "title" => section.required(key, m, |section, m| section.take(key, m, text)),
            _ => section.take(key, m, text),
        };
        texts.extend(text.map(|text| (*key, text)));
    }
    section.finish(m);
    Some(Template { kind: kind.clone(), texts })
}

fn text(value: &Value) -> Result<Text, String> {
    let text = raw::text(value)?;
    if text.contains('\0') { Err("must not hold a NUL".to_owned()) } else { Text::parse(&text) }
}
