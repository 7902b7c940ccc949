//! Which former terminals go on, and as which device.

use super::*;
use crate::config::{Environment, parse};
use crate::id::{Connector, SessionId, SessionReference};
use crate::journal::record::Origin;
use crate::money::Amount;

const APOLLO: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.1:3201\" }";
const MOVED: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.2:3201\" }";
const PROVEN: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.1:3201\" }\nserial_number = \"one\"";
const MOVED_AND_PROVEN: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.2:3201\" }\nserial_number = \"one\"";
const MOVED_TO_ANOTHER: &str = "family = \"apollo\"\nlink = { tcp = \"10.0.0.2:3201\" }\nserial_number = \"two\"";
const SLOW_P6X: &str = "family = \"p6x\"\nlink = { serial = \"/dev/ttyS0\", baud = 9600 }";
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

/// As an earlier version has opened it.
fn opened(seconds: i64) -> Entry {
    opened_on(seconds, None)
}

/// To this device the settings lead, and it has told a serial number.
fn on(keys: &str, serial_number: &str) -> Option<Device> {
    Some(Device { serial_number: Some(serial_number.to_owned()), ..Device::of(&terminal("bay-01", keys), None) })
}

fn opened_on(seconds: i64, device: Option<Device>) -> Entry {
    let fact = Fact::Opened {
        origin: Origin::Api,
        connector: Some(Connector(1)),
        reference: Some(SessionReference(1)),
        caller_reference: None,
        amount: Some(Amount::from_minor(100)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device,
    };
    let session = SessionId::new(at(seconds), [1; 10]);
    Entry { at: at(seconds), terminal: Some("bay-01".parse().unwrap()), session: Some(session), fact }
}

fn ledger(entries: Vec<Entry>) -> Ledger {
    let records: Vec<Record> = (1..).zip(entries).map(|(seq, entry)| Record { seq, entry }).collect();
    Ledger::replay(&records).unwrap()
}

/// What was opened on an Apollo is disposed of on that Apollo, whatever its name and its address were given to since. It is followed only
/// to where its serial number is asked for.
#[test]
fn the_device_on_which_something_was_opened_goes_on() {
    let cases = [
        ("as it was", vec![configured(1, APOLLO), opened(2)], Some(APOLLO), None),
        ("taken out", vec![configured(1, APOLLO), opened(2)], None, Some(APOLLO)),
        ("moved", vec![configured(1, APOLLO), opened(2)], Some(MOVED), Some(APOLLO)),
        ("moved, and reloaded", vec![configured(1, APOLLO), opened(2), configured(3, MOVED)], Some(MOVED), Some(APOLLO)),
        ("moved, then taken out", vec![configured(1, APOLLO), opened(2), configured(3, MOVED)], None, Some(APOLLO)),
        ("moved with nothing open", vec![configured(1, APOLLO)], Some(MOVED), None),
        ("opened after it moved", vec![configured(1, APOLLO), configured(2, MOVED), opened(3)], Some(MOVED), None),
        ("followed", vec![configured(1, PROVEN), opened(2)], Some(MOVED_AND_PROVEN), None),
        (
            "followed, then taken out",
            vec![configured(1, PROVEN), opened(2), configured(3, MOVED_AND_PROVEN)],
            None,
            Some(MOVED),
        ),
        ("not the same one", vec![configured(1, PROVEN), opened(2)], Some(MOVED_TO_ANOTHER), Some(PROVEN)),
        ("nobody knows its serial number", vec![configured(1, APOLLO), opened(2)], Some(MOVED_AND_PROVEN), Some(APOLLO)),
        ("it has told it", vec![configured(1, APOLLO), opened_on(2, on(APOLLO, "one"))], Some(MOVED_AND_PROVEN), None),
        ("it has told another", vec![configured(1, APOLLO), opened_on(2, on(APOLLO, "two"))], Some(PROVEN), Some(APOLLO)),
        (
            "opened while the new link waited",
            vec![configured(1, APOLLO), configured(2, MOVED), opened_on(3, on(APOLLO, "one"))],
            Some(MOVED),
            Some(APOLLO),
        ),
        ("another baud rate", vec![configured(1, P6X), opened(2)], Some(SLOW_P6X), None),
        ("another device since", vec![configured(1, APOLLO), opened(2), configured(3, P6X)], Some(P6X), Some(APOLLO)),
        ("back again", vec![configured(1, APOLLO), opened(2), configured(3, P6X)], Some(APOLLO), None),
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

/// Only the link waits: other settings hold at once, and whoever answers at the old place must be the device that was there.
#[test]
fn only_the_link_is_as_it_was() {
    let known = || vec![configured(1, APOLLO), opened_on(2, on(APOLLO, "one"))];
    let present = terminal("bay-01", &format!("{MOVED}\nconnectors = 2\nscan = \"always\"\npreauth = 700"));
    let [kept] = former(std::slice::from_ref(&present), &ledger(known())).try_into().unwrap();
    let link = link::Settings { address: terminal("bay-01", APOLLO).link.address, ..present.link.clone() };
    assert_eq!(kept, TerminalSettings { link, serial_number: Some("one".to_owned()), ..present });
    // Of another device nothing holds.
    for present in [vec![terminal("bay-01", P6X)], vec![terminal("bay-01", MOVED_TO_ANOTHER)], vec![]] {
        let [kept] = former(&present, &ledger(known())).try_into().unwrap();
        assert_eq!(config::remember(&kept), config::remember(&terminal("bay-01", PROVEN)), "{present:?}");
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
