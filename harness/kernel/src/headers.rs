//! The headers of an installed kernel, and what they say about it.

use std::fs;
use std::path::{Path, PathBuf};

use super::kconfig;
use exitlab_base::error::{Error, Result};

/// Where distributions put what modules are built against, by release.
const BUILD: &str = "/lib/modules";

/// The headers of an installed kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// The directory that holds `.config` and `Module.symvers`.
    pub dir: PathBuf,
    /// `uname -r` of the kernel: `6.1.0-56-amd64`.
    pub release: String,
    /// The version of Linux: `6.1.192`.
    pub version: String,
    /// The version of Debian's package: `6.1.192-2`; none from elsewhere.
    pub package: Option<String>,
    /// The compiler that built the kernel, by the name of its program: `gcc-12`.
    pub compiler: String,
    /// The kernel's configuration.
    pub config: String,
}

impl Headers {
    /// The headers in `dir`, else those of the kernel `release`.
    pub fn find(dir: Option<&Path>, release: &str) -> Result<Headers> {
        match dir {
            Some(dir) => Headers::read(dir),
            None => Headers::read(&Path::new(BUILD).join(release).join("build")),
        }
    }

    fn read(dir: &Path) -> Result<Headers> {
        let text = |name: &str| {
            fs::read_to_string(dir.join(name)).map_err(|error| Error::Config {
                message: format!("{} holds no kernel headers: {name}: {error}", dir.display()),
                cure: "install the headers of the kernel (Debian: apt-get install \
                       linux-headers-RELEASE), or name their directory with --headers"
                    .into(),
            })
        };
        let config = text(".config")?;
        text("Module.symvers")?;
        let quoted = |text: &str, name: &str| -> Option<String> {
            let rest = text.split_once(&format!("#define {name} \""))?.1;
            Some(rest.split_once('"')?.0.trim().to_owned())
        };
        let release = quoted(&text("include/generated/utsrelease.h")?, "UTS_RELEASE");
        let (Some(release), Some(version)) = (release, version_of(&config)) else {
            return Err(Error::Config {
                message: format!("the headers in {} name no version", dir.display()),
                cure: "install them again: utsrelease.h names the release, and the first lines \
                       of .config the version of Linux"
                    .into(),
            });
        };
        let package = fs::read_to_string(dir.join("include/generated/package.h")).ok();
        let package = package.and_then(|text| quoted(&text, "LINUX_PACKAGE_ID"));
        Ok(Headers {
            dir: dir.to_owned(),
            release,
            version,
            package: package.and_then(|id| Some(id.strip_prefix("Debian ")?.to_owned())),
            compiler: compiler_of(&config),
            config,
        })
    }

    /// The series of Linux: `6.1`.
    pub fn series(&self) -> String {
        let numbers: Vec<&str> = self.version.split('.').take(2).collect();
        numbers.join(".")
    }

    /// The value of a symbol of the configuration, `n` if it is not set.
    pub fn symbol(&self, name: &str) -> &str {
        let mut settings = self.config.lines().filter_map(kconfig::setting);
        let found = settings.find(|(symbol, _)| *symbol == name);
        found.map_or("n", |(_, value)| value)
    }
}

/// `# Linux/x86 6.1.192 Kernel Configuration`, which Kconfig writes.
fn version_of(config: &str) -> Option<String> {
    let title = config.lines().find_map(|line| {
        line.strip_prefix("# Linux/")?
            .strip_suffix(" Kernel Configuration")
    })?;
    Some(title.split_whitespace().nth(1)?.to_owned())
}

/// The program in `CONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"`.
fn compiler_of(config: &str) -> String {
    let setting = |line: &'_ str| {
        let text = line.strip_prefix("CONFIG_CC_VERSION_TEXT=\"")?;
        let program = text.split([' ', '"']).next()?;
        // It is looked up on the search path, and becomes a word of make's.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        (!program.is_empty() && program.chars().all(plain)).then(|| program.to_owned())
    };
    let named = config.lines().find_map(setting);
    named.unwrap_or_else(|| "gcc".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const CONFIG: &str = "#\n# Automatically generated file; DO NOT EDIT.\n\
        # Linux/x86 6.1.192 Kernel Configuration\n#\n\
        CONFIG_CC_VERSION_TEXT=\"gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0\"\n\
        CONFIG_KVM=m\n# CONFIG_KVM_XEN is not set\n";

    fn headers(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Headers>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let headers = Headers::find(Some(dir.path()), "unused");
        (dir, headers)
    }

    #[test]
    fn debians_headers_say_what_they_are_of() {
        let (_dir, headers) = headers(&[
            (".config", CONFIG),
            ("Module.symvers", ""),
            (
                "include/generated/utsrelease.h",
                "#define UTS_RELEASE \"6.1.0-56-amd64\"\n",
            ),
            (
                "include/generated/package.h",
                "#define LINUX_PACKAGE_ID \" Debian 6.1.192-2\"\n",
            ),
        ]);
        let headers = headers.unwrap();
        assert_eq!(
            (&*headers.release, &*headers.version, &*headers.compiler),
            ("6.1.0-56-amd64", "6.1.192", "gcc-12")
        );
        assert_eq!(headers.package.as_deref(), Some("6.1.192-2"));
        assert_eq!(headers.series(), "6.1");
        assert_eq!(headers.symbol("CONFIG_KVM"), "m");
        assert_eq!(headers.symbol("CONFIG_KVM_XEN"), "n");
        assert_eq!(headers.symbol("CONFIG_KVM_INTEL"), "n");
    }

    #[test]
    fn what_is_missing_is_named() {
        let (_dir, none) = headers(&[]);
        assert!(none.unwrap_err().to_string().contains(".config"));
        let (_dir, half) = headers(&[(".config", CONFIG)]);
        assert!(half.unwrap_err().to_string().contains("Module.symvers"));
    }

    #[test]
    fn the_compiler_is_a_program_and_nothing_else() {
        assert_eq!(compiler_of("CONFIG_CC_VERSION_TEXT=\"$(rm) 1\"\n"), "gcc");
        assert_eq!(
            compiler_of("CONFIG_CC_VERSION_TEXT=\"clang version 1\"\n"),
            "clang"
        );
        assert_eq!(compiler_of(""), "gcc");
    }
}
