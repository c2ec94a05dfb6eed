//! What a remote machine answers. For the fuzzer, and for the test that replays its seeds.

use crate::platform::remote::probe::{Demand, Facts};

/// An answer to the script that asks what a machine is and has.
pub fn remote(data: &[u8]) {
    let Ok(facts) = Facts::read(&String::from_utf8_lossy(data)) else {
        return;
    };
    for demand in [Demand::Agent, Demand::Guest, Demand::Census] {
        let _ = facts.require("user@machine", demand);
    }
    let _ = facts.require_room("user@machine", &[]);
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_answer_panics() {
        exitlab_fixtures::fuzz::replay("remote", super::remote);
    }
}
