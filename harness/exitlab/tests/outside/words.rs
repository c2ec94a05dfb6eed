//! Words from outside, through the whole program: names of a baseline that would be commands to
//! a terminal, a browser, a spreadsheet or a CI system.

use crate::support::{Outcome, Place, exitlab};

/// A baseline whose names do all of it, as TOML may.
const EVIL: &str = r#"
schema = 1
[provenance]
"CPU" = "\u001b[2J\u009b31m\u202ecpu"
"package =x" = "1\n::error::y"
[[cell]]
platform = "bochs-vmx"
experiment = "::error::z\u001b]0;t\u0007"
isa = "vmx"
channel = "stats"
repeats = 1
values = {"guest.cmdline" = "a\n::set-env name=P::q\n##[error]b\\|<script>x</script>![i](http://e)"}
phases = ["=1+1|cmd", "LONG"]
[cell.exits."=1+1|cmd"]
"10 CPUID" = COUNT
[cell.exits."LONG"]
"10 CPUID" = COUNT
"#;

fn printed(args: &[&str]) -> Outcome {
    let mut command = exitlab();
    command.env("GITHUB_ACTIONS", "true");
    command.env_remove("GITHUB_STEP_SUMMARY");
    command.args(args).output().unwrap().into()
}

fn harmless(text: &str) {
    let harm = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!text.contains(harm), "{text:?}");
    for line in text.lines() {
        let ours = line.starts_with("::error file=") || line.starts_with("::warning file=");
        assert!(ours || !line.trim_start().starts_with("::"), "{line}");
        assert!(!line.contains("##["), "{line}");
    }
}

#[test]
fn words_of_files_are_only_words_wherever_they_are_printed() {
    let place = Place::new();
    let file = |name: &str, count: &str| {
        let text = EVIL
            .replace("COUNT", count)
            .replace("LONG", &"l".repeat(65_536));
        place.write(name, &text).to_str().unwrap().to_owned()
    };
    let (base, head) = (file("base.toml", "5"), file("head.toml", "6"));
    let rules = format!(
        "[[rule]]\nname = \"{}\\u001b[1m\"\nexact = true\n",
        "r".repeat(65_536)
    );
    let rules = place
        .write("gate.toml", &rules)
        .to_str()
        .unwrap()
        .to_owned();
    let mut outputs = vec![printed(&["baseline", "show", &base])];
    for format in ["table", "markdown", "csv", "json"] {
        outputs.push(printed(&[
            "compare", &base, &head, "--all", "--format", format,
        ]));
    }
    for outcome in &outputs {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        harmless(&outcome.stdout);
    }
    let json: serde_json::Value = serde_json::from_str(&outputs[4].stdout).unwrap();
    let name = json["cells"][0]["experiment"].as_str().unwrap();
    assert_eq!(name, "::error::z\u{1b}]0;t\u{7}", "JSON says it as it is");
    let markdown = &outputs[2].stdout;
    assert!(
        !markdown.contains("<script>") && !markdown.contains("http://"),
        "{markdown}"
    );
    assert!(
        outputs[3].stdout.contains(",'=1+1|cmd,"),
        "{}",
        outputs[3].stdout
    );

    let gate = printed(&["gate", "--rules", &rules, "--base", &base, &head]);
    assert_eq!(gate.code, Some(1), "{}", gate.stderr);
    harmless(&gate.stdout);
    assert!(gate.stdout.len() < 50_000, "{}", gate.stdout.len());

    let wrong = file("wrong.toml", "\"\\u001b[2J\\n::error::w\"");
    let refused = printed(&["baseline", "show", &wrong]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    harmless(&refused.stderr);
    place.assert_deserted();
}
