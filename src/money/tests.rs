//! Amounts as people write them.

use super::Currency;

/// ISO 4217 tells how many digits stand behind the point; typed by hand from its list.
#[test]
fn amounts_are_written_as_the_currency_wants() {
    let table: [(&str, u64, &str); 9] = [
        ("EUR", 0, "0.00"),
        ("EUR", 5, "0.05"),
        ("EUR", 3140, "31.40"),
        ("EUR", 5_000_000_000, "50000000.00"),
        ("CHF", 100, "1.00"),
        ("JPY", 3140, "3140"),
        ("ISK", 7, "7"),
        ("KWD", 3140, "3.140"),
        ("CLF", 31_405, "3.1405"),
    ];
    for (currency, minor, written) in table {
        let currency: Currency = currency.parse().unwrap();
        assert_eq!(currency.major(minor), written, "{minor} {currency}");
    }
}
