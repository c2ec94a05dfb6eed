//! Durations as they are written: `500ms`, `5s`, `2m`, `1h`; also `1.5s`.

use std::time::Duration;

use exitlab_base::toml::Wrong;

/// Longer waits are mistyped ones.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Units by the milliseconds in one, largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration: a whole number of milliseconds, at most a week.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let wrong = |what: &str| Wrong::new(what, "write a duration like \"500ms\", \"5s\" or \"2m\"");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = UNITS
        .iter()
        .find(|(name, _)| *name == &text[digits.len()..]);
    let Some((_, unit_ms)) = unit else {
        return Err(wrong("not a duration"));
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let Some((whole, numerator)) = number(whole).zip(number(fraction)) else {
        return Err(wrong("not a duration"));
    };
    // `number` bounds the digits, so neither the power nor the products overflow.
    let denominator = 10u128.pow(fraction.len() as u32);
    let scaled = (whole * denominator + numerator) * u128::from(*unit_ms);
    if !scaled.is_multiple_of(denominator) {
        return Err(wrong("finer than a millisecond"));
    }
    match scaled / denominator {
        ms if ms > LONGEST.as_millis() => Err(wrong("longer than a week")),
        ms => Ok(Duration::from_millis(ms as u64)),
    }
}

/// Digits only: no sign, no space, and few enough to multiply without care.
fn number(digits: &str) -> Option<u128> {
    let plausible = (1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| digits.parse().ok()).flatten()
}

/// Writes a duration in the largest unit that needs no fraction.
pub(super) fn format(duration: Duration) -> String {
    let ms = duration.as_millis() as u64;
    let fitting = UNITS
        .iter()
        .find(|(_, unit_ms)| ms >= *unit_ms && ms.is_multiple_of(*unit_ms));
    match fitting {
        Some((name, unit_ms)) => format!("{}{name}", ms / unit_ms),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use exitlab_model::plan::Moment;

    fn ms(text: &str) -> Option<u128> {
        parse(text).ok().map(|duration| duration.as_millis())
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("5s"), Some(5000));
        assert_eq!(ms("1.5s"), Some(1500));
        assert_eq!(ms("2m"), Some(120_000));
        assert_eq!(ms("0s"), Some(0));
        assert_eq!(ms("168h"), Some(604_800_000));
        for bad in [
            "", "5", "s", "-5s", "+5s", "5 s", "5S", "5.s", ".5s", "1e3s", "0.5ms", "169h",
        ] {
            assert_eq!(ms(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0..=LONGEST.as_millis() as u64) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&format(duration)).ok(), Some(duration));
        }

        #[test]
        fn a_label_is_read_back(ms in 1..=LONGEST.as_millis() as u64) {
            let duration = Duration::from_millis(ms);
            let label = Moment::After(duration.as_secs_f64()).label();
            prop_assert_eq!(parse(label.trim_start_matches('+')).ok(), Some(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
