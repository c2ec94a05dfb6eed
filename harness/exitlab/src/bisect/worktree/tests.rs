#![allow(clippy::unwrap_used)]

use super::*;
use crate::bisect::{Decision, Questions};
use exitlab_fixtures::git::Fixture;

/// What is in the repository beside its objects.
fn state(fixture: &Fixture) -> String {
    let words: [&[&str]; 4] = [
        &["status", "--porcelain", "--branch"],
        &["for-each-ref"],
        &["worktree", "list", "--porcelain"],
        &["bisect", "log"],
    ];
    let said = words.map(|words| {
        let mut command = git::command(fixture.path());
        command.args(words);
        git::told(command).unwrap_or_else(|error| error)
    });
    said.join("\n")
}

fn commits(fixture: &Fixture, number: usize) -> Vec<String> {
    let commit = |n: usize| fixture.commit(&n.to_string(), &[("file", Some(&n.to_string()))]);
    (0..number).map(commit).collect()
}

#[tokio::test]
async fn a_bisection_is_its_own_and_goes_without_a_trace() {
    let fixture = Fixture::new();
    let all = commits(&fixture, 6);
    // One of the user's own is under way.
    fixture.git(&["bisect", "start", &all[5], &all[0]]);
    let before = state(&fixture);
    let out = tempfile::tempdir().unwrap();
    let linked = LinkedWorktree::new(
        &Repository::open(fixture.path()).unwrap(),
        out.path(),
        &all[5],
    )
    .unwrap();
    linked.start(&all[0], &all[5]).unwrap();
    let asked = linked.asked_about().unwrap();
    assert!(all[1..5].contains(&asked), "{asked}");
    assert_eq!(linked.suspects().unwrap().len(), 5);
    assert!(linked.log().unwrap().contains("git bisect start"));
    assert!(!linked.dir.join("file").exists(), "no files");
    drop(linked);
    assert_eq!(state(&fixture), before);
    assert_eq!(
        std::fs::read_dir(out.path()).unwrap().count(),
        1,
        "the lock"
    );
}

#[test]
fn what_a_killed_bisection_left_goes_with_the_next_one_but_not_what_is_at_work() {
    let fixture = Fixture::new();
    let all = commits(&fixture, 3);
    let repo = Repository::open(fixture.path()).unwrap();
    let before = state(&fixture);
    let outs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let linked = |n: usize| LinkedWorktree::new(&repo, outs[n].path(), &all[2]).unwrap();
    let mut killed = linked(0);
    killed.start(&all[0], &all[2]).unwrap();
    // As the kernel does with a process that is no more.
    let lock = Lock::try_acquire(&outs[2].path().join("other"))
        .unwrap()
        .unwrap();
    drop(std::mem::replace(&mut killed._lock, lock));
    let at_work = linked(1);
    assert!(!killed.dir.exists() && at_work.dir.exists());
    std::mem::forget(killed);
    let next = linked(2);
    assert!(at_work.dir.exists(), "its lock is held");
    drop((next, at_work));
    assert_eq!(state(&fixture), before);
}

/// `git bisect run`, with the answers that a test gives.
async fn bisect(answer: impl Fn(usize) -> Decision) -> (Fixture, Vec<String>, Result<End>) {
    let fixture = Fixture::new();
    let all = commits(&fixture, 9);
    let out = tempfile::tempdir().unwrap();
    let linked = LinkedWorktree::new(
        &Repository::open(fixture.path()).unwrap(),
        out.path(),
        &all[8],
    )
    .unwrap();
    linked.start(&all[0], &all[8]).unwrap();
    let questions = Questions::open().unwrap();
    let (socket, log) = (questions.path(), out.path().join("log"));
    let script = out.path().join("step");
    // What a step does, without the program that the unit tests are not.
    let client = "#!/usr/bin/env bash\nread -r word < <(python3 -c 'import socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
        print(s.makefile().readline().strip())' \"$2\")\n\
        case $word in good) exit 0;; bad) exit 1;; skip) exit 125;; *) exit 255;; esac\n";
    std::fs::write(&script, client).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let git = linked.bisect_by(&script, &socket, &log, |_| {});
    let answers = async {
        loop {
            let asked = questions.asked().await.unwrap();
            let commit = linked.asked_about().unwrap();
            let number = all.iter().position(|id| *id == commit).unwrap();
            asked.answer(answer(number)).await;
        }
    };
    let end = tokio::select! { end = git => end, () = answers => panic!("no end") };
    drop(linked);
    (fixture, all, end)
}

#[tokio::test]
async fn git_finds_the_first_bad_commit() {
    for first in 1..=8 {
        let judge = |n| match n >= first {
            true => Decision::Bad,
            false => Decision::Good,
        };
        let (_fixture, all, end) = bisect(judge).await;
        assert_eq!(end.unwrap(), End::Found(all[first].clone()));
    }
}

#[tokio::test]
async fn skipped_commits_hide_it_or_not() {
    let judge = |n| match n {
        2 | 4 | 5 => Decision::Skip,
        6.. => Decision::Bad,
        _ => Decision::Good,
    };
    let (_fixture, all, end) = bisect(judge).await;
    let hidden = [6, 5, 4].map(|n: usize| all[n].clone());
    assert_eq!(end.unwrap(), End::OneOf(hidden.into()));
    let judge = |n| match n {
        2 | 7 => Decision::Skip,
        5.. => Decision::Bad,
        _ => Decision::Good,
    };
    let (_fixture, all, end) = bisect(judge).await;
    assert_eq!(end.unwrap(), End::Found(all[5].clone()));
}
