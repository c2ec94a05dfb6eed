//! The conversation with `exit-sampler serve` in the guest: one SSH channel, one line a
//! request. Its protocol is described there.

use russh::{Channel, ChannelMsg, client};

use exitlab_abi::{LeafMap, STATUS_ENABLED, STATUS_NOT_ENABLED, STATUS_UNDEFINED};
use exitlab_model::failure::FailureKind;
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{CpuidReading, Discovery, ReasonStatus, TotalReading, Totals};

use super::census::Counted;
use super::failure::Failure;
use super::login::Login;
use super::watchdog::Watchdog;

/// Longest line the sampler may send, bytes.
const LONGEST: usize = 64 * 1024;

/// A running `exit-sampler`.
pub struct Sampler {
    talk: Conversation,
    counted: Counted,
    discovery: Discovery,
    /// The guest's clock when it last answered, seconds.
    guest_s: f64,
}

/// All counters as the sampler read them.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuidSample {
    /// Guest uptime before the first leaf, seconds.
    pub guest_s: f64,
    /// The guest's TSC at that moment, cycles.
    pub guest_tsc: u64,
    /// What was read.
    pub reading: CpuidReading,
}

impl Sampler {
    /// Starts the sampler in the guest, and asks what the census says of itself: it must
    /// be what the host says.
    pub async fn start(
        login: &Login,
        counted: Counted,
        watchdog: &Watchdog,
    ) -> Result<Sampler, Failure> {
        let command = format!("exit-sampler serve {}", ranges(counted.reasons));
        let channel = watchdog
            .wait("start of exit-sampler", login.open(&command))
            .await?;
        let mut talk = Conversation {
            channel,
            pending: Vec::new(),
            complaint: String::new(),
        };
        let line = watchdog
            .wait("discovery of the census", talk.ask("discover"))
            .await?;
        let discovery = understood(parse_discovery(&line), &line, watchdog)?;
        agree(&discovery, counted).map_err(|why| watchdog.failure(FailureKind::Protocol, why))?;
        Ok(Sampler {
            talk,
            counted,
            discovery,
            guest_s: 0.0,
        })
    }

    /// What the census says of itself.
    pub fn discovery(&self) -> Discovery {
        self.discovery
    }

    /// Sleeps in the guest until its uptime is `guest_s` seconds.
    pub async fn wait_until(&mut self, guest_s: f64, watchdog: &Watchdog) -> Result<(), Failure> {
        let request = format!("wait {guest_s:.6}");
        let longer = guest_s - self.guest_s;
        let line = watchdog
            .wait_longer("end of the pause", longer, self.talk.ask(&request))
            .await?;
        self.guest_s = understood(parse_ready(&line), &line, watchdog)?;
        Ok(())
    }

    /// Reads all counters.
    pub async fn read(&mut self, watchdog: &Watchdog) -> Result<CpuidSample, Failure> {
        let line = watchdog.wait("census", self.talk.ask("census")).await?;
        let parsed = parse_census(&line, self.counted, self.discovery.leaf_map);
        let census = understood(parsed, &line, watchdog)?;
        self.guest_s = census.guest_s;
        Ok(census)
    }

    /// Reads the status of every reason.
    pub async fn statuses(&mut self, watchdog: &Watchdog) -> Result<Vec<ReasonStatus>, Failure> {
        let line = watchdog
            .wait("status of the exit reasons", self.talk.ask("status"))
            .await?;
        understood(parse_statuses(&line, self.counted.reasons), &line, watchdog)
    }
}

struct Conversation {
    channel: Channel<client::Msg>,
    /// What arrived after the last whole line.
    pending: Vec<u8>,
    /// What the sampler printed on standard error.
    complaint: String,
}

