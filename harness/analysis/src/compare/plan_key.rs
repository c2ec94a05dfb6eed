//! Keys of plans among facts, and what they are called in a configuration.

/// Begins the name of a fact that is a key of the plan.
pub(super) const PLAN: &str = "plan ";

/// What of a plan decides no count: bounds of waits, how a machine is reached, what runs after
/// the last sample, what only other platforms read, which
/// process a VM is, what only names things, and how and why something was chosen.
const DECIDES_NOTHING: [&str; 9] = [
    "platform_choice",
    "deadlines",
    "inspect",
    "host.address",
    "host.ssh_config",
    "host.accelerator",
    "attached.pid",
    "sampling.auto",
    "guest_symbols",
];

/// Whether a key of a plan decides no count.
pub(super) fn decides_nothing(name: &str) -> bool {
    DECIDES_NOTHING.iter().any(|key| is_of(name, key))
}

/// Whether a key of a plan (`guest.memory_mib`) is what a key of the configuration
/// (`guest.memory`) or a section of it (`guest`) says.
pub(crate) fn is_of(name: &str, key: &str) -> bool {
    let key = match key {
        "phase" => "phases",
        key if key.starts_with("kvm") => "kvm",
        key => key,
    };
    let name = if name == "phase" { "phases" } else { name };
    let rest = name.strip_prefix(key);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_configuration_mean_keys_of_plans() {
        for (name, key) in [
            ("guest.memory_mib", "guest.memory"),
            ("guest.cmdline", "guest"),
            ("phases", "phase"),
            ("kvm", "kvm_intel.ept"),
            ("guest.disk.path", "guest.disk"),
        ] {
            assert!(is_of(name, key), "{name} {key}");
        }
        assert!(!is_of("guest.cpu", "guest.c") && !is_of("guest.vcpus", "guest.memory"));
    }
}
