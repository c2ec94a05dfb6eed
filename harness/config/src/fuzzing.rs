//! Configurations, as bytes. For the fuzzer, and for the test that replays its seeds.

use std::path::{Path, PathBuf};

use exitlab_model::platform::PlatformKind;

use crate::matrix::Texts;

/// A file: the first line, if it begins with `--set `, is given beside it.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (set, file) = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("--set ") => (Some(&first[6..]), rest),
        _ => (None, &*text),
    };
    let sets: Vec<String> = set.into_iter().map(str::to_owned).collect();
    let nowhere = Path::new("/nowhere");
    let texts = Texts::new(
        "fuzzed",
        file.to_owned(),
        PathBuf::from(nowhere),
        &sets,
        nowhere,
    );
    let _ = texts.expand(&[PlatformKind::BochsVmx, PlatformKind::TcgSvm]);
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_configuration_panics() {
        exitlab_fixtures::fuzz::replay("configuration", super::configuration);
    }
}
