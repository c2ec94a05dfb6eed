//! Numbers for people.

/// With thousands separators: `13,763,857`.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With sign and thousands separators: `+5,678`; nothing new is `0`.
pub fn signed(number: i128) -> String {
    let sign = match number {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// One decimal: `1,135.6`. What is not zero never reads as zero.
pub fn decimal(number: f64) -> String {
    let tenths = (number.abs() * 10.0).round();
    let sign = if number < 0.0 { "−" } else { "" };
    match tenths as u128 {
        _ if number == 0.0 => "0".to_owned(),
        0 => format!("{sign}<0.1"),
        tenths => format!("{sign}{}.{}", grouped(tenths / 10), tenths % 10),
    }
}

/// A part of a whole: `95.9 %`.
pub fn percent(part: u128, whole: u128) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    format!("{} %", decimal(part as f64 / whole as f64 * 100.0))
}

/// A number and its noun, in the plural where it must be: `1 sample`, `3 samples`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number as u128))
}

/// A time, in nanoseconds, with three digits: `950 ns`, `26.0 µs`, `1.25 s`.
pub fn nanoseconds(ns: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    // What rounding makes a thousand is one of the next unit.
    let fits = |(size, _): &&(f64, &str)| ns >= size * 0.9995;
    let (size, unit) = units.iter().find(fits).copied().unwrap_or((1.0, "ns"));
    let amount = ns / size;
    let digits = match amount {
        _ if unit == "ns" => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    match amount >= 1000.0 {
        true => format!("{} {unit}", grouped(amount.round() as u128)),
        false => format!("{amount:.digits$} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let told = [
            0.0, 7.0, 999.0, 999.6, 1_000.0, 25_951.0, 999_999.0, 1.25e9, 4e12,
        ]
        .map(nanoseconds);
        assert_eq!(
            told,
            [
                "0 ns", "7 ns", "999 ns", "1.00 µs", "1.00 µs", "26.0 µs", "1.00 ms", "1.25 s",
                "4,000 s"
            ]
        );
    }

    #[test]
    fn numbers_read_well() {
        let texts = [0, 999, 1_000, 13_763_857].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "13,763,857"]);
        assert_eq!([0, 5_678, -5_678].map(signed), ["0", "+5,678", "−5,678"]);
        let texts = [0.0, 0.04, 1135.64, 1e-9, -2.25].map(decimal);
        assert_eq!(texts, ["0", "<0.1", "1,135.6", "<0.1", "−2.3"]);
        assert_eq!(
            (percent(1, 3), percent(0, 3), percent(0, 0)),
            ("33.3 %".into(), "0 %".into(), "0 %".into())
        );
        assert_eq!(
            (counted(1, "sample"), counted(3, "sample")),
            ("1 sample".into(), "3 samples".into())
        );
    }
}
