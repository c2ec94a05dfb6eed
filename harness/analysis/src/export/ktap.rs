//! KTAP, as the kernel's own tests report (`Documentation/dev-tools/ktap.rst`, version 1):
//! tests in tests, each with its number, and what is said of it in lines of diagnosis.

use exitlab_base::foreign;

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Result {
    /// It passed.
    Ok,
    /// It failed.
    NotOk,
    /// It was not made, and why.
    Skipped(String),
    /// It came to no result, and why. The kernel's tools count that as a failure.
    Error(String),
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub result: Result,
    /// What is said of it, a line each.
    pub details: Vec<String>,
    /// Tests that it consists of.
    pub inner: Vec<Test>,
}

impl Test {
    /// A test that consists of others: it passes if all of them do that are made.
    pub fn of(name: impl Into<String>, inner: Vec<Test>) -> Test {
        let passes = |test: &Test| matches!(test.result, Result::Ok | Result::Skipped(_));
        Test {
            name: name.into(),
            result: match inner.iter().all(passes) {
                true => Result::Ok,
                false => Result::NotOk,
            },
            details: Vec::new(),
            inner,
        }
    }
}

/// How a list of tests begins.
const VERSION: &str = "KTAP version 1";

/// How a list of inner tests says whose they are, as KUnit's do: to KTAP a line of diagnosis,
/// to the kernel's tools the name, before the result has it.
const SUBTEST: &str = "# Subtest: ";

/// The document.
pub fn ktap(tests: &[Test]) -> String {
    let mut text = format!("{VERSION}\n");
    write(tests, "", &mut text);
    text
}

/// A line of diagnosis, which no name of a subtest is.
fn said(detail: &str) -> String {
    let line = format!("# {}", foreign::line(detail));
    match line.starts_with(SUBTEST.trim_end()) {
        true => line.replacen(' ', "  ", 1),
        false => line,
    }
}

fn write(tests: &[Test], indentation: &str, text: &mut String) {
    *text += &format!("{indentation}1..{}\n", tests.len());
    for (at, test) in tests.iter().enumerate() {
        if !test.inner.is_empty() {
            let (inner, name) = (format!("{indentation}  "), foreign::line(&test.name));
            *text += &format!("{inner}{VERSION}\n{inner}{SUBTEST}{name}\n");
            write(&test.inner, &inner, text);
        }
        for detail in &test.details {
            *text += &format!("{indentation}{}\n", said(detail));
        }
        let (word, directive) = match &test.result {
            Result::Ok => ("ok", String::new()),
            Result::NotOk => ("not ok", String::new()),
            Result::Skipped(why) => ("ok", format!(" # SKIP {}", foreign::line(why))),
            Result::Error(why) => ("not ok", format!(" # ERROR {}", foreign::line(why))),
        };
        let (number, name) = (at + 1, foreign::ktap(&test.name));
        *text += &format!("{indentation}{word} {number} {name}{directive}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, result: Result, details: &[&str]) -> Test {
        Test {
            name: name.to_owned(),
            result,
            details: details.iter().map(|&detail| detail.to_owned()).collect(),
            inner: Vec::new(),
        }
    }

    #[test]
    fn tests_in_tests() {
        let inner = vec![
            test("holds", Result::Ok, &[]),
            test(
                "is broken",
                Result::NotOk,
                &["11, and not 10", "Subtest: see\nbelow"],
            ),
            test("was not tried", Result::Skipped("no VMX".to_owned()), &[]),
        ];
        let text = ktap(&[
            Test::of("a kernel", inner),
            Test::of("nothing", vec![test("holds", Result::Ok, &[])]),
            test(
                "# SKIP\n\u{1b}ok 9",
                Result::Error("it fell\nsilent".to_owned()),
                &[],
            ),
        ]);
        insta::assert_snapshot!(text, @r"
        KTAP version 1
        1..3
          KTAP version 1
          # Subtest: a kernel
          1..3
          ok 1 holds
          # 11, and not 10
          #  Subtest: see\nbelow
          not ok 2 is broken
          ok 3 was not tried # SKIP no VMX
        not ok 1 a kernel
          KTAP version 1
          # Subtest: nothing
          1..1
          ok 1 holds
        ok 2 nothing
        not ok 3 \u0023 SKIP\n\u001bok 9 # ERROR it fell\nsilent
        ");
    }
}
