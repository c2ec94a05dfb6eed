//! Sizes, times and ages for people, and ages as they are typed.

use std::time::{Duration, SystemTime};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// `1.2 GB`, in powers of ten.
pub fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut number = bytes as f64;
    let mut unit = 0;
    // What would be rounded to 1000 is one of the next.
    while number >= 999.5 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if number < 9.95 => format!("{number:.1} {}", units[unit]),
        _ => format!("{number:.0} {}", units[unit]),
    }
}

/// `2026-11-27 01:02`, UTC.
pub fn moment(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// RFC 3339, UTC, to the second.
pub fn rfc3339(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => String::new(),
    }
}

/// How long ago: `3 days`, `5 hours`, `2 minutes`. The future is now.
pub fn age(time: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(time).unwrap_or_default().as_secs();
    let (number, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// An age as it is typed: `30d`, `12h`, `45m`, `2w`.
///
/// # Errors
///
/// How it is to be written.
pub fn typed_age(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 30d: a number of m (minutes), h, d or w".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return Err(wrong()),
    };
    let number = &text[..text.len() - 1];
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .filter(|_| plain)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_read_well() {
        let sizes = [0, 999, 1_000, 9_960, 999_499, 999_999, 30_400_000_000].map(size);
        assert_eq!(
            sizes,
            [
                "0 B", "999 B", "1.0 kB", "10 kB", "999 kB", "1.0 MB", "30 GB"
            ]
        );
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let ages =
            [0, 60, 7_300, 86_400, 4_000_000].map(|s| age(now - Duration::from_secs(s), now));
        assert_eq!(
            ages,
            ["0 minutes", "1 minute", "2 hours", "1 day", "46 days"]
        );
        assert_eq!(age(now + Duration::from_secs(9), now), "0 minutes");
        assert_eq!(moment(now), "2027-01-15 08:00");
    }

    #[test]
    fn ages_are_typed_with_a_unit() {
        assert_eq!(typed_age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(typed_age("2w"), Ok(Duration::from_secs(14 * 86_400)));
        for wrong in [
            "",
            "d",
            "30",
            "+3d",
            "-1d",
            "3 d",
            "1.5d",
            "3ä",
            "99999999999999999999d",
        ] {
            assert!(typed_age(wrong).is_err(), "{wrong}");
        }
        assert!(typed_age(&format!("{}w", u64::MAX)).is_err());
    }
}
