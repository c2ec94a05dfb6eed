//! A percentage that is compared without rounding.

use std::str::FromStr;

/// Parts per million that make one percent.
const PER_PERCENT: u32 = 10_000;

/// A percentage, not negative, with up to four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    per_million: u32,
}

impl Percent {
    /// As a part of one.
    pub fn fraction(self) -> f64 {
        f64::from(self.per_million) / 1e6
    }

    /// Whether `head` is more than this much above `base`. Exact: whole numbers only.
    pub fn is_exceeded(self, base: u64, head: u64) -> bool {
        let more = u128::from(head.saturating_sub(base));
        self.is_less_than(more, base)
    }

    /// Whether `head` is more than this much below `base`. Exact, too.
    pub fn is_undercut(self, base: u64, head: u64) -> bool {
        self.is_less_than(u128::from(base.saturating_sub(head)), base)
    }

    fn is_less_than(self, change: u128, base: u64) -> bool {
        change * 1_000_000 > u128::from(base) * u128::from(self.per_million)
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Percent, String> {
        let wrong = || "write it as a percentage: \"2%\" or \"0.5%\"".to_owned();
        let number = text.strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 4 || whole.len() > 5 {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        // As ten-thousandths of a percent, which are millionths.
        let part: u32 = format!("{part:0<4}").parse().map_err(|_| wrong())?;
        let per_million = whole
            .checked_mul(PER_PERCENT)
            .and_then(|n| n.checked_add(part));
        per_million
            .map(|per_million| Percent { per_million })
            .ok_or_else(wrong)
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (
            self.per_million / PER_PERCENT,
            self.per_million % PER_PERCENT,
        );
        let part = format!("{part:04}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            part => write!(f, "{whole}.{part}%"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact() {
        let percent = |text: &str| text.parse::<Percent>().unwrap();
        for text in ["2%", "0.5%", "0.0001%", "100%", "0%"] {
            assert_eq!(percent(text).to_string(), text);
        }
        // 0.29 * 100 is less than 29 in binary fractions.
        assert!(!percent("29%").is_exceeded(100, 129));
        assert!(percent("29%").is_exceeded(100, 130));
        assert!(percent("0%").is_exceeded(0, 1) && !percent("5%").is_exceeded(10, 3));
        assert!(percent("2%").is_undercut(100, 97) && !percent("2%").is_undercut(100, 98));
        assert!(!percent("0%").is_undercut(0, 0) && !percent("5%").is_undercut(3, 10));
        for text in [
            "2",
            "%",
            "-1%",
            "0.00001%",
            "x%",
            "1.%",
            "4295%%",
            "99999999%",
        ] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
