//! What a kernel says when its own code goes wrong, and which mistake that is.

use super::{Rule, Verdict};

/// Beginnings of what a kernel says when its own code went wrong.
const WORDS: [&str; 8] = [
    "BUG:",
    "Oops:",
    "general protection fault",
    "kernel BUG at",
    "UBSAN:",
    "WARNING:",
    "divide error:",
    "stack segment:",
];
/// What the kernel says where a null pointer, or a small offset from one, is followed.
const NULL: &str = "NULL pointer";
/// What says that an address or an index was out of all bounds.
const WILD: [&str; 4] = [
    "unable to handle page fault",
    "non-canonical address",
    "out-of-bounds",
    "general protection fault",
];
/// What the watchdog of a processor says, and the scheduler of one.
const STUCK: [&str; 3] = [
    "soft lockup",
    "hard LOCKUP",
    "rcu_sched self-detected stall",
];

/// What a host died of that says nothing any more, though it works.
const ENDLESS: &str = "a loop in the kernel that does not end";

/// The words of a kernel whose own code went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Illness {
    /// The line that says what happened.
    pub line: String,
    /// The function in which it happened, with the offset: `kvm_emulate_cpuid+0x12/0x90`.
    pub place: Option<String>,
}

/// The first illness in the lines of a kernel's log.
pub fn illness_in<S: AsRef<str>>(lines: &[S]) -> Option<Illness> {
    let mut lines = lines.iter().map(AsRef::as_ref);
    let ill = |line: &str| WORDS.iter().any(|word| line.contains(word));
    let line = lines.find(|line| ill(line))?;
    let place = lines.find_map(place).or_else(|| at(line));
    let line = without_time(line).to_owned();
    Some(Illness { line, place })
}

impl Illness {
    /// One sentence: where, and the kernel's own words.
    pub fn told(&self) -> String {
        let place = self.place.as_deref();
        let place = place.map_or(String::new(), |place| format!(" in {place}"));
        format!("the host's kernel went wrong{place}: {}", self.line)
    }

    /// The verdict on the rule that was being judged.
    pub fn verdict(&self, rule: Rule) -> Verdict {
        let says = |words: &[&str]| words.iter().any(|word| self.line.contains(word));
        let (looks_like, mistake) = if says(&STUCK) {
            (Some(ENDLESS), None)
        } else if says(&[NULL]) {
            (Some("a null pointer that is followed"), None)
        } else if rule == Rule::Range && says(&WILD) {
            let why = "an index from the guest used before its range is checked";
            (Some(why), Some(4))
        } else if says(&["divide error"]) {
            (Some("a division by zero"), None)
        } else {
            (None, None)
        };
        Verdict::Broken {
            seen: self.told(),
            looks_like: looks_like.map(str::to_owned),
            mistake,
        }
    }
}

impl Verdict {
    /// The verdict on a rule of which the host died: `how`, with the last lines of its
    /// console.
    pub fn of_death(rule: Rule, how: &str, tail: &[String]) -> Verdict {
        if let Some(illness) = illness_in(tail) {
            let verdict = illness.verdict(rule);
            if let Verdict::Broken {
                seen,
                looks_like,
                mistake,
            } = verdict
            {
                return Verdict::Broken {
                    seen: format!("{how}: {seen}"),
                    looks_like,
                    mistake,
                };
            }
        }
        if is_silence(how) {
            // Its agent has a word every few seconds, from another thread.
            return Verdict::Broken {
                seen: format!("{how}: what was tried did not return, and nothing else got a turn"),
                looks_like: Some(ENDLESS.to_owned()),
                mistake: None,
            };
        }
        let last = last_words(tail);
        Verdict::broken(format!("{how} while this was tried{last}"))
    }

    /// The verdict on a rule that was still to be judged when the host died in another.
    pub fn after_death(rule: Rule, how: &str, tail: &[String]) -> Verdict {
        let name = rule.name();
        let because = match illness_in(tail) {
            Some(illness) => format!("the host died in rule '{name}': {}", illness.line),
            None if is_silence(how) => format!("the host fell silent in rule '{name}'"),
            None => format!("the host died in rule '{name}'{}", last_words(tail)),
        };
        Verdict::NotJudged { because }
    }
}

/// Whether a host died of saying nothing. What it had said before is no word of that.
fn is_silence(how: &str) -> bool {
    how.contains("fell silent")
}

fn last_words(tail: &[String]) -> String {
    let last = tail.last().map(|line| without_time(line));
    last.map_or(String::new(), |line| format!("; its last words: {line}"))
}

/// The function of a line such as `RIP: 0010:kvm_emulate_cpuid+0x12/0x90`.
fn place(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("RIP: ")?;
    let (_, name) = rest.split_once(':')?;
    let name = name.split_whitespace().next()?;
    name.contains('+').then(|| name.to_owned())
}

