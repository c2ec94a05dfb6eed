//! The text of an event's histograms (Documentation/trace/histogram.rst): a section for each
//! trigger, and in it a line for each entry.

/// What begins a section.
const BEGIN: &str = "# event histogram";

/// What tells a section's trigger.
const TRIGGER: &str = "# trigger info: hist:keys=";

/// The section of the trigger with these `keys`, as the trigger has them; the whole text where
/// there is but one section.
pub fn section<'a>(text: &'a str, keys: &str) -> Option<&'a str> {
    if text.matches(BEGIN).nth(1).is_none() {
        return Some(text);
    }
    let mut sections = text.split(BEGIN);
    sections.find(|section| {
        let trigger = section.lines().find_map(|line| line.strip_prefix(TRIGGER));
        let rest = trigger.and_then(|trigger| trigger.strip_prefix(keys));
        rest.is_some_and(|rest| rest.starts_with(':'))
    })
}

/// The entries of a section, a line each, without what stands around them.
pub fn entries(section: &str) -> impl Iterator<Item = &str> {
    let lines = section.lines().map(str::trim);
    lines.filter(|line| line.starts_with('{'))
}

/// How many events a section had no room for.
pub fn dropped(section: &str) -> Option<u64> {
    let mut lines = section.lines().map(str::trim);
    let count = lines.find_map(|line| line.strip_prefix("Dropped:"));
    count?.trim().parse().ok()
}

/// The value of a key of an entry: `{ common_pid: 93, exit_reason: 48 } hitcount: 8655`. Of a
/// range (`~ 0-4095`) it is the beginning.
pub fn key(entry: &str, name: &str) -> Option<u64> {
    let (keys, _) = entry.strip_prefix('{')?.split_once('}')?;
    let value = value(keys.split(','), name)?;
    let value = value.strip_prefix('~').unwrap_or(value).trim();
    let value = value.split_once('-').map_or(value, |(from, _)| from);
    value.parse().ok()
}

/// How often an entry was hit.
pub fn hits(entry: &str) -> Option<u64> {
    let (_, values) = entry.split_once('}')?;
    let hits = values.trim().strip_prefix("hitcount:")?;
    hits.split_whitespace().next()?.parse().ok()
}

/// What an entry's values of a field come to: `} hitcount: 3  lat: 3100`.
pub fn sum(entry: &str, name: &str) -> Option<u64> {
    let (_, values) = entry.split_once('}')?;
    let mut words = values.split_whitespace();
    words.find(|word| word.strip_suffix(':') == Some(name))?;
    words.next()?.parse().ok()
}

/// The least and the most that a key stands for: a range (`lat: ~ 1024-1151`), or a power of
/// two that it is at most, and more than half of (`lat: ~ 2^10`).
pub fn stretch(entry: &str, name: &str) -> Option<(u64, u64)> {
    let (keys, _) = entry.strip_prefix('{')?.split_once('}')?;
    let value = value(keys.split(','), name)?.strip_prefix('~')?.trim();
    if let Some(power) = value.strip_prefix("2^") {
        let most = 1_u64.checked_shl(power.parse().ok()?)?;
        return Some((if most > 1 { most / 2 + 1 } else { 0 }, most));
    }
    let (least, most) = value.split_once('-')?;
    Some((least.parse().ok()?, most.parse().ok()?))
}

fn value<'a>(mut fields: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    fields.find_map(|field| {
        let value = field.trim().strip_prefix(name)?;
        Some(value.strip_prefix(':')?.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.12 prints two triggers of one event.
    const TWO: &str = "# event histogram
#
# trigger info: hist:keys=common_pid,exit_reason,info1:vals=hitcount:sort=hitcount:size=4096 if exit_reason == 30 [active]
#

{ common_pid:         91, exit_reason:         30, info1:   66584577 } hitcount:         12

Totals:
    Hits: 12
    Entries: 1
    Dropped: 3


# event histogram
#
# trigger info: hist:keys=common_pid,exit_reason,isa:vals=hitcount:sort=hitcount:size=16384 [active]
#

{ common_pid:         91, exit_reason:         30, isa:          1 } hitcount:         15

Totals:
    Hits: 15
    Entries: 1
    Dropped: 0
";

    #[test]
    fn a_section_is_found_by_its_keys() {
        let of = |keys| section(TWO, keys).unwrap();
        let of_info = of("common_pid,exit_reason,info1");
        assert_eq!(dropped(of_info), Some(3));
        let entry = entries(of_info).next().unwrap();
        assert_eq!(
            (key(entry, "info1"), hits(entry)),
            (Some(66584577), Some(12))
        );
        assert_eq!(dropped(of("common_pid,exit_reason,isa")), Some(0));
        assert_eq!(section(TWO, "common_pid,exit_reason"), None);
    }

    #[test]
    fn ranges_begin_where_they_begin() {
        let entry =
            "{ common_pid: 91, error_code: 2, fault_address: ~ 2097152-4194303 } hitcount: 5";
        assert_eq!(key(entry, "fault_address"), Some(2097152));
        assert_eq!(key(entry, "error_code"), Some(2));
        assert_eq!(key(entry, "nothing"), None);
    }

    #[test]
    fn stretches_and_sums_are_read() {
        let entry = "{ common_pid: 91, reason: 2, lat: ~ 1024-1151 } hitcount: 3  lat: 3100";
        assert_eq!(stretch(entry, "lat"), Some((1024, 1151)));
        assert_eq!((hits(entry), sum(entry, "lat")), (Some(3), Some(3100)));
        let of = |power| stretch(&format!("{{ lat: ~ 2^{power:<2} }} hitcount: 1"), "lat");
        assert_eq!(
            (of(0), of(1), of(10)),
            (Some((0, 1)), Some((2, 2)), Some((513, 1024)))
        );
        assert_eq!((of(64), sum("{ lat: 1 } hitcount: 1", "lat")), (None, None));
    }
}
