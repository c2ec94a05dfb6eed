//! Which exit reasons to read: numbers and ranges of numbers, as `0-85` or
//! `0-166,1024-1027`.

/// More reasons than any instruction set has: a mistyped range ends in an error, not in a
/// flood of exits.
const MOST: usize = 4096;

/// The reasons that a text names, in its order.
pub fn parse(text: &str) -> Result<Vec<u32>, String> {
    let mut reasons = Vec::new();
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else {
            return Err(format!(
                "'{item}' is neither an exit reason nor a range of them"
            ));
        };
        if first > last || (last - first) as usize >= MOST - reasons.len() {
            return Err(format!(
                "'{item}' runs backwards or names too many exit reasons"
            ));
        }
        reasons.extend(first..=last);
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse("3"), Ok(vec![3]));
        assert_eq!(parse("0-2,9,4294967294-4294967295").map(|r| r.len()), Ok(6));
        assert_eq!(parse("0-85").map(|r| r.len()), Ok(86));
        for wrong in [
            "",
            "a",
            "5-",
            "-5",
            "9-3",
            "0-4294967295",
            "1,,2",
            "0-4095,1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
