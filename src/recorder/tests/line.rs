use crate::protocol::{Direction, Family};
use crate::recorder::Cards;
use crate::recorder::line::{Event, Header, Line, LineError, Moment, Text};

/// 2026-11-23T15:23:39.123456Z.
const AT: Moment = Moment(1_795_447_419_123_456);

/// Every kind of line, as it is written and read; the texts are the file format.
#[test]
fn lines_are_written_as_the_format_says_and_read_back() {
    let frame = |from, masked, bytes: &[u8]| Event::Frame { from, masked, bytes: bytes.to_vec() };
    let cases = [
        ("opened tcp 10.1.0.11:3201", Event::Opened("tcp 10.1.0.11:3201".into())),
        ("host CC 02 3C 24 2E", frame(Direction::FromHost, false, &[0xCC, 0x02, 0x3C, 0x24, 0x2E])),
        ("terminal AA 02 3C 24 0C", frame(Direction::FromTerminal, false, &[0xAA, 0x02, 0x3C, 0x24, 0x0C])),
        ("terminal masked AA 03 3C 42 2A 55", frame(Direction::FromTerminal, true, &[0xAA, 0x03, 0x3C, 0x42, 0x2A, 0x55])),
        (
            "terminal unread 17 AA 0E 3C 99",
            Event::Unread { from: Direction::FromTerminal, size: 17, head: vec![0xAA, 0x0E, 0x3C, 0x99] },
        ),
        ("noise 9 checksum AA 06", Event::Noise { size: 9, why: "checksum".into(), bytes: vec![0xAA, 0x06] }),
        ("noise 9 preamble", Event::Noise { size: 9, why: "preamble".into(), bytes: vec![] }),
        ("host cut 4 of 13", Event::Cut { left: 4, size: 13 }),
        ("lost closed by us", Event::Lost("closed by us".into())),
        ("gap 31 the disk was not fast enough", Event::Gap { lines: 31, why: "the disk was not fast enough".into() }),
    ];
    for (text, event) in cases {
        let line = Line { at: AT, link: 12, event };
        let text = format!("2026-11-23T15:23:39.123456Z 12 {text}");
        assert_eq!(line.to_string(), text);
        assert_eq!(text.parse(), Ok(Text::Line(line)));
    }
}

#[test]
fn headers_are_written_as_the_format_says_and_read_back() {
    let header = Header { terminal: "bay-01".parse().unwrap(), family: Family::P6x, cards: Cards::Clear, begun: false };
    let text = "# quittance-frames 1 terminal=bay-01 family=p6x cards=clear part=continued";
    assert_eq!(header.to_string(), text);
    assert_eq!(text.parse(), Ok(Text::Header(header)));
    assert_eq!("# seen by Ann on Monday".parse(), Ok(Text::Remark));
    assert_eq!("".parse(), Ok(Text::Remark));
}

/// What a text says of a link must not begin a line of its own.
#[test]
fn a_line_stays_one_line() {
    let event = Event::Lost("no\nsuch\tdevice".into());
    assert_eq!(Line { at: AT, link: 1, event }.to_string(), "2026-11-23T15:23:39.123456Z 1 lost no such device");
}

/// A moment may be written with any offset and fewer digits, as people do on a command line.
#[test]
fn moments_are_read_as_people_write_them() {
    assert_eq!("2026-11-23T16:23:39.123456+01:00".parse(), Ok(AT));
    assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Moment(1_000_000)));
    assert_eq!("15:23".parse::<Moment>(), Err(LineError::Time));
}

/// Each way in which a line can be damaged is told apart.
#[test]
fn a_damaged_line_says_what_is_wrong() {
    let when = "2026-11-23T15:23:39.123456Z";
    let cases = [
        ("# quittance-frames 2 terminal=a family=apollo".to_owned(), LineError::Version("2".into())),
        ("# quittance-frames 1 family=apollo cards=masked".to_owned(), LineError::Header("terminal")),
        ("# quittance-frames 1 terminal=a family=p7 cards=masked".to_owned(), LineError::Header("family")),
        ("# quittance-frames 1 terminal=a family=p6x".to_owned(), LineError::Header("cards")),
        ("nonsense".to_owned(), LineError::Time),
        ("2026-13-23T15:23:39Z 1 lost".to_owned(), LineError::Time),
        (when.to_owned(), LineError::Time),
        (format!("{when} one lost"), LineError::Link),
        (format!("{when} 1 eaten"), LineError::What("eaten".into())),
        (format!("{when} 1 gap many"), LineError::Number("gap")),
        (format!("{when} 1 noise"), LineError::Number("noise")),
        (format!("{when} 1 host cut 3"), LineError::Number("cut")),
        (format!("{when} 1 terminal unread AA"), LineError::Number("unread")),
        (format!("{when} 1 host CC 02 3G"), LineError::Hex("3G".into())),
        (format!("{when} 1 host CC 02 3C 24"), LineError::Size { came: 4, whole: 5 }),
        (format!("{when} 1 host CC 00 00"), LineError::Size { came: 3, whole: 5 }),
        (format!("{when} 1 host AA 00 FF FF FF 3C"), LineError::Size { came: 6, whole: 16_777_221 }),
        (format!("{when} 1 host"), LineError::Size { came: 0, whole: 5 }),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Text>(), Err(error), "{text}");
    }
}
