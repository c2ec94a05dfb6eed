//! `exitlab attach`: the exits of a virtual machine that runs already, here or on another
//! machine. The agent counts; what it tells becomes a results directory like a run's.

use serde_json::json;
use tokio::process::Command;
use tokio::sync::watch;

use crate::broken::broken;
use crate::context::Context;
use crate::minutes;
use crate::out_dir::OutDir;
use crate::pace::Pace;
use crate::provenance;
use crate::results::Results;
use crate::run::{Run, draw, keep};
use crate::session::Session;
use crate::signals::Interrupt;
use exitlab_base::error::{Error, Result};
use exitlab_model::attach::{AttachOrder, FoundVm, phase};
use exitlab_model::event::Event;
use exitlab_model::layout::RUN;
use exitlab_model::order::Task;
use exitlab_model::plan::Plan;
use exitlab_model::record::{RecordedPlan, RunRecord, Sample};
use exitlab_model::stream::Broken;

/// `run.json` is written whole, with every sample of perhaps hours, and may take one part in so
/// many of the time; what came since is in the events until the end.
const RECORDING: u32 = 2_000;

/// What is asked for: an order with a target, and the command that it is held for.
#[derive(Debug)]
pub struct Asked {
    /// What the agent does.
    pub order: AttachOrder,
    /// Runs meanwhile, here.
    pub command: Option<String>,
}

/// The virtual machines of the machine of a plan, and whether every process could be looked at.
pub async fn list(plan: &Plan, cx: &mut Context) -> Result<(Vec<FoundVm>, bool)> {
    let place = tempfile::tempdir().map_err(Error::io("make", "a temporary directory"))?;
    let mut results = Results::create(&OutDir::given(place.path().join("list")))?;
    let order = AttachOrder {
        target: None,
        every_s: None,
        for_s: None,
    };
    let mut found = (Vec::new(), true);
    let session = Session {
        plan,
        boot: None,
        task: Task::Attach(order),
        cache: &cx.cache,
        results: &mut results,
        ui: &mut cx.ui,
    };
    let mut heard = |event: &Event, _: &Results| {
        if let Event::Machines { machines, all } = event {
            found = (machines.clone(), *all);
        }
        Ok(())
    };
    cx.interrupt.or(session.hold(&mut heard)).await?;
    Ok(found)
}

/// Counts until the order's end, the VM's, the command's or Ctrl-C.
pub async fn run(plan: &Plan, asked: &Asked, out: &OutDir, cx: &mut Context) -> Result<Run> {
    out.prepare()?;
    let mut results = Results::create(out)?;
    let mut record = new_record(plan)?;
    results.record(&record)?;

    let mut pace = Pace::one_in(RECORDING);
    let (tell, attached) = watch::channel(false);
    let mut end = End {
        interrupt: cx.interrupt.clone(),
        attached,
        command: asked.command.clone(),
        failed: None,
    };
    let outcome = {
        let session = Session {
            plan,
            boot: None,
            task: Task::Attach(asked.order.clone()),
            cache: &cx.cache,
            results: &mut results,
            ui: &mut cx.ui,
        };
        let mut heard = |event: &Event, results: &Results| {
            take(event, &asked.order, &mut record)?;
            match event {
                Event::Attached(_) => drop(tell.send(true)),
                Event::Sample(_) => pace.keep(|| results.record(&record))?,
                _ => {}
            }
            Ok(())
        };
        session.hold_until(end.comes(), &mut heard).await
    };
    results.close_machine();
    record.outcome = minutes::outcome(&outcome, &record);
    record.finished = Some(provenance::now());
    let kept = keep(&results, &record);
    if kept.is_ok() {
        draw(&results, &record, &cx.ui);
    }
    outcome?;
    kept?;
    end.failed.map_or(Ok(()), Err)?;
    Ok(Run {
        dir: results.dir().to_owned(),
        record,
    })
}

