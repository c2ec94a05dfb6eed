//! What goes wrong on the way to another machine, in words.

use exitlab_base::error::Error;

/// The stage of all of this.
const STAGE: &str = "connecting";

/// `ssh` did not get through; `how` says how that was seen.
pub fn failed(address: &str, how: &str, said: Vec<String>) -> Error {
    Error::Experiment {
        stage: STAGE.to_owned(),
        message: format!("no SSH connection to {address} {how}"),
        cure: cure(address, &said.join("\n")),
        tail: said,
    }
}

/// The machine did not do what it was asked.
pub fn error(address: &str, what: &str, said: Vec<String>) -> Error {
    let text = said.join("\n");
    let cure = if text.contains("No space left") {
        "free some space there, in the directory that the message names".to_owned()
    } else {
        format!("see what it said, above; try by hand: ssh {address}")
    };
    Error::Experiment {
        stage: STAGE.to_owned(),
        message: format!("{address} {what}"),
        tail: said,
        cure,
    }
}

/// What to do, by what `ssh` said.
fn cure(address: &str, said: &str) -> String {
    let cure = if said.contains("IDENTIFICATION HAS CHANGED") {
        "the machine shows another host key than known_hosts has for it: find out why before \
         you trust it, then correct known_hosts"
    } else if said.contains("Host key verification failed") {
        "the machine is not known yet: log in once by hand and compare its key: ssh ADDRESS"
    } else if said.contains("Permission denied") {
        "exitlab types no password: load a key into ssh-agent, or name it in your SSH \
         configuration; ssh -o BatchMode=yes ADDRESS true must work"
    } else {
        "see what ssh said, above; ssh -o BatchMode=yes ADDRESS true must work"
    };
    cure.replace("ADDRESS", address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_cure() {
        let of = |said: &str| {
            let error = failed("me@there", "(exit status: 255)", vec![said.to_owned()]);
            exitlab_base::error::for_people(&error)
        };
        let texts = [
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
            "Host key verification failed.",
            "me@there: Permission denied (publickey).",
            "ssh: Could not resolve hostname there: Name or service not known",
        ];
        insta::assert_snapshot!(texts.map(of).join("\n"));
    }
}
