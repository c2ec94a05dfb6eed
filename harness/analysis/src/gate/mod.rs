//! Is this change allowed? Rules in a file, a verdict for each rule and phase: passed,
//! failed, or undecided, which are three different things.
//!
//! ```text
//! rules.toml ─► Rules ─┐ judge
//! base, head: Side ────┴──────► Judgement ─► plain · KTAP · JUnit XML · GitHub
//! ```

mod amount;
mod apart;
mod below;
mod choice;
mod compared;
mod count;
pub(crate) mod document;
mod github;
mod judge;
mod judgement;
mod junit;
mod ktap;
mod limit;
mod plain;
mod refusal;
mod rules;
mod scope_keys;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use amount::Amount;
pub use choice::BelowChoice;
pub use github::tell as tell_github;
pub use judge::judge;
pub use judgement::{Case, Judgement, Outcome};
pub use junit::junit;
pub use ktap::ktap_tests;
pub use plain::plain;
pub use rules::{Allow, Limit, Origin, PhaseChoice, ReasonChoice, Rule, Rules, Scope};

use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::toml::{Text, as_error};

/// Reads a file of rules; with `platform` only the rules that concern it.
///
/// # Errors
///
/// [`Error::Config`] with file, line, key and cure of everything that is wrong.
pub fn load(path: &Path, platform: Option<&str>) -> Result<Rules> {
    let content = std::fs::read_to_string(path).map_err(|error| Error::Config {
        message: format!("failed to read the rules {}: {error}", path.display()),
        cure: "check the path; docs/regression.md has an example".to_owned(),
    })?;
    let text = Text::new(path.display().to_string(), content);
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut rules = document::read(&text, dir).map_err(as_error)?;
    if let Some(platform) = platform {
        let before = rules.rules.len();
        rules.rules.retain(|rule| rule.scope.concerns(platform));
        if rules.rules.is_empty() {
            return Err(Error::Config {
                message: format!(
                    "{}: none of its {before} rules concerns platform {platform}",
                    path.display()
                ),
                cure: "check --platform and the rules' keys `platform`".to_owned(),
            });
        }
    }
    Ok(rules)
}

/// Today, UTC: what allowances expire by.
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
}

/// Writes the verdicts as JUnit XML.
pub fn write_junit(judgement: &Judgement, path: &Path) -> Result<()> {
    let text = junit(judgement).map_err(|e| Error::io("write", path)(std::io::Error::other(e)))?;
    write_whole(path, text.as_bytes())
}
