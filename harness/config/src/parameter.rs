//! `[kvm]`, `[kvm_intel]` and `[kvm_amd]`: parameters of KVM's modules. The section is the
//! module, so that `--set kvm_intel.ept=0` is written as on a kernel's command line.

use super::document::{Document, Parameters};
use super::layer::Layers;
use exitlab_base::toml::{Problem, Wrong};
use exitlab_model::plan::KvmParameter;

/// What all parameters may add to the host's command line: with the rest of it, less than
/// the 2048 characters that an x86 kernel keeps (`COMMAND_LINE_SIZE`).
const WORDS_CHARS: usize = 512;

/// A section of a document.
type Section = fn(&Document) -> &Parameters;

/// Reads every parameter, module by module.
pub(super) fn read(layers: &Layers) -> (Vec<KvmParameter>, Vec<Problem>) {
    let (mut parameters, mut problems) = (Vec::new(), Vec::new());
    let modules: [(&'static str, Section); 3] = [
        ("kvm", |d| &d.kvm),
        ("kvm_intel", |d| &d.kvm_intel),
        ("kvm_amd", |d| &d.kvm_amd),
    ];
    let mut words = 0;
    for (module, get) in modules {
        for (name, entry) in layers.parameters(module, get) {
            let parameter = value(entry.value).and_then(|value| {
                let parameter = KvmParameter {
                    module: module.to_owned(),
                    name: parameter_name(name)?,
                    value,
                };
                words += parameter.to_string().len() + 1;
                if words > WORDS_CHARS {
                    return Err(Wrong::new(
                        format!("parameters of KVM longer than {WORDS_CHARS} characters together"),
                        "leave some out",
                    ));
                }
                Ok(parameter)
            });
            match parameter {
                Ok(parameter) => parameters.push(parameter),
                Err(wrong) => problems.push(entry.problem(wrong)),
            }
        }
    }
    (parameters, problems)
}

fn parameter_name(name: &str) -> Result<String, Wrong> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err(Wrong::new(
        "not the name of a kernel parameter",
        "write it as in /sys/module: letters, digits and '_'",
    ))
}

/// One word of the command line.
fn value(value: &toml::Value) -> Result<String, Wrong> {
    match value {
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(on) => Ok(if *on { "1" } else { "0" }.to_owned()),
        toml::Value::String(word) if is_word(word) => Ok(word.clone()),
        _ => Err(Wrong::new(
            "not the value of a kernel parameter",
            "give a whole number, true or false, or one word without spaces and quotes",
        )),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\'')
}