impl Conversation {
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

/// The numbers of all slots as the sampler takes them: `0-166,1024-1027`.
fn ranges(reasons: &ReasonTable) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (_, number) in reasons.slots() {
        match ranges.last_mut() {
            Some((_, last)) if number - *last == 1 => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| format!("{first}-{last}"));
    words.collect::<Vec<_>>().join(",")
}

/// Fails unless guest and host say the same of the census.
fn agree(found: &Discovery, counted: Counted) -> Result<(), String> {
    let reasons = counted.reasons.defined().len();
    let said = |isa: Isa, cycles: bool, reasons: usize| {
        let not = if cycles { "" } else { "not " };
        format!("{}, {reasons} reasons, cycles {not}counted", isa.name())
    };
    let guest = said(found.isa, found.cycles, found.reasons as usize);
    let host = said(counted.reasons.isa(), counted.cycles, reasons);
    if guest == host {
        return Ok(());
    }
    Err(format!(
        "the census in the guest ({guest}) is not the one on the host ({host})"
    ))
}

fn understood<T>(parsed: Option<T>, line: &str, watchdog: &Watchdog) -> Result<T, Failure> {
    parsed.ok_or_else(|| {
        watchdog.failure(
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

fn parse_discovery(line: &str) -> Option<Discovery> {
    let words: Vec<&str> = line.strip_prefix("discovery ")?.split(' ').collect();
    let [isa, version, leaf_map, cycles, reasons] = words[..] else {
        return None;
    };
    Some(Discovery {
        isa: match isa {
            "vmx" => Isa::Vmx,
            "svm" => Isa::Svm,
            _ => return None,
        },
        version: version.parse().ok()?,
        leaf_map: leaf_map.parse().ok()?,
        cycles: match cycles {
            "on" => true,
            "off" => false,
            _ => return None,
        },
        reasons: reasons.parse().ok()?,
    })
}

fn parse_census(line: &str, counted: Counted, leaf_map: u32) -> Option<CpuidSample> {
    let words: Vec<&str> = line.strip_prefix("census ")?.split(' ').collect();
    let [uptime, tsc, leaves, before, counts, cycles, after] = words[..] else {
        return None;
    };
    let cycles = match (cycles, counted.cycles) {
        ("off", false) => None,
        (list, true) => Some(parse_list(list, counted.reasons)?),
        _ => return None,
    };
    let totals = Totals {
        // One leaf for both totals has room for half of the count.
        bits: match LeafMap::of(leaf_map)?.shares_totals() {
            true => 32,
            false => 64,
        },
        before: parse_total(before, counted.cycles)?,
        after: parse_total(after, counted.cycles)?,
    };
    Some(CpuidSample {
        guest_s: seconds(uptime)?,
        guest_tsc: tsc.parse().ok()?,
        reading: CpuidReading {
            counts: parse_list(counts, counted.reasons)?,
            cycles,
            totals: Some(totals),
            leaves: leaves.parse().ok()?,
        },
    })
}

/// One number for each slot; exactly the undefined ones must be `-`.
fn parse_list(list: &str, reasons: &ReasonTable) -> Option<Vec<u64>> {
    let slots = reasons.slots();
    let words: Vec<&str> = list.split(',').collect();
    if words.len() != slots.len() {
        return None;
    }
    let numbers = words.iter().zip(slots).map(|(word, (_, number))| {
        match (*word, reasons.get(number).is_some()) {
            ("-", false) => Some(0),
            // The kernel and we disagree about what is defined: no table of nonsense.
            ("-", true) | (_, false) => None,
            (word, true) => word.parse().ok(),
        }
    });
    numbers.collect()
}

fn parse_total(word: &str, with_cycles: bool) -> Option<TotalReading> {
    let (nth, rest) = word.split_once(':')?;
    let (count, cycles) = match rest.split_once(':') {
        Some((count, cycles)) if with_cycles => (count, Some(cycles.parse().ok()?)),
        None if !with_cycles => (rest, None),
        _ => return None,
    };
    Some(TotalReading {
        nth: nth.parse().ok()?,
        count: count.parse().ok()?,
        cycles,
    })
}

fn parse_statuses(line: &str, reasons: &ReasonTable) -> Option<Vec<ReasonStatus>> {
    let word = |text: &str| match text.parse().ok()? {
        STATUS_UNDEFINED => Some(ReasonStatus::Undefined),
        STATUS_NOT_ENABLED => Some(ReasonStatus::NotEnabled),
        STATUS_ENABLED => Some(ReasonStatus::Enabled),
        _ => None,
    };
    let words = line.strip_prefix("status ")?.split(',');
    let statuses: Vec<ReasonStatus> = words.map(word).collect::<Option<_>>()?;
    (statuses.len() == reasons.len_slots()).then_some(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(isa: Isa, cycles: bool) -> Counted {
        Counted {
            reasons: ReasonTable::of(isa),
            cycles,
        }
    }

    /// Twice the slot for each reason, but for what `change` says of a number.
    fn list(isa: Isa, change: impl Fn(u32) -> Option<&'static str>) -> String {
        let reasons = ReasonTable::of(isa);
        let words = reasons
            .slots()
            .into_iter()
            .map(|(slot, number)| match change(number) {
                Some(text) => text.to_owned(),
                None if reasons.get(number).is_none() => "-".to_owned(),
                None => (slot * 2).to_string(),
            });
        words.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn the_sampler_is_asked_for_every_slot() {
        assert_eq!(ranges(ReasonTable::vmx()), "0-85");
        assert_eq!(
            ranges(ReasonTable::svm()),
            "0-166,1024-1027,4294967292-4294967295"
        );
    }

    #[test]
    fn a_census_is_read() {
        let counts = list(Isa::Vmx, |_| None);
        let line = format!("census 1234567890 42 88 1:500 {counts} off 88:590");
        let census = parse_census(&line, counted(Isa::Vmx, false), 1).unwrap();
        assert_eq!((census.guest_s, census.guest_tsc), (1.234567, 42));
        let reading = census.reading;
        assert_eq!((reading.counts[10], reading.counts[35]), (20, 0));
        assert_eq!((reading.leaves, &reading.cycles), (88, &None));
        let totals = reading.totals.unwrap();
        assert_eq!(
            (totals.bits, totals.before.nth, totals.after.count),
            (32, 1, 590)
        );
        assert_eq!(parse_census(&line, counted(Isa::Vmx, true), 1), None);
    }

    #[test]
    fn a_census_of_svm_codes_with_cycles_is_read() {
        let counts = list(Isa::Svm, |_| None);
        let line = format!("census 1 2 354 2:500:7000 {counts} {counts} 353:590:8000");
        let reading = parse_census(&line, counted(Isa::Svm, true), 3)
            .unwrap()
            .reading;
        assert_eq!(
            (reading.counts.len(), reading.counts[0x72]),
            (175, 0x72 * 2)
        );
        assert_eq!(reading.cycles.unwrap()[174], 348);
        let totals = reading.totals.unwrap();
        assert_eq!(
            (totals.bits, totals.before.cycles, totals.after.nth),
            (64, Some(7000), 353)
        );
        assert_eq!(parse_census(&line, counted(Isa::Vmx, true), 3), None);
    }

    #[test]
    fn a_census_that_disagrees_with_the_table_is_refused() {
        let read = |counts: String| {
            let line = format!("census 1 2 88 1:5 {counts} off 88:9");
            parse_census(&line, counted(Isa::Vmx, false), 1)
        };
        assert!(read(list(Isa::Vmx, |_| None)).is_some());
        assert_eq!(read(list(Isa::Vmx, |r| (r == 10).then_some("-"))), None);
        assert_eq!(read(list(Isa::Vmx, |r| (r == 35).then_some("0"))), None);
        assert_eq!(read("4,5".to_owned()), None);
    }

    #[test]
    fn guest_and_host_must_say_the_same() {
        let found = parse_discovery("discovery svm 2 1 off 175").unwrap();
        assert_eq!((found.isa, found.version, found.leaf_map), (Isa::Svm, 2, 1));
        assert_eq!(agree(&found, counted(Isa::Svm, false)), Ok(()));
        assert_eq!(
            agree(&found, counted(Isa::Svm, true)).unwrap_err(),
            "the census in the guest (SVM, 175 reasons, cycles not counted) is not the one \
             on the host (SVM, 175 reasons, cycles counted)"
        );
        assert!(agree(&found, counted(Isa::Vmx, false)).is_err());
        assert_eq!(parse_discovery("discovery svm 2 1 maybe 175"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "(census |status |ready |discovery )?[-0-9,: ofn]{0,40}") {
            let counted = counted(Isa::Vmx, true);
            let _ = (parse_census(&line, counted, 1), parse_statuses(&line, counted.reasons));
            let _ = (parse_ready(&line), parse_discovery(&line));
        }
    }
}
