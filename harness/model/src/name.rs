//! Plain names: what a file's name may be that comes out of another file. A name that was
//! read is joined to a path somewhere, and must not lead anywhere else.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest name, bytes: `NAME_MAX` of `linux/limits.h`.
pub const LONGEST: usize = 255;

/// How much of a bad name an error shows, characters.
const SHOWN: usize = 60;

/// One component of a path, fit to be joined to any directory: not empty, at most [`LONGEST`]
/// bytes, without a slash, a NUL or another control character, and not hidden, so neither
/// `.` nor `..` nor what exitlab calls its own files (`.lock`, `.machine`).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PlainName(String);

/// A text that is no plain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPlain {
    /// Its beginning, with whatever is not printable escaped.
    shown: String,
    why: &'static str,
}

impl PlainName {
    /// Takes a text for a plain name.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn new(name: impl Into<String>) -> Result<PlainName, NotPlain> {
        let name = name.into();
        let why = if name.is_empty() {
            "it is empty"
        } else if name.len() > LONGEST {
            "it is longer than 255 bytes"
        } else if name.contains('/') {
            "it holds a slash"
        } else if name.chars().any(char::is_control) {
            "it holds a control character"
        } else if name.starts_with('.') {
            "it begins with a dot"
        } else {
            return Ok(PlainName(name));
        };
        let begin: String = name.chars().take(SHOWN).collect();
        let more = if begin.len() < name.len() { "…" } else { "" };
        let shown = format!("{begin:?}{more}");
        Err(NotPlain { shown, why })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no plain name: {}", self.shown, self.why)
    }
}

impl std::error::Error for NotPlain {}

impl fmt::Display for PlainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for PlainName {
    type Error = NotPlain;

    fn try_from(name: String) -> Result<PlainName, NotPlain> {
        PlainName::new(name)
    }
}

impl From<PlainName> for String {
    fn from(name: PlainName) -> String {
        name.0
    }
}

impl PartialEq<&str> for PlainName {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl AsRef<OsStr> for PlainName {
    fn as_ref(&self) -> &OsStr {
        OsStr::new(&self.0)
    }
}

impl AsRef<Path> for PlainName {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_elsewhere_is_refused_and_named() {
        let long = "x".repeat(LONGEST + 1);
        for bad in [
            "",
            ".",
            "..",
            "/",
            "/etc",
            "../x",
            "a/../..",
            "a/",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            ".lock",
            &long,
        ] {
            assert!(PlainName::new(bad).is_err(), "{bad:?}");
        }
        let said = PlainName::new("../../home\n").unwrap_err().to_string();
        assert_eq!(said, r#""../../home\n" is no plain name: it holds a slash"#);
        assert!(PlainName::new(long).unwrap_err().to_string().len() < 150);
    }

    #[test]
    fn names_of_cells_and_packages_are_plain() {
        for good in [
            "r1",
            "3-guest.cpu=host_,r2",
            "linux-image-6.12_1+b1_amd64.deb",
            "ü",
        ] {
            assert_eq!(PlainName::new(good).unwrap().as_str(), good);
        }
        let read: Result<PlainName, _> = serde_json::from_str(r#""a/b""#);
        assert!(read.unwrap_err().to_string().contains("it holds a slash"));
    }

    proptest! {
        /// Whatever is taken is one step down from any directory.
        #[test]
        fn a_plain_name_is_one_normal_component(text in "\\PC*|[./a\0\n-]{0,8}") {
            if let Ok(name) = PlainName::new(text.clone()) {
                let parts: Vec<Component> = Path::new(&text).components().collect();
                prop_assert_eq!(parts, [Component::Normal(text.as_ref())]);
                let joined = Path::new("/a/b").join(&name);
                prop_assert_eq!(joined.parent(), Some(Path::new("/a/b")));
            }
        }
    }
}
