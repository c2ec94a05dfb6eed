//! What is left to do with what was built: the commands, told or run.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::modules::Modules;
use super::package::{Form, Package};
use exitlab_base::error::{Error, Result};
use exitlab_base::not_started;
use exitlab_model::hardware;
use exitlab_model::reasons::Isa;

/// What of a machine decides about the commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the user is root.
    pub superuser: bool,
    /// Whether packages come through dpkg.
    pub has_dpkg: bool,
    /// The virtualization of the processor, if it has any.
    pub isa: Option<Isa>,
    /// Whether the kernel refuses modules that nobody it trusts has signed.
    pub locked_down: bool,
}

impl Target {
    /// This machine.
    pub fn this_machine() -> Target {
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
        Target {
            superuser: rustix::process::geteuid().is_root(),
            has_dpkg: Path::new("/usr/bin/dpkg").is_file(),
            isa: hardware::isa(Path::new("/")),
            locked_down: lockdown.contains('[') && !lockdown.contains("[none]"),
        }
    }
}

/// What is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// What was built.
    built: String,
    /// What the commands do.
    purpose: &'static str,
    /// The commands, as words.
    commands: Vec<Vec<String>>,
    /// What comes after them.
    after: String,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Steps {
    /// Installs a kernel.
    pub fn to_install(package: &Package, machine: Target) -> Steps {
        let release = &package.release;
        let paths: Vec<_> = package
            .paths
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        let first = paths.first().cloned().unwrap_or_default();
        let commands = match package.form {
            Form::Debian => vec![words(&["dpkg", "-i", &first])],
            Form::Directory => {
                let boot = |name: &str| format!("{first}/boot/{name}-{release}");
                let modules = format!("{first}/lib/modules/{release}");
                let mut commands = Vec::new();
                if Path::new(&modules).is_dir() {
                    commands.push(words(&["cp", "-a", &modules, "/lib/modules/"]));
                    commands.push(words(&["depmod", release]));
                }
                let (image, map) = (boot("vmlinuz"), boot("System.map"));
                // What `make install` runs: it makes an initramfs and a boot entry where the
                // system has them.
                commands.push(words(&["installkernel", release, &image, &map]));
                commands
            }
        };
        let remove = match package.form {
            Form::Debian => format!("{}apt-get purge linux-image-{release}", sudo(&machine)),
            Form::Directory => format!(
                "remove /boot/*-{release} and /lib/modules/{release}, and make the boot menu again"
            ),
        };
        let secure = if machine.locked_down {
            "\nThis machine boots and loads only what is signed (Secure Boot, lockdown). The kernel \
             is not: sign\nit with a key of yours (mokutil), or turn Secure Boot off.\n"
        } else {
            ""
        };
        Steps {
            built: format!("Linux {release} is built:\n{}", listed(&paths)),
            purpose: "Install it",
            commands: with_sudo(commands, &machine),
            after: format!(
                "Boot it: restart, and choose Linux {release} in the boot menu (GRUB: below \
                 \"Advanced options\").\nThe kernel of before stays, and stays the one to fall \
                 back to.{secure}\nThen: exitlab run --platform local\nTo be rid of it: {remove}\n"
            ),
        }
    }

    /// Loads modules.
    pub fn to_load(modules: &Modules, machine: Target) -> Steps {
        let file = |name: &str| {
            let named = |path: &&str| path.ends_with(&format!("/{name}.ko"));
            let mut paths = modules.modules.iter().filter_map(|m| m.path.to_str());
            paths.find(named).map(str::to_owned)
        };
        let vendors = [(Isa::Vmx, "kvm-intel"), (Isa::Svm, "kvm-amd")];
        let (isa, vendor) = match machine.isa {
            Some(isa) => vendors.into_iter().find(|(own, _)| *own == isa),
            None => vendors.into_iter().find(|(_, name)| file(name).is_some()),
        }
        .unwrap_or(vendors[0]);
        let module = hardware::module(isa);
        let wanted = ["kvm", vendor];
        let mut commands = vec![words(&["modprobe", "-r", module, "kvm"])];
        for name in wanted {
            let Some(path) = file(name) else { continue };
            let found = modules
                .modules
                .iter()
                .find(|m| m.path.ends_with(format!("{name}.ko")));
            for need in found.map(|m| m.needs.as_slice()).unwrap_or_default() {
                commands.push(words(&["modprobe", need]));
            }
            commands.push(words(&["insmod", &path]));
        }
        let paths: Vec<_> = modules
            .modules
            .iter()
            .map(|m| m.path.display().to_string())
            .collect();
        let other = if machine.isa.is_none() {
            "\nThis machine has no VMX and no SVM: the commands are for one that has. On the other \
             vendor's,\nkvm_amd and kvm-amd.ko take the place of kvm_intel and kvm-intel.ko.\n"
        } else {
            ""
        };
        let secure = if machine.locked_down {
            "\nThis machine loads only what is signed (Secure Boot, lockdown). The modules are not: \
             sign them\nwith a key of yours (mokutil, sign-file), or turn Secure Boot off.\n"
        } else {
            ""
        };
        let sudo = sudo(&machine);
        Steps {
            built: format!(
                "KVM's modules for Linux {} are built:\n{}",
                modules.release,
                listed(&paths)
            ),
            purpose: "Load them, on a machine that runs that kernel, while no virtual machine runs",
            commands: with_sudo(commands, &machine),
            after: format!(
                "{}Then: exitlab run --platform local\nTo be rid of them: {sudo}modprobe -r \
                 {module} kvm && {sudo}modprobe {module}\n",
                [other, secure].concat().trim_start_matches('\n')
            ),
        }
    }

    /// What was built, and the commands.
    pub fn told(&self) -> String {
        let commands: Vec<_> = self.commands.iter().map(|c| c.join(" ")).collect();
        format!(
            "{}\n{}:\n{}\n{}",
            self.built,
            self.purpose,
            listed(&commands),
            self.after
        )
    }

    /// What is left after [`Steps::run`].
    pub fn told_after(&self) -> String {
        format!("{}\nIt is installed.\n{}", self.built, self.after)
    }

    /// Runs the commands, on the user's terminal: sudo may ask.
    ///
    /// # Errors
    ///
    /// The first command that fails; those after it are not run.
    pub fn run(&self) -> Result<()> {
        for command in &self.commands {
            let shown = command.join(" ");
            let [program, arguments @ ..] = command.as_slice() else {
                continue;
            };
            let status = Command::new(program).args(arguments).status();
            let status = status.map_err(|error| {
                let cure = format!("install `{program}`");
                not_started::error(Path::new(program), "installs the kernel", &cure, error)
            })?;
            if !status.success() {
                return Err(Error::Build {
                    stage: "kernel: install".into(),
                    message: format!("`{shown}` failed ({status})"),
                    tail: Vec::new(),
                    cure: format!(
                        "see what it printed, above; what is left to do:\n  {}",
                        self.commands
                            .iter()
                            .skip_while(|c| *c != command)
                            .map(|c| c.join(" "))
                            .collect::<Vec<_>>()
                            .join("\n  ")
                    ),
                });
            }
        }
        Ok(())
    }
}

