use super::*;

/// Fields as proc(5) numbers them, for a program whose name is as nasty as it may be.
#[test]
fn what_the_kernel_says_is_read_behind_any_name() {
    let text =
        "42 (a) 1 (b)) S 1 42 42 0 -1 4194560 900 0 3 0 250 50 7 9 20 0 6 0 120000 99000000 2048 18446744073709551615 1\n";
    let stat = Stat::parse(text, 100.0, 4096.0).unwrap();
    assert_eq!((stat.cpu, stat.started, stat.resident), (3.0, 1200.0, 8_388_608.0));
    assert!(Stat::parse("42 (short) S 1 42", 100.0, 4096.0).is_none());
    assert!(Stat::parse("", 100.0, 4096.0).is_none());
}
