//! The conversation with `exit-sampler serve` in the guest: one SSH channel, one line a
//! request. Its protocol is described there.

use russh::{Channel, ChannelMsg, client};

use crate::error::FailureKind;
use crate::reasons::ReasonTable;
use crate::record::ReasonStatus;

use super::failure::Failure;
use super::login::Login;
use super::vigil::Vigil;

/// Longest line the sampler may send, bytes.
const LONGEST: usize = 64 * 1024;

/// A running `exit-sampler`.
pub struct Sampler {
    channel: Channel<client::Msg>,
    /// What arrived after the last whole line.
    pending: Vec<u8>,
    /// What it printed on standard error.
    complaint: String,
    /// The guest's clock when it last answered, seconds.
    guest_s: f64,
}

/// A census as the sampler read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Census {
    /// Guest uptime before the first leaf, seconds.
    pub guest_s: f64,
    /// The guest's TSC at that moment, cycles.
    pub guest_tsc: u64,
    /// How many leaves were read.
    pub leaves: u64,
    /// Counts; the index is the reason.
    pub counts: Vec<u64>,
}

impl Sampler {
    /// Starts the sampler in the guest.
    pub async fn start(login: &Login, vigil: &Vigil) -> Result<Sampler, Failure> {
        let command = format!("exit-sampler serve {}", ReasonTable::vmx().last());
        let channel = vigil
            .wait("start of exit-sampler", login.open(&command))
            .await?;
        Ok(Sampler {
            channel,
            pending: Vec::new(),
            complaint: String::new(),
            guest_s: 0.0,
        })
    }

    /// Sleeps in the guest until its uptime is `guest_s` seconds.
    pub async fn wait_until(&mut self, guest_s: f64, vigil: &Vigil) -> Result<(), Failure> {
        let request = format!("wait {guest_s:.6}");
        let longer = guest_s - self.guest_s;
        let line = vigil
            .wait_longer("end of the pause", longer, self.ask(&request))
            .await?;
        self.guest_s = understood(parse_ready(&line), &line, vigil)?;
        Ok(())
    }

    /// Reads all counters.
    pub async fn census(&mut self, vigil: &Vigil) -> Result<Census, Failure> {
        let line = vigil.wait("census", self.ask("census")).await?;
        let census = understood(parse_census(&line), &line, vigil)?;
        self.guest_s = census.guest_s;
        Ok(census)
    }

    /// Reads the status of every reason.
    pub async fn statuses(&mut self, vigil: &Vigil) -> Result<Vec<ReasonStatus>, Failure> {
        let line = vigil
            .wait("status of the exit reasons", self.ask("status"))
            .await?;
        understood(parse_statuses(&line), &line, vigil)
    }

    async fn ask(&mut self, request: &str) -> Result<String, String> {
        let line = format!("{request}\n").into_bytes();
        self.channel
            .data_bytes(line)
            .await
            .map_err(|e| format!("failed to ask exit-sampler '{request}': {e}"))?;
        self.line().await
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data }) => self.pending.extend_from_slice(&data),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    self.complaint += &String::from_utf8_lossy(&data);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    let complaint = self.complaint.trim();
                    return Err(format!(
                        "exit-sampler ended with {exit_status}: {complaint}"
                    ));
                }
                Some(_) => {}
                None => return Err("the SSH session to exit-sampler closed".to_owned()),
            }
            if self.pending.len() > LONGEST {
                return Err(format!(
                    "exit-sampler sent more than {LONGEST} bytes without a line"
                ));
            }
        }
    }
}

fn understood<T>(parsed: Option<T>, line: &str, vigil: &Vigil) -> Result<T, Failure> {
    parsed.ok_or_else(|| {
        vigil.failure(
            FailureKind::Protocol,
            format!("exit-sampler answered '{line}'"),
        )
    })
}

fn seconds(nanoseconds: &str) -> Option<f64> {
    // Microseconds: see `clock::host_seconds`.
    Some((nanoseconds.parse::<u64>().ok()? / 1000) as f64 / 1e6)
}

fn parse_ready(line: &str) -> Option<f64> {
    seconds(line.strip_prefix("ready ")?)
}

fn parse_census(line: &str) -> Option<Census> {
    let mut words = line.strip_prefix("census ")?.split(' ');
    let mut word = || words.next();
    let guest_s = seconds(word()?)?;
    let guest_tsc = word()?.parse().ok()?;
    let leaves = word()?.parse().ok()?;
    let mut counts = Vec::new();
    for (reason, text) in (0..).zip(word()?.split(',')) {
        let defined = ReasonTable::vmx().get(reason).is_some();
        counts.push(match text {
            "-" if !defined => 0,
            // The kernel and we disagree about what is defined: no table of nonsense.
            "-" => return None,
            _ if !defined => return None,
            number => number.parse().ok()?,
        });
    }
    let complete = counts.len() == ReasonTable::vmx().len_slots() && word().is_none();
    complete.then_some(Census {
        guest_s,
        guest_tsc,
        leaves,
        counts,
    })
}

fn parse_statuses(line: &str) -> Option<Vec<ReasonStatus>> {
    line.strip_prefix("status ")?
        .split(',')
        .map(|text| match text {
            "0" => Some(ReasonStatus::Undefined),
            "1" => Some(ReasonStatus::NotEnabled),
            "2" => Some(ReasonStatus::Enabled),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census_line(change: impl Fn(u32) -> Option<&'static str>) -> String {
        let counts: Vec<String> = (0..=ReasonTable::vmx().last())
            .map(|reason| match change(reason) {
                Some(text) => text.to_owned(),
                None if ReasonTable::vmx().get(reason).is_none() => "-".to_owned(),
                None => (reason * 2).to_string(),
            })
            .collect();
        format!("census 1234567890 42 {} {}", counts.len(), counts.join(","))
    }

    #[test]
    fn a_census_is_read() {
        let census = parse_census(&census_line(|_| None)).unwrap();
        assert_eq!(census.guest_s, 1.234567);
        assert_eq!(census.guest_tsc, 42);
        assert_eq!(census.counts[10], 20);
        assert_eq!(census.counts[35], 0);
    }

    #[test]
    fn a_census_that_disagrees_with_the_table_is_refused() {
        assert_eq!(
            parse_census(&census_line(|r| (r == 10).then_some("-"))),
            None
        );
        assert_eq!(
            parse_census(&census_line(|r| (r == 35).then_some("0"))),
            None
        );
        assert_eq!(parse_census("census 1 2 3 4,5"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "(census |status |ready )?[-0-9, ]{0,40}") {
            let _ = (parse_census(&line), parse_statuses(&line), parse_ready(&line));
        }
    }
}