fn sudo(machine: &Target) -> &'static str {
    if machine.superuser { "" } else { "sudo " }
}

fn with_sudo(commands: Vec<Vec<String>>, machine: &Target) -> Vec<Vec<String>> {
    let first = (!machine.superuser).then(|| "sudo".to_owned());
    let with = |command: Vec<String>| first.iter().cloned().chain(command).collect();
    commands.into_iter().map(with).collect()
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::modules::Module;
    use super::*;

    fn machine(superuser: bool, isa: Option<Isa>) -> Target {
        Target {
            superuser,
            has_dpkg: true,
            isa,
            locked_down: false,
        }
    }

    fn modules() -> Modules {
        let module = |name: &str, needs: &[&str]| Module {
            path: PathBuf::from(format!("/c/{name}.ko")),
            needs: words(needs),
        };
        Modules {
            release: "6.1.0-56-amd64".into(),
            modules: vec![
                module("kvm", &["irqbypass"]),
                module("kvm-intel", &[]),
                module("kvm-amd", &["ccp"]),
            ],
        }
    }

    #[test]
    fn a_package_is_installed_by_dpkg() {
        let package = Package {
            release: "6.12.117-exitlab".into(),
            form: Form::Debian,
            paths: vec![
                "/c/linux-image-6.12.117-exitlab_1_amd64.deb".into(),
                "/c/linux-headers-6.12.117-exitlab_1_amd64.deb".into(),
            ],
        };
        let steps = Steps::to_install(&package, machine(false, Some(Isa::Svm)));
        insta::assert_snapshot!(steps.told());
    }

    #[test]
    fn a_directory_is_installed_as_make_install_does() {
        let package = Package {
            release: "6.12.117-exitlab".into(),
            form: Form::Directory,
            paths: vec!["/c/6.12.117-exitlab".into()],
        };
        let mut machine = machine(true, Some(Isa::Vmx));
        machine.locked_down = true;
        insta::assert_snapshot!(Steps::to_install(&package, machine).told());
    }

    #[test]
    fn modules_are_loaded_after_what_they_need() {
        let amd = Steps::to_load(&modules(), machine(false, Some(Isa::Svm)));
        insta::assert_snapshot!("load_on_amd", amd.told());
        let neither = Steps::to_load(&modules(), machine(true, None));
        insta::assert_snapshot!("load_anywhere", neither.told());
    }

    #[test]
    fn a_command_that_fails_is_named_with_what_is_left() {
        let steps = Steps {
            built: String::new(),
            purpose: "",
            commands: vec![words(&["true"]), words(&["false"]), words(&["true", "2"])],
            after: String::new(),
        };
        let error = steps.run().expect_err("false fails");
        assert!(error.to_string().contains("`false` failed"), "{error}");
        assert!(
            error.cure().ends_with("false\n  true 2"),
            "{}",
            error.cure()
        );
    }
}
