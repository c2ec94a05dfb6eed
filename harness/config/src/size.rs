//! Memory sizes as they are written: `256M`, `1G`.

use exitlab_base::toml::Wrong;

/// Reads a size; the result is in MiB.
pub(super) fn parse(text: &str) -> Result<u32, Wrong> {
    let (digits, unit_mib) = match text.as_bytes().last() {
        Some(b'M') => (&text[..text.len() - 1], 1),
        Some(b'G') => (&text[..text.len() - 1], 1024),
        _ => ("", 1),
    };
    // `u32::from_str` takes a sign, which a size has not.
    let mib = Some(digits)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u32>().ok())
        .and_then(|number| number.checked_mul(unit_mib));
    mib.ok_or_else(|| Wrong::new("not a size", "write a size like \"256M\" or \"1G\""))
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
