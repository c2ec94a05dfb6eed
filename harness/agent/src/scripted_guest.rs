//! A guest that follows the script of its QEMU (`scripted`).

use serde_json::{Value, json};

use exitlab_model::reasons::ReasonTable;

use crate::scripted::{Act, Stage};
use crate::shell::{Conversation, End, Pending, Printed, Shell};

/// A guest that lets us in.
pub struct Guest(Stage);

impl Guest {
    /// The guest of a script.
    pub fn of(stage: &Stage) -> Guest {
        Guest(stage.clone())
    }
}

impl Shell for Guest {
    fn exec<'a>(&'a self, command: &'a str, printed: &'a Printed) -> Pending<'a, End> {
        Box::pin(async move {
            let sampler = match command.starts_with("exec exit-sampler run ") {
                true => "exit-sampler: exit 0, alone\n",
                false => "",
            };
            let usual =
                || json!({ "exit": 0, "stdout": format!("{command} ran\n"), "stderr": sampler });
            let said = answer(&self.0, &format!("$ {command}"), usual).await?;
            let text = |key: &str| said[key].as_str().unwrap_or_default().as_bytes();
            printed.stdout(text("stdout"));
            printed.stderr(text("stderr"));
            let number = |key: &str| said[key].as_u64().map(|number| number as u32);
            Ok(match number("signal") {
                Some(signal) => End::Signal(signal),
                None => End::Exit(number("exit").unwrap()),
            })
        })
    }

    fn converse<'a>(&'a self, command: &'a str) -> Pending<'a, Box<dyn Conversation>> {
        Box::pin(async move {
            answer(&self.0, &format!("$ {command}"), || Value::Null).await?;
            let sampler = Sampler {
                stage: self.0.clone(),
                uptime_s: 3.0,
            };
            Ok(Box::new(sampler) as Box<dyn Conversation>)
        })
    }
}

/// `exit-sampler serve` for the reasons of VMX.
struct Sampler {
    stage: Stage,
    uptime_s: f64,
}

impl Conversation for Sampler {
    fn ask<'a>(&'a mut self, request: &'a str) -> Pending<'a, String> {
        Box::pin(async move {
            if let Some(("wait", seconds)) = request.split_once(' ') {
                self.uptime_s = seconds.parse().unwrap();
            }
            let uptime_ns = (self.uptime_s * 1e9).round() as u64;
            let usual = || json!(usual(request, uptime_ns));
            let said = answer(&self.stage, &format!("? {request}"), usual).await?;
            Ok(said.as_str().unwrap().to_owned())
        })
    }
}

fn usual(request: &str, uptime_ns: u64) -> String {
    let reasons = ReasonTable::vmx();
    let defined = |number: u32| reasons.get(number).is_some();
    let list = |yes: &str, no: &str| {
        let words = reasons
            .slots()
            .into_iter()
            .map(|(_, number)| match defined(number) {
                true => yes.to_owned(),
                false => no.to_owned(),
            });
        words.collect::<Vec<_>>().join(",")
    };
    match request {
        "discover" => format!("discovery vmx 2 1 off {}", reasons.defined().len()),
        "census" => format!(
            "census {uptime_ns} 42 88 1:80 {} off 88:167",
            list("1", "-")
        ),
        "status" => format!("status {}", list("2", "0")),
        _ => format!("ready {uptime_ns}"),
    }
}

/// What the script makes of it: its own words, or what is usual.
async fn answer(stage: &Stage, asked: &str, usual: impl Fn() -> Value) -> Result<Value, String> {
    match stage.act(asked) {
        Act::AsUsual => Ok(usual()),
        Act::Say(lines) => match lines.into_iter().next() {
            Some(line) => Ok(line),
            None => std::future::pending().await,
        },
        Act::HangUp => Err("the SSH session closed".to_owned()),
        Act::Die => {
            stage.die();
            std::future::pending().await
        }
    }
}