/// The function of a line such as `WARNING: CPU: 0 PID: 9 at x86.c:12 kvm_arch_init+0x1/0x2`,
/// or the file of one of UBSAN's.
fn at(line: &str) -> Option<String> {
    let last = line.split_whitespace().next_back()?;
    let told = last.contains("+0x") || (line.contains("UBSAN:") && last.contains(".c:"));
    told.then(|| last.to_owned())
}

/// A line of a console without the time in front of it.
fn without_time(line: &str) -> &str {
    let line = line.trim();
    let told = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    match told {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    fn told(rule: Rule, text: &[&str]) -> (String, Option<String>, Option<u8>) {
        match Verdict::of_death(rule, "the host's kernel panicked", &lines(text)) {
            Verdict::Broken {
                seen,
                looks_like,
                mistake,
            } => (seen, looks_like, mistake),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_null_pointer_is_no_index_out_of_range() {
        let (seen, like, mistake) = told(
            Rule::Range,
            &[
                "[    1.25] BUG: kernel NULL pointer dereference, address: 0000000000000010",
                "[    1.25] #PF: supervisor read access in kernel mode",
                "[    1.25] RIP: 0010:kvm_emulate_cpuid+0x12/0x90",
            ],
        );
        assert_eq!(
            seen,
            "the host's kernel panicked: the host's kernel went wrong in \
             kvm_emulate_cpuid+0x12/0x90: BUG: kernel NULL pointer dereference, address: \
             0000000000000010"
        );
        assert_eq!(like.as_deref(), Some("a null pointer that is followed"));
        assert_eq!(mistake, None);
    }

    #[test]
    fn a_wild_address_is_mistake_4_only_where_indices_were_tried() {
        let fault = ["BUG: unable to handle page fault for address: ffffffff93a00000"];
        assert_eq!(told(Rule::Range, &fault).2, Some(4));
        assert_eq!(told(Rule::Totals, &fault).2, None);
        assert_eq!(told(Rule::Totals, &fault).1, None);
    }

    #[test]
    fn the_place_of_a_warning_or_of_ubsan_is_in_its_own_line() {
        let ill = illness_in(&["WARNING: CPU: 0 PID: 9 at x86.c:12 kvm_arch_init+0x1/0x2"]);
        assert_eq!(ill.unwrap().place.as_deref(), Some("kvm_arch_init+0x1/0x2"));
        let ubsan = "UBSAN: array-index-out-of-bounds in arch/x86/kvm/cpuid.c:1500:2";
        let ill = illness_in(&["x", ubsan]).unwrap();
        assert_eq!(ill.place.as_deref(), Some("arch/x86/kvm/cpuid.c:1500:2"));
        assert!(matches!(
            ill.verdict(Rule::Range),
            Verdict::Broken {
                mistake: Some(4),
                ..
            }
        ));
    }

    #[test]
    fn words_that_say_nothing_of_a_cause_lead_to_no_hint() {
        let (seen, like, mistake) = told(Rule::Range, &["VM exit 10", "VM exit 30"]);
        assert_eq!(
            seen,
            "the host's kernel panicked while this was tried; its last words: VM exit 30"
        );
        assert_eq!((like, mistake), (None, None));
        assert_eq!(illness_in(&["all is well"]), None);
    }

    #[test]
    fn a_silent_host_is_not_told_by_what_it_said_at_boot() {
        let tail = lines(&["[    0.5] kvm_intel: VMX not supported by CPU 0"]);
        let how = "the host fell silent for 120 s of QEMU's work";
        let Verdict::Broken {
            seen, looks_like, ..
        } = Verdict::of_death(Rule::Leaves, how, &tail)
        else {
            panic!("not broken")
        };
        assert!(
            !seen.contains("VMX") && seen.contains("did not return"),
            "{seen}"
        );
        assert_eq!(looks_like.as_deref(), Some(ENDLESS));
        let after = |how: &str, tail: &[String]| match Verdict::after_death(Rule::Leaves, how, tail)
        {
            Verdict::NotJudged { because } => because,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(how, &tail), "the host fell silent in rule 'leaves'");
        assert_eq!(
            after("QEMU ended", &tail),
            "the host died in rule 'leaves'; its last words: kvm_intel: VMX not supported by CPU 0"
        );
        assert_eq!(
            after("QEMU ended", &lines(&["BUG: unable to handle page fault"])),
            "the host died in rule 'leaves': BUG: unable to handle page fault"
        );
    }

    #[test]
    fn a_processor_that_is_stuck_is_a_loop_without_end() {
        let line = "watchdog: BUG: soft lockup - CPU#0 stuck for 11s! [exitlab-agent:45]";
        let (_, like, mistake) = told(Rule::Answers, &[line]);
        assert_eq!(
            like.as_deref(),
            Some("a loop in the kernel that does not end")
        );
        assert_eq!(mistake, None);
    }
}
