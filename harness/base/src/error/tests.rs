use super::*;

#[test]
fn json_that_cannot_be_read_is_no_failure_of_the_disk() {
    let source = serde_json::from_str::<u32>("x").map(drop);
    let error = source.map_err(Error::json("read", "a/run.json"));
    insta::assert_snapshot!(error.map_or_else(|e| for_people(&e), |()| String::new()), @r"
    exitlab: failed to read a/run.json as JSON: expected value at line 1 column 1
      cure: the file was changed or is damaged: remove it and try again
    ");
}

#[test]
fn what_an_error_quotes_does_nothing_to_the_terminal_and_is_no_flood() {
    let error = Error::Experiment {
        stage: "guest".into(),
        message: format!("it said \u{1b}[2J {}", "x".repeat(3_000_000)),
        tail: vec!["\u{9b}31mred".into(), "a\n::error::b".into()],
        cure: "look\u{202e}".into(),
    };
    let text = for_people(&error);
    assert!(text.len() < 2_000, "{}", text.len());
    assert!(text.starts_with("exitlab: guest: it said \\u001b[2J xxx"));
    insta::assert_snapshot!(text.split_once('\n').unwrap_or_default().1, @r"
      | \u009b31mred
      | a
      | ::error::b
      cure: look\u202e
    ");
}

#[test]
fn a_full_cache_is_cured_with_another_cache_and_full_results_with_another_out() {
    let cache = Path::new("/home/me/.cache/exitlab");
    let full = |path: &Path| {
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Error::io("write", path)(error).of_cache(cache)
    };
    let build = |last: &str| {
        let error = Error::Build {
            stage: "kernel: compile".into(),
            message: "make failed".into(),
            tail: vec![last.into()],
            cure: "see compile.log".into(),
        };
        error.of_cache(cache)
    };
    assert!(full(&cache.join("work/x")).cure().contains("--cache"));
    assert!(full(Path::new("/results/x")).cure().contains("--out"));
    let error = build("a.o: No space left on device");
    assert!(
        error
            .cure()
            .contains("free some space in the cache, /home/me")
    );
    assert_eq!(
        (error.exit_code(), error.tail().len()),
        (exit_code::BUILD, 1)
    );
    assert_eq!(build("a.c: syntax error").cure(), "see compile.log");
}

#[test]
fn errors_show_message_tail_and_cure() {
    let error = Error::Experiment {
        stage: "guest boots".into(),
        message: "no SSH login within 6 s".into(),
        tail: vec!["last words".into()],
        cure: "look here\n  and there".into(),
    };
    insta::assert_snapshot!(for_people(&error), @r"
    exitlab: guest boots: no SSH login within 6 s
      | last words
      cure: look here
            and there
    ");
}
