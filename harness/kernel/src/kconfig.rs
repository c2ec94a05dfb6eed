//! The configuration: `tinyconfig`, the fragments on top, and the proof that Kconfig
//! kept every symbol that they ask for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::assets::{FRAGMENTS, TRACING};
use super::make::{self, clean_env};
use super::tree::WorkTree;
use crate::stage::{self, CONFIGURE};
use exitlab_base::error::{Error, Result};
use exitlab_base::process;

/// How symbols begin that nearly every object of a kernel depends on: the rate of the tick
/// (through `jiffies.h`) and preemption (through `preempt.h`).
const FAR_REACHING: [&str; 2] = ["CONFIG_HZ_", "CONFIG_PREEMPT"];

/// A Kconfig fragment.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// What messages and keys call it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// exitlab's fragments, those of a kernel that traces if it is to, then the user's.
pub fn fragments(tracing: bool, user: &[PathBuf]) -> Result<Vec<Fragment>> {
    let tracing = TRACING.iter().filter(|_| tracing);
    let own = FRAGMENTS.iter().chain(tracing).map(|(name, text)| {
        Ok(Fragment {
            name: format!("kernel/kconfig/{name}"),
            text: (*text).to_owned(),
        })
    });
    own.chain(user.iter().map(|path| read_fragment(path)))
        .collect()
}

/// The user's fragments alone.
pub fn user_fragments(user: &[PathBuf]) -> Result<Vec<Fragment>> {
    user.iter().map(|path| read_fragment(path)).collect()
}

/// Whether a kernel with these fragments traces.
pub fn tracing(fragments: &[Fragment]) -> bool {
    // By the text: the same fragment given by the user makes the same kernel.
    let is_tracing = |fragment: &Fragment| TRACING.iter().any(|own| own.1 == fragment.text);
    fragments.iter().any(is_tracing)
}

/// What the fragments set of the symbols that nearly every object depends on, sorted.
pub fn far_reaching(fragments: &[Fragment]) -> BTreeMap<&str, &str> {
    let settings = fragments
        .iter()
        .flat_map(|fragment| fragment.text.lines().filter_map(setting));
    settings
        .filter(|(symbol, _)| FAR_REACHING.iter().any(|start| symbol.starts_with(start)))
        .collect()
}

fn read_fragment(path: &Path) -> Result<Fragment> {
    let text = fs::read_to_string(path).map_err(|error| Error::Config {
        message: format!("kernel.fragments: cannot read {}: {error}", path.display()),
        cure: "give kernel.fragments files that hold lines such as CONFIG_BPF_SYSCALL=y".into(),
    })?;
    Ok(Fragment {
        name: path.display().to_string(),
        text,
    })
}

/// Configures the tree from `tinyconfig`, and verifies that the configuration is the one
/// asked for.
pub async fn configure(tree: &WorkTree, fragments: &[Fragment]) -> Result<()> {
    let log = fresh_log(tree);
    make::run(&tree.dir(), &["tinyconfig"], &log, CONFIGURE, |_| {}).await?;
    merge(tree, fragments, &[], &log).await
}

/// Configures the tree from a whole configuration, and verifies that it kept what the
/// fragments ask for. `words` are more words for `make`.
pub async fn configure_from(
    tree: &WorkTree,
    base: &str,
    fragments: &[Fragment],
    words: &[&str],
) -> Result<()> {
    let log = fresh_log(tree);
    let path = tree.dir().join(".config");
    // `make` goes by its time: a configuration that is there already is left alone.
    if fs::read_to_string(&path).ok().as_deref() != Some(base) {
        fs::write(&path, base).map_err(Error::io("write", &path))?;
    }
    merge(tree, fragments, words, &log).await
}

fn fresh_log(tree: &WorkTree) -> PathBuf {
    let log = tree.log_path(CONFIGURE);
    let _ = fs::remove_file(&log);
    log
}

