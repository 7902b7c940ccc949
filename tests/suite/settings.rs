//! Configuration text from careless hands: it is never too much for the program, and every mistake is said at once.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use quittance::config::{Environment, parse};

use super::fuzzed::bodies;

const SHIPPED: &str = include_str!("../../config/quittance.toml");

const GOOD: &str = r#"
[site]
id = "depot"
currency = "EUR"
[log]
filter = "info"
[api]
listen = "127.0.0.1:8470"
[policy]
terminal_timeout_action = "void"
orphan_policy = "void"
duplicate_tap = "allow"
tap_to_stop = true
max_hold = 10000
retry = ["1s"]
[supervision]
intensity = 5
period = "60s"
[[terminals]]
id = "bay-01"
family = "apollo"
connectors = 2
link = { tcp = "10.1.0.11:3201" }
[[terminals]]
id = "bay-02"
family = "p6x"
link = { serial = "/dev/ttyS0", baud = 57600 }
"#;

/// Mistakes that have nothing to do with one another: what to replace in the good text, by what, and the path that is wrong.
const MISTAKES: [(&str, &str, &str); 14] = [
    ("id = \"depot\"", "id = 7", "site.id"),
    ("currency = \"EUR\"", "currency = \"EURO\"", "site.currency"),
    ("filter = \"info\"", "filter = \"a=b=c\"", "log.filter"),
    ("\"127.0.0.1:8470\"", "\"here\"", "api.listen"),
    ("orphan_policy = \"void\"", "orphan_policy = \"forget\"", "policy.orphan_policy"),
    ("duplicate_tap = \"allow\"", "duplicate_tap = []", "policy.duplicate_tap"),
    ("tap_to_stop = true", "tap_to_stop = \"yes\"", "policy.tap_to_stop"),
    ("retry = [\"1s\"]", "retry = []", "policy.retry"),
    ("intensity = 5", "intensity = 0", "supervision.intensity"),
    ("period = \"60s\"", "period = \"soon\"", "supervision.period"),
    ("connectors = 2", "connectors = 64", "terminals[0].connectors"),
    ("tcp = \"10.1.0.11:3201\"", "tcp = \"10.1.0.11\"", "terminals[0].link.tcp"),
    ("baud = 57600", "baud = 1", "terminals[1].link.baud"),
    ("[site]", "[colours]\n[site]", "colours"),
];

/// What people write where something else belongs.
const VALUES: [&str; 24] = [
    "",
    "0",
    "-1",
    "1.5",
    "nan",
    "inf",
    "true",
    "\"\"",
    "\"x\"",
    "\"0s\"",
    "\"-5m\"",
    "\"584942417355y\"",
    "\"24h 1ms\"",
    "[]",
    "[[]]",
    "[1, \"a\"]",
    "{}",
    "{ tcp = 1 }",
    "{ serial = [] }",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "1979-05-27T07:32:00Z",
    "\"\"\"\n\"\"\"",
];

#[derive(Clone, Debug)]
enum Slip {
    /// A line is lost.
    Lose(Index),
    /// A line is there twice.
    Repeat(Index),
    /// Two lines change places.
    Swap(Index, Index),
    /// What follows a `=` is something else.
    Write(Index, Index),
    /// A character is another one.
    Mistype(Index, char),
}

fn any_slip() -> impl Strategy<Value = Slip> {
    let line = any::<Index>;
    prop_oneof![
        1 => line().prop_map(Slip::Lose),
        1 => line().prop_map(Slip::Repeat),
        1 => (line(), line()).prop_map(|(one, other)| Slip::Swap(one, other)),
        4 => (line(), line()).prop_map(|(line, value)| Slip::Write(line, value)),
        1 => (line(), any::<char>()).prop_map(|(at, by)| Slip::Mistype(at, by)),
    ]
}

/// The text after a slip.
fn after(text: &str, slip: &Slip) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    let count = lines.len();
    match slip {
        Slip::Lose(line) => drop(lines.remove(line.index(count))),
        Slip::Repeat(line) => lines.insert(line.index(count), lines[line.index(count)].clone()),
        Slip::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
        Slip::Write(line, value) => {
            let assignments: Vec<usize> = (0..count).filter(|at| lines[*at].contains('=')).collect();
            if !assignments.is_empty() {
                let line = &mut lines[assignments[line.index(assignments.len())]];
                let key = line.split('=').next().unwrap_or_default().trim_start_matches("# ").to_owned();
                *line = format!("{key}= {}", VALUES[value.index(VALUES.len())]);
            }
        }
        Slip::Mistype(at, by) => {
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len());
            letters[at] = *by;
            return letters.into_iter().collect();
        }
    }
    lines.join("\n")
}

fn paths(text: &str) -> Vec<String> {
    let mistakes = parse(text, &Environment::new()).err().map(|mistakes| mistakes.0).unwrap_or_default();
    let mut paths: Vec<String> = mistakes.into_iter().map(|mistake| mistake.path).collect();
    paths.sort();
    paths
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever somebody does to the shipped file, it is taken, or refused for a reason.
    #[test]
    fn careless_text_is_taken_or_refused(slips in vec(any_slip(), 1..8)) {
        let text = slips.iter().fold(SHIPPED.to_owned(), |text, slip| after(&text, slip));
        bodies::config(text.as_bytes());
    }

    /// However many things are wrong, each is said, and nothing else.
    #[test]
    fn all_mistakes_are_said_at_once(mistakes in subsequence(MISTAKES.to_vec(), 0..=MISTAKES.len())) {
        let mut text = GOOD.to_owned();
        for (from, to, _) in &mistakes {
            prop_assert!(text.contains(from), "{}", from);
            text = text.replacen(from, to, 1);
        }
        let mut wanted: Vec<&str> = mistakes.iter().map(|(_, _, path)| *path).collect();
        wanted.sort_unstable();
        prop_assert_eq!(paths(&text), wanted);
    }
}
