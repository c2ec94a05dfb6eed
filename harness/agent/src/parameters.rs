//! Whether KVM on this host has the parameters that the plan asks for. They come by the
//! host's command line, which a kernel may ignore without a word that anybody reads.

use std::path::{Path, PathBuf};

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::hardware;
use exitlab_model::plan::KvmParameter;
use exitlab_model::reasons::Isa;
use exitlab_model::record::ParameterReading;

use super::failure::Failure;

/// Where the kernel shows its modules, built-in ones included.
const MODULES: &str = "/sys/module";

/// Reads every parameter back. Fails with all that are not as asked.
pub fn verify(asked: &[KvmParameter], isa: Isa) -> Result<Vec<ParameterReading>, Failure> {
    let readings = read_all(Path::new(MODULES), asked, isa);
    readings.map_err(|why| Failure::new(Stage::Host, FailureKind::KvmParameter, why))
}

fn read_all(
    modules: &Path,
    asked: &[KvmParameter],
    isa: Isa,
) -> Result<Vec<ParameterReading>, String> {
    let (mut readings, mut wrong) = (Vec::new(), Vec::new());
    for parameter in asked {
        match read(modules, parameter, isa) {
            Ok(found) => readings.push(ParameterReading {
                parameter: format!("{}.{}", parameter.module, parameter.name),
                asked: parameter.value.clone(),
                found,
            }),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() {
        Ok(readings)
    } else {
        Err(wrong.join("; "))
    }
}

/// What the host shows; none for the module of the other vendor, which has no part in
/// this host's KVM.
fn read(modules: &Path, asked: &KvmParameter, isa: Isa) -> Result<Option<String>, String> {
    let KvmParameter {
        module,
        name,
        value,
    } = asked;
    if module != "kvm" && module != hardware::module(isa) {
        return Ok(None);
    }
    let dir = modules.join(module).join("parameters");
    let found =
        std::fs::read_to_string(dir.join(name)).map_err(|e| unreadable(module, name, &dir, &e))?;
    let found = found.trim();
    if is_same(value, found) {
        return Ok(Some(found.to_owned()));
    }
    Err(format!(
        "the parameter {module}.{name} was asked to be {value}, but this host has {found}"
    ))
}

fn unreadable(module: &str, name: &str, dir: &PathBuf, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::NotFound {
        return format!("failed to read the parameter {module}.{name}: {error}");
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let there = match names.join(", ") {
        names if names.is_empty() => format!("{} is empty or not there", dir.display()),
        names => format!("there are {names}"),
    };
    format!("this host's KVM has no parameter {module}.{name} ({there})")
}

/// Whether the kernel shows what was asked for: it prints a boolean as `Y` or `N`, and
/// numbers in decimal.
fn is_same(asked: &str, found: &str) -> bool {
    if asked == found {
        return true;
    }
    match (found, number(asked), number(found)) {
        // As kstrtobool() reads them.
        ("Y", ..) => ["1", "y", "Y", "t", "T", "on", "ON", "true"].contains(&asked),
        ("N", ..) => ["0", "n", "N", "f", "F", "off", "OFF", "false"].contains(&asked),
        (_, Some(asked), Some(found)) => asked == found,
        _ => false,
    }
}

fn number(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(module: &str, name: &str, value: &str) -> KvmParameter {
        KvmParameter {
            module: module.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn the_kernel_prints_values_in_its_own_way() {
        for (asked, found) in [("0", "N"), ("on", "Y"), ("0x10", "16"), ("auto", "auto")] {
            assert!(is_same(asked, found), "{asked} {found}");
        }
        for (asked, found) in [("0", "Y"), ("1", "N"), ("7", "8"), ("x", "Y"), ("", "0")] {
            assert!(!is_same(asked, found), "{asked} {found}");
        }
    }

    #[test]
    fn everything_that_is_not_as_asked_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let intel = dir.path().join("kvm_intel/parameters");
        std::fs::create_dir_all(&intel).unwrap();
        std::fs::write(intel.join("ept"), "Y\n").unwrap();
        std::fs::write(intel.join("ple_gap"), "128\n").unwrap();

        let good = [asked("kvm_intel", "ept", "1"), asked("kvm_amd", "npt", "0")];
        let readings = read_all(dir.path(), &good, Isa::Vmx).unwrap();
        assert_eq!(readings[0].found.as_deref(), Some("Y"));
        assert_eq!(readings[1].found, None, "no part of an Intel host");

        let bad = [
            asked("kvm_intel", "ept", "0"),
            asked("kvm_intel", "epd", "0"),
        ];
        assert_eq!(
            read_all(dir.path(), &bad, Isa::Vmx).unwrap_err(),
            "the parameter kvm_intel.ept was asked to be 0, but this host has Y; this host's \
             KVM has no parameter kvm_intel.epd (there are ept, ple_gap)"
        );
    }
}