async fn merge(tree: &WorkTree, fragments: &[Fragment], words: &[&str], log: &Path) -> Result<()> {
    let dir = tree.dir();
    let scratch = tree.scratch()?;
    let mut merge = Command::new("scripts/kconfig/merge_config.sh");
    clean_env(&mut merge);
    merge.current_dir(&dir).args(["-m", ".config"]);
    for (number, fragment) in fragments.iter().enumerate() {
        let path = scratch.path().join(format!("{number}.config"));
        fs::write(&path, &fragment.text).map_err(Error::io("write", &path))?;
        merge.arg(path);
    }
    if !fragments.is_empty() {
        let merged = process::run(merge, log, |_| {}).await?;
        if !merged.status.success() {
            let message = "merge_config.sh failed".to_owned();
            return Err(make::failed(CONFIGURE, message, merged.tail, log));
        }
    }
    let words = [words, &["olddefconfig"]].concat();
    make::run(&dir, &words, log, CONFIGURE, |_| {}).await?;

    let config = dir.join(".config");
    let text = fs::read_to_string(&config).map_err(Error::io("read", &config))?;
    verify(fragments, &text)
}

/// Symbol and value of a line; an unset symbol has the value `n`.
pub fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if let Some(symbol) = line
        .strip_prefix("# ")
        .and_then(|l| l.strip_suffix(" is not set"))
    {
        return symbol.starts_with("CONFIG_").then_some((symbol, "n"));
    }
    line.split_once('=')
        .filter(|(symbol, _)| symbol.starts_with("CONFIG_"))
}

fn verify(fragments: &[Fragment], config: &str) -> Result<()> {
    let got: BTreeMap<_, _> = config.lines().filter_map(setting).collect();
    // As merge_config.sh has it: of two fragments that set a symbol the later one counts.
    let wanted: BTreeMap<_, _> = fragments
        .iter()
        .flat_map(|fragment| {
            fragment
                .text
                .lines()
                .filter_map(setting)
                .map(move |s| (fragment, s))
        })
        .map(|(fragment, (symbol, value))| (symbol, (value, &fragment.name)))
        .collect();
    let lost: Vec<String> = wanted
        .iter()
        .filter_map(|(symbol, (value, fragment))| {
            let got = got.get(symbol).copied().unwrap_or("n");
            (got != *value).then(|| format!("  {symbol}={value} of {fragment} became {got}"))
        })
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::Build {
        stage: stage::named(CONFIGURE),
        message: format!(
            "Kconfig did not keep what was asked for:\n{}",
            lost.join("\n")
        ),
        tail: Vec::new(),
        cure:
            "add what these symbols depend on to the same fragment (`make menuconfig`, `/` shows \
               it), or remove them: this kernel series may not know them"
                .into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fragment(name: &str, text: &str) -> Fragment {
        Fragment {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn symbols_that_do_not_hold_are_named_with_their_fragment() {
        let fragments = [
            fragment(
                "one",
                "# comment\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=y\n",
            ),
            fragment("two", "CONFIG_C=n\nCONFIG_D=\"text\"\nCONFIG_E=64\n"),
        ];
        let good = "CONFIG_A=y\nCONFIG_D=\"text\"\nCONFIG_E=64\n# CONFIG_X is not set\n";
        verify(&fragments, good).unwrap();

        let error = verify(&fragments, "CONFIG_B=y\nCONFIG_C=y\nCONFIG_E=64\n").unwrap_err();
        insta::assert_snapshot!(error.to_string(), @r#"
        kernel: configure: Kconfig did not keep what was asked for:
          CONFIG_A=y of one became n
          CONFIG_B=n of one became y
          CONFIG_C=n of two became y
          CONFIG_D="text" of two became n
        "#);
    }

    #[test]
    fn a_missing_fragment_is_named() {
        let error = fragments(false, &["no/such.config".into()]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("kernel.fragments: cannot read no/such.config")
        );
    }
}
