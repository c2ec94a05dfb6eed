//! Memory sizes as they are written: `256M`, `1G`.

use exitlab_base::toml::Wrong;

/// Reads a size; the result is in MiB.
pub(super) fn parse(text: &str) -> Result<u32, Wrong> {
    let mib = in_units(text, ['M', 'G']);
    mib.ok_or_else(|| Wrong::new("not a size", "write a size like \"256M\" or \"1G\""))
}

/// A number of the first unit, or 1024 times as much of the second, in the first.
pub(super) fn in_units(text: &str, [small, large]: [char; 2]) -> Option<u32> {
    let (digits, unit) = match text.strip_suffix(small) {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix(large)?, 1024),
    };
    // `u32::from_str` takes a sign, which a size has not.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse::<u32>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("256M").ok(), Some(256));
        assert_eq!(parse("2G").ok(), Some(2048));
        for bad in [
            "",
            "M",
            "256",
            "256MB",
            "256m",
            "+256M",
            "0.5G",
            "99999999G",
            "é",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
