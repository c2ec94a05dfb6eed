//! `[deadlines]`: how long each wait may take.

use super::document::{Document, Given};
use super::duration;
use super::resolver::Resolver;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::Plan;

impl<'a> Resolver<'a> {
    /// The section, each deadline by itself.
    pub(super) fn deadlines(&mut self, plan: &mut Plan) {
        let plan = &mut plan.deadlines;
        self.deadline(
            "deadlines.host_boot",
            |d| &d.deadlines.host_boot,
            &mut plan.host_boot_s,
        );
        self.deadline(
            "deadlines.silence",
            |d| &d.deadlines.silence,
            &mut plan.silence_s,
        );
        self.deadline(
            "deadlines.guest_ssh",
            |d| &d.deadlines.guest_ssh,
            &mut plan.guest_ssh_s,
        );
        self.deadline(
            "deadlines.exchange",
            |d| &d.deadlines.exchange,
            &mut plan.exchange_s,
        );
        self.deadline("deadlines.phase", |d| &d.deadlines.phase, &mut plan.phase_s);
    }

    fn deadline(
        &mut self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<String>,
        into: &mut f64,
    ) {
        self.value(key, get, into, |e| {
            let deadline = duration::parse(e.value)?;
            if deadline.is_zero() {
                return Err(Wrong::new(
                    "no time at all",
                    "give it some seconds: \"30s\"",
                ));
            }
            Ok(deadline.as_secs_f64())
        });
    }
}
