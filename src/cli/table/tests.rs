//! Tables, typed by hand.

use super::*;

const COLUMNS: [Column; 3] = [Column::Words("NAME"), Column::Numbers("AMOUNT"), Column::Words("WHY")];

fn drawn(rows: &[Vec<Cell>], colours: bool) -> String {
    let mut out = Vec::new();
    table(&COLUMNS, rows, colours, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn row(name: &str, amount: &str, why: &str) -> Vec<Cell> {
    [name, amount, why].map(Cell::new).to_vec()
}

/// Words lie left, numbers right, and no line ends with blanks, also when a cell is wider than its head or empty.
#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let rows = [row("a", "1.00", "because"), row("longer", "1000.00", "")];
    assert_eq!(drawn(&rows, false), "NAME     AMOUNT  WHY\na          1.00  because\nlonger  1000.00\n");
}

/// Colours surround the text alone, so that a screen shows the same columns.
#[test]
fn colours_change_no_width() {
    let mut loud = row("a", "1.00", "because");
    loud[0].tone = Tone::Alarm;
    let text = drawn(&[loud], true);
    assert!(text.contains("\u{1b}[1m\u{1b}[31ma\u{1b}[0m   "), "{text:?}");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, drawn(&[row("a", "1.00", "because")], false));
}

/// What others have written cannot move the cursor.
#[test]
fn nothing_confuses_a_screen() {
    assert_eq!(drawn(&[row("a\u{1b}[2J", "\n", "\u{7}")], false).lines().count(), 2);
    assert!(!drawn(&[row("a\u{1b}[2J", "1", "x")], true).contains("\u{1b}[2J"));
}

#[test]
fn amounts_and_times_are_written_for_people() {
    assert_eq!(money(1240, "EUR"), "12.40 EUR");
    assert_eq!(money(1240, "JPY"), "1240 JPY");
    assert_eq!(money(1240, "KWD"), "1.240 KWD");
    assert_eq!(money(1240, "euro"), "1240 minor units");
    assert_eq!(long(Duration::from_millis(59_999)), "59s");
    assert_eq!(long(Duration::from_secs(3 * 3600 + 62)), "3h 1m");
    assert_eq!(long(Duration::from_secs(3600 + 59)), "1h");
    assert_eq!(long(Duration::from_secs(26 * 3600)), "1day 2h");
}
