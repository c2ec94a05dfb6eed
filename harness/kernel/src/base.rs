//! The configuration that a kernel to be installed starts from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::kconfig;
use exitlab_base::error::{Error, Result};

/// What the release of a kernel with the census ends in: it is installed beside the one
/// that its configuration is from, and never in its place.
const SUFFIX: &str = "-exitlab";

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its text, made fit for a build here.
    pub text: String,
    /// Where it was read from.
    pub from: PathBuf,
}

impl Base {
    /// The configuration in `file`, which may be compressed.
    pub fn of_file(file: &Path) -> Result<Base> {
        let text = if file.extension().is_some_and(|end| end == "gz") {
            unzipped(file)
        } else {
            fs::read_to_string(file)
        };
        let text = text.map_err(|error| Error::Config {
            message: format!("cannot read the configuration {}: {error}", file.display()),
            cure: "name the .config of a kernel".into(),
        })?;
        Base::checked(&text, file)
    }

    /// The configuration of the kernel `release` that runs on the machine below `root`.
    pub fn running(root: &Path, release: &str) -> Result<Base> {
        let places = [
            "proc/config.gz".to_owned(),
            format!("boot/config-{release}"),
            format!("lib/modules/{release}/config"),
            format!("lib/modules/{release}/build/.config"),
        ];
        let there = places.iter().map(|place| root.join(place));
        match there.into_iter().find(|path| path.is_file()) {
            Some(path) => Base::of_file(&path),
            None => Err(Error::Config {
                message: format!(
                    "the running kernel {release} does not tell its configuration: there is no \
                     /{}",
                    places.join(", no /")
                ),
                cure: "name a configuration with --config".into(),
            }),
        }
    }

    fn checked(text: &str, from: &Path) -> Result<Base> {
        if let Some(why) = without_kvm(text) {
            return Err(Error::Config {
                message: format!("{}: {why}", from.display()),
                cure: "set CONFIG_KVM and CONFIG_KVM_INTEL or CONFIG_KVM_AMD in it, or name \
                       another configuration with --config"
                    .into(),
            });
        }
        Ok(Base {
            text: adapted(text),
            from: from.to_owned(),
        })
    }

    /// Whether the kernel has loadable modules.
    pub fn has_modules(&self) -> bool {
        symbol(&self.text, "CONFIG_MODULES") == "y"
    }
}

fn symbol<'a>(config: &'a str, name: &str) -> &'a str {
    let mut settings = config.lines().filter_map(kconfig::setting);
    let found = settings.find(|(symbol, _)| *symbol == name);
    found.map_or("n", |(_, value)| value)
}

/// A kernel without KVM has no exits to count.
fn without_kvm(config: &str) -> Option<&'static str> {
    let on = |name| symbol(config, name) != "n";
    match () {
        () if !config.lines().any(|line| line.starts_with("CONFIG_")) => {
            Some("this is no configuration of a kernel")
        }
        () if !on("CONFIG_KVM") => Some("this kernel has no KVM"),
        () if !on("CONFIG_KVM_INTEL") && !on("CONFIG_KVM_AMD") => {
            Some("this kernel has KVM neither for Intel nor for AMD")
        }
        () => None,
    }
}