/// What ends it from here.
struct End {
    interrupt: Interrupt,
    attached: watch::Receiver<bool>,
    command: Option<String>,
    /// How the command failed.
    failed: Option<Error>,
}

impl End {
    /// Returns when the user asks for an end, or when the command has ended, which begins once
    /// the VM is attached to.
    async fn comes(&mut self) {
        let End {
            interrupt,
            attached,
            command,
            failed,
        } = self;
        let work = async {
            let Some(command) = command else {
                return std::future::pending().await;
            };
            // Its sender lives as long as the session.
            let _ = attached.wait_for(|attached| *attached).await;
            command_ends(command).await
        };
        tokio::select! {
            ended = work => *failed = ended.err(),
            () = interrupt.asked() => {}
        }
    }
}

async fn command_ends(command: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).kill_on_drop(true);
    let status = shell.status().await.map_err(Error::io("run", "sh"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Experiment {
        stage: "workload".to_owned(),
        message: format!("the command of --run ended with {status}"),
        tail: Vec::new(),
        cure: "see what it printed, above; what was counted until then is kept".to_owned(),
    })
}

/// Enters an event, if it is one that may come.
fn take(event: &Event, order: &AttachOrder, record: &mut RunRecord) -> Result<()> {
    match event {
        Event::Attached(vm) => {
            let plan = RecordedPlan::try_from(planned(vm, order));
            record.plan = plan.map_err(Error::json("write", RUN))?;
            record.experiment = experiment(&vm.name);
        }
        Event::Sample(sample) => {
            expected(sample, record).map_err(broken)?;
            minutes::enter(event, record);
        }
        event => minutes::enter(event, record),
    }
    Ok(())
}

/// The next sample, of the tracepoint alone, and not before the one before it.
fn expected(sample: &Sample, record: &RunRecord) -> Result<(), Broken> {
    let number = record.samples.len() as u32 + 1;
    let slots = record.reasons().len_slots();
    let trace = sample.trace.as_ref();
    let is_next = sample.number == number && sample.label == phase(number);
    let whole = trace.is_some_and(|trace| trace.counts.len() == slots);
    let later = record.samples.last().is_none_or(|last| {
        let (last, now) = (&last.clocks, &sample.clocks);
        now.host_s >= last.host_s && now.host_tsc >= last.host_tsc
    });
    match is_next && sample.phase == sample.label && whole && later {
        true => Ok(()),
        false => Err(Broken::by_the_agent(
            format!(
                "{} of {slots} counters by the tracepoint, after the one before",
                phase(number)
            ),
            exitlab_model::planned::name_of(sample),
        )),
    }
}

/// What stands in the place of a plan: what was counted, and how. Two of them are of one plan
/// where the VM is called the same, has as many vCPUs and is run by the same program.
fn planned(vm: &FoundVm, order: &AttachOrder) -> serde_json::Value {
    json!({
        "guest": { "vcpus": vm.vcpus },
        "attached": { "name": vm.name, "vmm": vm.vmm, "pid": vm.pid, "every_s": order.every_s },
    })
}

/// The experiment's name, which is fit for a file's: `attach-web`.
pub fn experiment(target: &str) -> String {
    const LONGEST: usize = 60;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = target.chars().take(LONGEST).map(plain).collect();
    format!("attach-{name}")
}

fn new_record(plan: &Plan) -> Result<RunRecord> {
    let none = RecordedPlan::try_from(serde_json::Value::Null);
    Ok(RunRecord::begun(
        "attach",
        provenance::now(),
        plan.platform_name(),
        none.map_err(Error::json("write", RUN))?,
        provenance::of_this_program()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_is_called_by_the_vm_and_leads_nowhere() {
        assert_eq!(experiment("web"), "attach-web");
        assert_eq!(experiment("../a b\u{1b}"), "attach-..-a-b-");
        assert!(experiment(&"x".repeat(500)).len() < 80);
    }
}
