//! Which former terminals go on, and as which device.

use super::*;
use crate::config::{Environment, parse};
use crate::id::{Connector, SessionId, SessionReference};
use crate::journal::record::Origin;
use crate::money::Amount;

const APOLLO: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.1:3201\" }";
const MOVED: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.2:3201\" }";
const P6X: &str = "family = \"p6x\"\nlink = { serial = \"/dev/ttyS0\" }";

fn terminal(id: &str, keys: &str) -> TerminalSettings {
    let text = format!(
        "[site]\nid = \"depot\"\ncurrency = \"EUR\"\n[policy]\nterminal_timeout_action = \"void\"\n[[terminals]]\nid = \"{id}\"\n{keys}\n"
    );
    parse(&text, &Environment::new()).unwrap().terminals.remove(0)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1000)
}

fn configured(seconds: i64, keys: &str) -> Entry {
    let fact = Fact::Configured { settings: config::remember(&terminal("bay-01", keys)) };
    Entry { at: at(seconds), terminal: Some("bay-01".parse().unwrap()), session: None, fact }
}

fn opened(seconds: i64) -> Entry {
    let fact = Fact::Opened {
        origin: Origin::Api,
        connector: Some(Connector(1)),
        reference: Some(SessionReference(1)),
        caller_reference: None,
        amount: Some(Amount::from_minor(100)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
    };
    let session = SessionId::new(at(seconds), [1; 10]);
    Entry { at: at(seconds), terminal: Some("bay-01".parse().unwrap()), session: Some(session), fact }
}

fn ledger(entries: Vec<Entry>) -> Ledger {
    let records: Vec<Record> = (1..).zip(entries).map(|(seq, entry)| Record { seq, entry }).collect();
    Ledger::replay(&records).unwrap()
}

/// What was opened on an Apollo is disposed of on that Apollo, wherever it was last, whatever its name was given to since.
#[test]
fn the_device_on_which_something_was_opened_goes_on() {
    let cases = [
        ("taken out", vec![configured(1, APOLLO), opened(2)], None, Some(APOLLO)),
        ("moved, then taken out", vec![configured(1, APOLLO), opened(2), configured(3, MOVED)], None, Some(MOVED)),
        ("another device since", vec![configured(1, APOLLO), opened(2), configured(3, P6X)], Some(P6X), Some(APOLLO)),
        ("back again", vec![configured(1, APOLLO), opened(2), configured(3, P6X)], Some(MOVED), None),
        ("opened on the second", vec![configured(1, APOLLO), configured(2, P6X), opened(3)], None, Some(P6X)),
        ("opened by an earlier version", vec![opened(1), configured(2, APOLLO)], None, Some(APOLLO)),
    ];
    for (what, entries, present, wanted) in cases {
        let present: Vec<_> = present.map(|keys| terminal("bay-01", keys)).into_iter().collect();
        let wanted: Vec<_> = wanted.map(|keys| terminal("bay-01", keys).link).into_iter().collect();
        let former: Vec<_> = former(&present, &ledger(entries)).into_iter().map(|settings| settings.link).collect();
        assert_eq!(former, wanted, "{what}");
    }
}

/// The journal is told what it does not know, and nothing twice.
#[test]
fn only_news_is_told() {
    let (one, two) = (terminal("bay-01", APOLLO), terminal("bay-02", P6X));
    let clock = Clock::start();
    let mut remembered = BTreeMap::new();
    let entries = news(&[one.clone(), two.clone()], &remembered, clock);
    assert_eq!(entries.len(), 2);
    remembered.extend(told((1..).zip(entries).map(|(seq, entry)| Record { seq, entry }).collect()));
    assert_eq!(news(&[one, two.clone()], &remembered, clock), []);
    let names: Vec<_> =
        news(&[terminal("bay-01", MOVED), two], &remembered, clock).into_iter().map(|entry| entry.terminal).collect();
    assert_eq!(names, [Some("bay-01".parse().unwrap())]);
}