/// The configuration for a build here:
///
/// - its release ends in `-exitlab`, and does not depend on git;
/// - without debugging information, which takes 10 GB of disk to build;
/// - without the distribution's keys, which only it has: modules are signed with one made
///   for the build, if at all.
fn adapted(config: &str) -> String {
    let is_dropped = |name: &str| {
        name == "CONFIG_LOCALVERSION"
            || name == "CONFIG_LOCALVERSION_AUTO"
            || name.starts_with("CONFIG_DEBUG_INFO")
    };
    let mut text = String::new();
    for line in config.lines() {
        let line = match kconfig::setting(line) {
            Some((name, _)) if is_dropped(name) => continue,
            Some((name @ ("CONFIG_SYSTEM_TRUSTED_KEYS" | "CONFIG_SYSTEM_REVOCATION_KEYS"), _)) => {
                format!("{name}=\"\"")
            }
            Some((name @ "CONFIG_MODULE_SIG_KEY", _)) => {
                format!("{name}=\"certs/signing_key.pem\"")
            }
            _ => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    let own = symbol(config, "CONFIG_LOCALVERSION").trim_matches('"');
    let own = if own == "n" { "" } else { own };
    let end = if own.ends_with(SUFFIX) { "" } else { SUFFIX };
    text += &format!("CONFIG_LOCALVERSION=\"{own}{end}\"\n");
    text += "# CONFIG_LOCALVERSION_AUTO is not set\n";
    text += "CONFIG_DEBUG_INFO_NONE=y\n";
    text
}

fn unzipped(file: &Path) -> std::io::Result<String> {
    let output = Command::new("gzip")
        .arg("-dc")
        .arg(file)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(std::io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    String::from_utf8(output.stdout).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DEBIAN: &str = "CONFIG_MODULES=y\nCONFIG_LOCALVERSION=\"\"\nCONFIG_LOCALVERSION_AUTO=y\n\
        CONFIG_KVM=m\nCONFIG_KVM_AMD=m\nCONFIG_DEBUG_INFO=y\n# CONFIG_DEBUG_INFO_NONE is not set\n\
        CONFIG_SYSTEM_TRUSTED_KEYS=\"debian/certs/debian-uefi-certs.pem\"\n\
        CONFIG_MODULE_SIG_KEY=\"output/signing_key.pem\"\n";

    #[test]
    fn a_distributions_configuration_is_made_fit() {
        let base = Base::checked(DEBIAN, Path::new("c")).unwrap();
        insta::assert_snapshot!(base.text, @r#"
        CONFIG_MODULES=y
        CONFIG_KVM=m
        CONFIG_KVM_AMD=m
        CONFIG_SYSTEM_TRUSTED_KEYS=""
        CONFIG_MODULE_SIG_KEY="certs/signing_key.pem"
        CONFIG_LOCALVERSION="-exitlab"
        # CONFIG_LOCALVERSION_AUTO is not set
        CONFIG_DEBUG_INFO_NONE=y
        "#);
        assert!(base.has_modules());
        let again = Base::checked(&base.text, Path::new("c")).unwrap();
        assert_eq!(again.text, base.text);
    }

    #[test]
    fn the_running_kernels_configuration_is_found_or_its_places_are_named() {
        let root = tempfile::tempdir().unwrap();
        let none = Base::running(root.path(), "6.1.0").unwrap_err();
        insta::assert_snapshot!(none.to_string(), @"the running kernel 6.1.0 does not tell its configuration: there is no /proc/config.gz, no /boot/config-6.1.0, no /lib/modules/6.1.0/config, no /lib/modules/6.1.0/build/.config");
        fs::create_dir(root.path().join("boot")).unwrap();
        fs::write(root.path().join("boot/config-6.1.0"), DEBIAN).unwrap();
        let plain = Base::running(root.path(), "6.1.0").unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        let zip = format!(
            "gzip -c {0}/boot/config-6.1.0 > {0}/proc/config.gz",
            root.path().display()
        );
        assert!(
            Command::new("sh")
                .args(["-c", &zip])
                .status()
                .unwrap()
                .success()
        );
        let zipped = Base::running(root.path(), "6.1.0").unwrap();
        assert_eq!(zipped.text, plain.text);
        assert!(zipped.from.ends_with("proc/config.gz"));
    }

    #[test]
    fn a_kernel_without_kvm_is_refused() {
        for (text, why) in [
            ("hello\n", "no configuration"),
            ("CONFIG_MODULES=y\n", "no KVM"),
            (
                "CONFIG_KVM=y\n# CONFIG_KVM_AMD is not set\n",
                "neither for Intel",
            ),
        ] {
            let error = Base::checked(text, Path::new("c")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
