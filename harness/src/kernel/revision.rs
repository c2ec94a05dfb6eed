//! A revision of a Git repository as a kernel tree of its own: the repository, its index and
//! its work tree are left alone.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::artifact::{Cache, KeyBuilder};
use crate::error::{Error, Result};
use crate::tool;

/// Where the tree is in its artifact.
const TREE: &str = "tree";

/// The tree of a revision, taken out of the repository once. Submodules are not followed.
pub async fn tree(cache: &Cache, repo: &Path, revision: &str) -> Result<PathBuf> {
    let commit = commit(repo, revision)?;
    let key = KeyBuilder::new().text("commit", &commit).build();
    let artifact = cache
        .get_or_build("kernel-revision", &key, async |dir: &Path| {
            let (tar, tree) = (dir.join("tree.tar"), dir.join(TREE));
            std::fs::create_dir(&tree).map_err(Error::io("create", &tree))?;
            let mut archive = Command::new("git");
            archive
                .arg("-C")
                .arg(repo)
                .args(["archive", "--output"])
                .arg(&tar)
                .arg(&commit);
            tool::run("kernel: git archive", archive, &dir.join("git.log")).await?;
            let mut unpack = Command::new("tar");
            unpack.arg("-xf").arg(&tar).arg("-C").arg(&tree);
            tool::run("kernel: unpack the revision", unpack, &dir.join("tar.log")).await?;
            std::fs::remove_file(&tar).map_err(Error::io("remove", &tar))
        })
        .await?;
    Ok(artifact.dir.join(TREE))
}

/// The commit that a revision names.
fn commit(repo: &Path, revision: &str) -> Result<String> {
    let wrong = |why: &str| Error::Config {
        message: format!("{} has no revision {revision}: {why}", repo.display()),
        cure: "name a commit, tag or branch of that repository".to_owned(),
    };
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(repo)
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(format!("{revision}^{{commit}}"))
        .env("LC_ALL", "C")
        .output()
        .map_err(Error::io("run", "git"))?;
    let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !commit.is_empty() {
        Ok(commit)
    } else {
        Err(wrong(String::from_utf8_lossy(&output.stderr).trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(repo: &Path, args: &[&str]) {
        let status = std::process::Command::new("git")
            .arg("-C")
            .arg(repo)
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
            .args(args)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "git {args:?}");
    }

    #[tokio::test]
    async fn a_revision_is_a_tree_and_the_repository_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("repo");
        std::fs::create_dir(&repo).unwrap();
        git(&repo, &["init", "-q"]);
        for text in ["one", "two"] {
            std::fs::write(repo.join("file"), text).unwrap();
            git(&repo, &["add", "file"]);
            git(&repo, &["commit", "-q", "-m", text]);
        }
        std::fs::write(repo.join("file"), "not committed").unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        for (revision, text) in [("HEAD", "two"), ("HEAD~1", "one")] {
            let tree = tree(&cache, &repo, revision).await.unwrap();
            assert_eq!(std::fs::read_to_string(tree.join("file")).unwrap(), text);
        }
        let left = std::fs::read_to_string(repo.join("file")).unwrap();
        assert_eq!(left, "not committed");
        for revision in ["no-such", "--help", ""] {
            let error = tree(&cache, &repo, revision).await.unwrap_err();
            assert!(error.to_string().contains("has no revision"), "{error}");
        }
    }
}
