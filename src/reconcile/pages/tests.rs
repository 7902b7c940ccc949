use super::*;

fn page(total: u8, sessions: &[u32]) -> SessionList {
    SessionList { total, sessions: sessions.iter().copied().map(TerminalSessionId).collect() }
}

fn done(sessions: &[u32]) -> Progress {
    Progress::Done(sessions.iter().copied().map(TerminalSessionId).collect())
}

#[test]
fn pages_make_a_list() {
    use Progress::{Changed, Failed, More};
    type Row = (&'static str, Vec<(u8, SessionList, Progress)>);
    let table: Vec<Row> = vec![
        ("nothing", vec![(0, page(0, &[]), done(&[]))]),
        ("one page", vec![(0, page(2, &[11, 12]), done(&[11, 12]))]),
        (
            "three pages",
            vec![(0, page(5, &[1, 2]), More), (2, page(5, &[3, 4]), More), (4, page(5, &[5]), done(&[1, 2, 3, 4, 5]))],
        ),
        (
            "the total grows",
            vec![
                (0, page(3, &[1, 2]), More),
                (2, page(4, &[3, 4]), Changed),
                (0, page(4, &[1, 2]), More),
                (2, page(4, &[3, 4]), done(&[1, 2, 3, 4])),
            ],
        ),
        ("the total shrinks", vec![(0, page(3, &[1, 2]), More), (2, page(2, &[]), Changed)]),
        ("an empty page before the end", vec![(0, page(3, &[1, 2]), More), (2, page(3, &[]), Changed)]),
        ("an empty first page before the end", vec![(0, page(1, &[]), Changed)]),
        ("an id again on a later page", vec![(0, page(3, &[1, 2]), More), (2, page(3, &[2]), Changed)]),
        ("an id twice on a page", vec![(0, page(2, &[7, 7]), Changed)]),
        ("more ids than the total", vec![(0, page(1, &[7, 8]), Changed)]),
        ("ids where there are none", vec![(0, page(0, &[7]), Changed)]),
        (
            "never the same",
            vec![(0, page(1, &[]), Changed), (0, page(1, &[]), Changed), (0, page(1, &[]), Changed), (0, page(1, &[]), Failed)],
        ),
    ];
    for (name, steps) in table {
        let mut pages = Pages::new(OffsetUnit::Sessions);
        for (offset, page, expected) in steps {
            assert_eq!(pages.next_offset(), offset, "{name}");
            assert_eq!(pages.add(page), expected, "{name}");
        }
    }
}

#[test]
fn the_longest_list_has_255_sessions() {
    let ids: Vec<u32> = (1..=255).collect();
    let mut pages = Pages::new(OffsetUnit::Sessions);
    for (round, chunk) in ids.chunks(63).enumerate() {
        assert_eq!(usize::from(pages.next_offset()), round * 63);
        let expected = if round == 4 { done(&ids) } else { Progress::More };
        assert_eq!(pages.add(page(255, chunk)), expected);
    }
}

/// PSP, List Sessions: should the offset count bytes, each session has four. The 64th cannot be asked for then, so a longer
/// list fails instead of looking complete.
#[test]
fn an_offset_may_count_bytes() {
    let ids: Vec<u32> = (1..=70).collect();
    let mut pages = Pages::new(OffsetUnit::Bytes);
    assert_eq!(pages.add(page(63, &ids[..40])), Progress::More);
    assert_eq!(pages.next_offset(), 160);
    assert_eq!(pages.add(page(63, &ids[40..63])), done(&ids[..63]));

    let mut pages = Pages::new(OffsetUnit::Bytes);
    for _ in 0..RESTARTS_MAX {
        assert_eq!(pages.add(page(70, &ids[..64])), Progress::More);
        assert_eq!(pages.next_offset(), 255);
        assert_eq!(pages.add(page(70, &ids[63..69])), Progress::Changed);
    }
}
