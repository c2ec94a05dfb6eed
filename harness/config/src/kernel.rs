//! `[kernel]`: where the host's kernel comes from, and how it is built.

use super::document::{Document, Given};
use super::resolver::Resolver;
use super::value::{existing_file, kernel_source};
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{KernelPlan, KernelSource};

impl<'a> Resolver<'a> {
    /// The section, and that nothing in it contradicts the source.
    pub(super) fn kernel(&mut self, plan: &mut KernelPlan) {
        self.value(
            "kernel.source",
            |d| &d.kernel.source,
            &mut plan.source,
            kernel_source,
        );
        self.value(
            "kernel.census",
            |d| &d.kernel.census,
            &mut plan.census,
            |e| Ok(*e.value),
        );
        self.list(
            "kernel.patches",
            |d| &d.kernel.patches,
            &mut plan.patches,
            existing_file,
        );
        self.list(
            "kernel.fragments",
            |d| &d.kernel.fragments,
            &mut plan.fragments,
            existing_file,
        );
        if plan.source.is_ready() {
            self.built("kernel.census", |d| &d.kernel.census, |census| *census);
            self.built("kernel.patches", |d| &d.kernel.patches, Vec::is_empty);
            self.built("kernel.fragments", |d| &d.kernel.fragments, Vec::is_empty);
        }
        if matches!(plan.source, KernelSource::Package(_)) {
            plan.census = false;
        }
    }

    /// Refuses a key that says how a kernel is built where none is. A default that was
    /// written out before the image was chosen does no harm: `--set kernel.source` goes
    /// with every file.
    fn built<T: 'a>(
        &mut self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<T>,
        is_default: impl Fn(&T) -> bool,
    ) {
        let source = self.layers.entry("kernel.source", |d| &d.kernel.source);
        let (Some(source), Some(entry)) = (source, self.layers.entry(key, get)) else {
            return;
        };
        if is_default(entry.value) && self.layers.before(&entry, &source) {
            return;
        }
        self.problems.push(entry.problem(Wrong::new(
            format!(
                "says how a kernel is built, and kernel.source is {}",
                ready(source.value)
            ),
            format!("leave {key} out, or choose a source that is built"),
        )));
    }
}

/// What a source is that is not built.
fn ready(source: &str) -> &'static str {
    match source.starts_with("package:") {
        true => "a distribution's kernel, which stays as it is",
        false => "a ready image",
    }
}
