//! `exitlab attach`

use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, ShownArgs};

const EXAMPLES: &str = "\
Examples:
  exitlab attach                             which VMs run here
  exitlab attach web                         count the exits of one until Ctrl-C, by its name
  exitlab attach 4711 --every 1s --for 1m    by its process, for a minute
  exitlab attach web --host root@machine     on another machine
  exitlab attach web --run './load.sh'       for as long as a command takes

It needs root where the VM runs, to read the kernel's tracepoint. The VM is not asked, stopped
or told. docs/attach.md says what is counted, and how it is checked.";

/// `exitlab attach`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct AttachArgs {
    /// The VM's process or name; without, the VMs that run are listed.
    #[arg(value_name = "PID|NAME")]
    pub target: Option<String>,
    /// Time between samples: 500ms, 5s, 1m [default: 5s; with --run, none until its end].
    #[arg(long, value_name = "TIME", value_parser = seconds, requires = "target")]
    pub every: Option<f64>,
    /// Stop after that time [default: at Ctrl-C, or with the VM].
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, requires = "target")]
    pub length: Option<f64>,
    /// Stop when this command ends, which a shell runs here once the VM is attached to.
    #[arg(long, value_name = "COMMAND", requires = "target")]
    pub run: Option<String>,
    /// The machine on which the VM runs, as ssh takes it [default: this one].
    #[arg(long, value_name = "MACHINE")]
    pub host: Option<String>,
    /// A configuration for ssh in place of your own.
    #[arg(long, value_name = "FILE", requires = "host")]
    pub ssh_config: Option<PathBuf>,
    /// The results directory [default: results/<UTC time>-attach-<name>].
    #[arg(long, value_name = "DIR", requires = "target")]
    pub out: Option<PathBuf>,
    /// What is shown meanwhile.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Where agents work.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// A time between ten milliseconds and a week.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * seconds)
    });
    match parsed {
        Some(seconds) if (0.01..=604_800.0).contains(&seconds) => Ok(seconds),
        Some(_) => Err("a time is between 10ms and 168h".to_owned()),
        None => Err("a time has a unit: 500ms, 5s, 1m, 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        assert_eq!(seconds("5s"), Ok(5.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("1.5m"), Ok(90.0));
        for wrong in ["5", "s", "-1s", "0s", "NaNs", "infs", "200h", "1ms"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
