//! `exitlab watch`: a results directory, or a VM, which an `exitlab attach` counts meanwhile.

use std::path::Path;

use tokio::process::Command;

use super::asked::listen;
use super::told::print;
use crate::cli::WatchArgs;
use crate::watch::{self, Feed, Source, View};
use exitlab_base::error::{Error, Result};
use exitlab_base::process::Supervised;

/// Time between samples of a VM where none is given, seconds.
const EVERY_S: f64 = 1.0;

/// Runs the command to its end.
pub async fn run(args: WatchArgs) -> Result<()> {
    let mut interrupt = listen()?;
    let place = tempfile::tempdir().map_err(Error::io("make", "a temporary directory"))?;
    let mut source = source(&args, place.path())?;
    let text = args.plain || args.once || !watch::is_there();
    let recorded = source.counter.is_none() && !source.feed.is_going_on();
    let mut view = View::new(&args.target, recorded && !text).with_vcpu(args.vcpu);
    let outcome = match text {
        true => {
            watch::follow(
                &mut source,
                &mut view,
                args.once,
                &mut interrupt,
                &mut print,
            )
            .await
        }
        false => watch::show(&mut source, &mut view, &mut interrupt).await,
    };
    let ended = source.end().await;
    outcome.and(ended)
}

fn source(args: &WatchArgs, place: &Path) -> Result<Source> {
    if let Some(dir) = watch::results_named(&args.target) {
        let feed = Feed::of(&dir);
        if !feed.has_begun() && !feed.is_going_on() {
            return Err(Error::Config {
                message: format!("{} holds no events of a run", dir.display()),
                cure: "name a run's directory; of a matrix, one of its cells/".to_owned(),
            });
        }
        return Ok(Source {
            feed,
            counter: None,
        });
    }
    let out = place.join("run");
    let counter = Supervised::spawn(counter(args, &out)?, &place.join("said"))?;
    Ok(Source {
        feed: Feed::of(&out),
        counter: Some(counter),
    })
}

/// What counts a VM for us.
fn counter(args: &WatchArgs, out: &Path) -> Result<Command> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    let mut command = Command::new(exe);
    let every = format!("{}s", args.every.unwrap_or(EVERY_S));
    command
        .args(["attach", "--progress", "plain", "--every", &every])
        .arg("--out")
        .arg(out);
    if let Some(host) = &args.host {
        command.arg("--host").arg(host);
    }
    if let Some(file) = &args.ssh_config {
        command.arg("--ssh-config").arg(file);
    }
    if let Some(dir) = &args.cache.dir {
        command.arg("--cache").arg(dir);
    }
    command.args(["--", &args.target]);
    Ok(command)
}
