//! The switches of the host's KVM: parameters of module `kvm`.

use std::path::PathBuf;

/// The parameters that the exit census adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `exit_census_leaves`: whether guests are answered.
    Leaves,
    /// `exit_census_leaf_map`: which leaf answers what.
    LeafMap,
    /// `exit_census_cycles`: whether cycles are counted.
    Cycles,
}

impl Switch {
    fn name(self) -> &'static str {
        match self {
            Switch::Leaves => "exit_census_leaves",
            Switch::LeafMap => "exit_census_leaf_map",
            Switch::Cycles => "exit_census_cycles",
        }
    }

    fn path(self) -> PathBuf {
        PathBuf::from("/sys/module/kvm/parameters").join(self.name())
    }

    /// Whether this KVM has it.
    pub fn is_there(self) -> bool {
        self.path().exists()
    }

    /// Has cycles counted until the guard is dropped, where this KVM can be told to.
    pub fn cycles_on() -> Result<Option<Restore>, String> {
        let there = Switch::Cycles.is_there();
        there.then(|| Switch::Cycles.set("Y")).transpose()
    }

    /// What it is set to, as the kernel prints it.
    pub fn value(self) -> Result<String, String> {
        let text = std::fs::read_to_string(self.path())
            .map_err(|e| format!("failed to read kvm.{}: {e}", self.name()))?;
        Ok(text.trim().to_owned())
    }

    /// Sets it until the guard is dropped, then back to what it was.
    pub fn set(self, value: &str) -> Result<Restore, String> {
        let before = self.value()?;
        self.write(value)?;
        Ok(Restore {
            switch: self,
            before,
        })
    }

    /// Writes a value that the kernel may refuse.
    pub fn write(self, value: &str) -> Result<(), String> {
        std::fs::write(self.path(), value)
            .map_err(|e| format!("failed to set kvm.{}={value}: {e}", self.name()))
    }
}

/// Sets a switch back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Restore {
    switch: Switch,
    before: String,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // The host is thrown away after the trial; a later rule that depends on the switch
        // sets it itself and reports if it cannot.
        let _ = self.switch.write(&self.before);
    }
}
