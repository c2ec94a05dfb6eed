//! `exitlab attach`: lists VMs, or counts one.

use comfy_table::{Table, presets};

use crate::attach::{self, Asked};
use crate::cli::AttachArgs;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::cell;
use exitlab_config as config;
use exitlab_model::attach::{AttachOrder, FoundVm};
use exitlab_model::plan::Plan;

use super::asked::{cache_dir, context, out_dir};
use super::told::{print, shown, table};

/// Time between samples where none is given, seconds.
const EVERY_S: f64 = 5.0;

/// Runs the command to its end.
pub async fn run(args: AttachArgs) -> Result<()> {
    let plan = plan(&args)?;
    let mut cx = context(Cache::open(cache_dir(&args.cache)?)?, &args.shown)?;
    let Some(target) = args.target.clone() else {
        let found = attach::list(&plan, &mut cx).await;
        cx.ui.end(found.is_ok());
        let (found, all) = found?;
        return print(&listed(&found, all));
    };
    let out = out_dir(args.out.clone(), &attach::experiment(&target));
    let asked = Asked {
        order: AttachOrder {
            target: Some(target),
            every_s: args.every.or(args.run.is_none().then_some(EVERY_S)),
            for_s: args.length,
        },
        command: args.run,
    };
    let outcome = attach::run(&plan, &asked, &out, &mut cx).await;
    cx.ui.end(outcome.is_ok());
    let done = outcome?;
    print(&format!(
        "{}\nresults: {}\n",
        table(&done.record),
        shown(&done.dir)
    ))?;
    done.require_promises()
}

/// How the machine is reached on which the VM runs, with every default.
fn plan(args: &AttachArgs) -> Result<Plan> {
    let here = std::env::current_dir().map_err(Error::io("find", "the current directory"))?;
    let quoted = |text: &str| toml_text(text);
    let mut sets = Vec::new();
    match &args.host {
        None => sets.push("platform=local".to_owned()),
        Some(host) => {
            sets.push("platform=ssh".to_owned());
            sets.push(format!("host.address={}", quoted(host)));
        }
    }
    if let Some(file) = &args.ssh_config {
        sets.push(format!(
            "host.ssh_config={}",
            quoted(&file.display().to_string())
        ));
    }
    config::load(None, &sets, &here, &[])
}

/// A text as TOML has it.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn listed(found: &[FoundVm], all: bool) -> String {
    let rest = match all {
        true => "",
        false => "VMs of other users are seen by root only.\n",
    };
    if found.is_empty() {
        return format!("No VM runs there that can be seen.\n{rest}");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["pid", "name", "VMM", "vCPUs", "up"]);
    for vm in found {
        table.add_row([
            vm.pid.to_string(),
            cell(&vm.name).to_string(),
            cell(&vm.vmm).to_string(),
            vm.vcpus.to_string(),
            up(vm.up_s),
        ]);
    }
    format!("{}\n{rest}", table.trim_fmt())
}

/// `3d 4h`, `12m 5s`.
fn up(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vms_are_listed_and_their_names_do_nothing_but_show() {
        let vm = |name: &str, up_s: f64| FoundVm {
            pid: 4711,
            name: name.to_owned(),
            vmm: "qemu-system-x86_64".to_owned(),
            vcpus: 2,
            up_s,
        };
        let found = [vm("web", 65.0), vm("\u{1b}[2J", 273_600.0)];
        insta::assert_snapshot!(listed(&found, false));
        assert!(listed(&[], true).starts_with("No VM"));
    }
}
