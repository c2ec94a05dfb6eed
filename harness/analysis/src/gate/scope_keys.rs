//! What a rule or an allowance is about: platform, phase, and reason or class.

use toml::Spanned;

use super::rules::{PhaseChoice, ReasonChoice, Scope};
use exitlab_base::toml::{Problem, Text, Wrong};
use exitlab_model::platform::PlatformKind;
use exitlab_model::reasons::{Class, Isa, ReasonTable};

/// A key that may be given, and where it is.
pub(super) type Given<T> = Option<Spanned<T>>;

/// The keys by which rules and allowances say what they are about.
pub(super) struct ScopeKeys<'a> {
    pub section: &'static str,
    pub platform: &'a Given<String>,
    pub phase: &'a Given<String>,
    pub reason: &'a Given<toml::Value>,
    pub class: &'a Given<String>,
}

impl ScopeKeys<'_> {
    /// What the keys say, or what is wrong with one of them.
    pub(super) fn read(&self, text: &Text) -> Result<Scope, Problem> {
        let platform = self.platform(text)?;
        let isa = platform.and_then(PlatformKind::isa);
        let phase = match self.phase {
            None => PhaseChoice::Each,
            Some(phase) => PhaseChoice::Named(phase.get_ref().clone()),
        };
        let reasons = match (self.reason, self.class) {
            (None, None) => ReasonChoice::Each,
            (Some(reason), None) => self.reason(text, reason, platform.is_some(), isa)?,
            (None, Some(class)) => self.class(text, class)?,
            (Some(_), Some(class)) => {
                let wrong = Wrong::new("both reason and class are given", "give one of the two");
                return Err(text.problem(&self.key("class"), class, wrong));
            }
        };
        Ok(Scope {
            platform,
            phase,
            reasons,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.section)
    }

    fn platform(&self, text: &Text) -> Result<Option<PlatformKind>, Problem> {
        let Some(given) = self.platform else {
            return Ok(None);
        };
        let found = PlatformKind::named(given.get_ref());
        found.map(Some).ok_or_else(|| {
            let names = PlatformKind::ALL.map(PlatformKind::name);
            let wrong = Wrong::new(
                "unknown platform",
                format!("choose from {}", names.join(", ")),
            );
            text.problem(&self.key("platform"), given, wrong)
        })
    }

    fn class(&self, text: &Text, given: &Spanned<String>) -> Result<ReasonChoice, Problem> {
        let found = Class::ALL.iter().find(|(word, _)| word == given.get_ref());
        found
            .map(|(_, class)| ReasonChoice::Class(*class))
            .ok_or_else(|| {
                let words: Vec<&str> = Class::ALL.iter().map(|(word, _)| *word).collect();
                let wrong =
                    Wrong::new("unknown class", format!("choose from {}", words.join(", ")));
                text.problem(&self.key("class"), given, wrong)
            })
    }

    /// `10`, `"0x072"`, `"CPUID"`, `"I/O instruction"`, `"total"`.
    fn reason(
        &self,
        text: &Text,
        given: &Spanned<toml::Value>,
        has_platform: bool,
        isa: Option<Isa>,
    ) -> Result<ReasonChoice, Problem> {
        let problem = |what: String, cure: String| {
            text.problem(&self.key("reason"), given, Wrong::new(what, cure))
        };
        let tables: Vec<&ReasonTable> = match isa {
            Some(isa) => vec![ReasonTable::of(isa)],
            None => vec![ReasonTable::vmx(), ReasonTable::svm()],
        };
        let word = match given.get_ref() {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::String(word) => word.trim().to_owned(),
            _ => {
                let cure = "give a number (30) or a name (\"IO_INSTRUCTION\")".to_owned();
                return Err(problem("not a reason".to_owned(), cure));
            }
        };
        if word == "total" {
            return Ok(ReasonChoice::Total);
        }
        let digits = word.strip_prefix("0x");
        let number = digits.map_or_else(|| word.parse().ok(), |d| u32::from_str_radix(d, 16).ok());
        if let Some(number) = number {
            if !has_platform {
                return Err(problem(
                    meanings(number),
                    "give platform, too, or the reason's name".to_owned(),
                ));
            }
            if tables.iter().any(|table| table.get(number).is_some()) {
                return Ok(ReasonChoice::Number(number));
            }
        }
        let mut reasons = tables.iter().flat_map(|table| table.defined());
        let found = reasons.find_map(|reason| {
            // A name can be one of both instruction sets, whose mnemonics differ.
            let words = [&reason.mnemonic, &reason.name];
            words
                .into_iter()
                .find(|own| own.eq_ignore_ascii_case(&word))
        });
        match found {
            Some(name) => Ok(ReasonChoice::Named(name.to_owned())),
            None => Err(problem(
                "unknown reason".to_owned(),
                similar(&word, &tables),
            )),
        }
    }
}

/// What a number means on each instruction set.
fn meanings(number: u32) -> String {
    let say = |isa: Isa| format!("`{}` on {}", ReasonTable::of(isa).name(number), isa.name());
    format!(
        "a number alone: it is {} and {}",
        say(Isa::Vmx),
        say(Isa::Svm)
    )
}

fn similar(word: &str, tables: &[&ReasonTable]) -> String {
    let upper = word.to_uppercase();
    let names = tables.iter().flat_map(|table| table.defined());
    let mut close: Vec<&str> = names
        .map(|reason| reason.mnemonic.as_str())
        .filter(|name| {
            let long = upper.len() >= 3;
            long && (name.contains(&upper) || upper.contains(name)) && name.len() >= 3
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    close.truncate(3);
    match close.is_empty() {
        true => "`exitlab reasons --format csv` lists names under `mnemonic`".to_owned(),
        false => format!(
            "did you mean {}? `exitlab reasons` lists all",
            close.join(" or ")
        ),
    }
}
