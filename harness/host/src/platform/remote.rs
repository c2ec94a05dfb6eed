//! A machine that is reached by SSH. OpenSSH's own client connects, so that the user's
//! configuration, keys, agent and known hosts are used as everywhere else, and one
//! connection serves everything.

mod part;
pub(crate) mod probe;
mod words;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use exitlab_base::answer::Answer;
use exitlab_base::bounded::shortened;
use exitlab_base::error::{Error, Result};
use exitlab_base::not_started;
use exitlab_base::process::{Supervised, die_with_parent};
use exitlab_base::shell::quoted;
use exitlab_model::plan::Plan;

pub use part::Part;
pub use probe::{Demand, Facts};
use rustix::process::Signal;
use words::failed;

/// OpenSSH's client.
pub const SSH: &str = "ssh";

/// The connection's socket, in the machine's directory, which is the working directory of
/// every `ssh`: a socket's path may be no longer than 107 bytes.
const CONTROL: &str = "control";

/// What the connection's `ssh` printed, in the machine's directory.
const LOG: &str = "ssh.log";

/// How often the connection's socket is looked for.
const POLL: Duration = Duration::from_millis(25);

/// How many lines of a complaint an error shows.
const TAIL: usize = 20;

/// Characters of such a line that it shows.
const SHOWN: usize = 300;

/// How long clearing up may take.
const SWEEP: Duration = Duration::from_secs(20);

/// Receives a file and checks what came before anybody can see it. Its arguments: where to,
/// and the SHA-256 that it must have.
const RECEIVE: &str = "\
umask 077
part=\"$1.$$\"
trap 'rm -f \"$part\"' EXIT
trap 'exit 1' HUP INT TERM
cat > \"$part\" || exit
echo \"$2  $part\" | sha256sum -c > /dev/null || exit
chmod 700 \"$part\" && mv \"$part\" \"$1\"";

/// A connection to a machine.
#[derive(Debug)]
pub struct Remote {
    address: String,
    config: Option<PathBuf>,
    dir: PathBuf,
    deadline: Duration,
    /// Holds the connection; the others go through it.
    _master: Supervised,
}

impl Remote {
    /// Connects to the machine of a plan; `dir` is for the connection's socket and log.
    pub async fn connect(plan: &Plan, dir: &Path) -> Result<Remote> {
        let address = plan.host.address.clone();
        let config = plan.host.ssh_config.clone();
        let mut command = ssh(config.as_deref(), dir);
        command.args(["-N", "-o", "ControlMaster=yes", "--", &address]);
        let mut master = Supervised::spawn(command, &dir.join(LOG))?;
        let deadline = Duration::from_secs_f64(plan.deadlines.host_boot_s);
        let ready = async {
            // The socket comes when the login was good.
            while !dir.join(CONTROL).exists() {
                if let Some(how) = master.try_exited()? {
                    return Err(failed(&address, &format!("({how})"), master.tail()));
                }
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        match tokio::time::timeout(deadline, ready).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                let how = format!("within {} s", deadline.as_secs_f64());
                return Err(failed(&address, &how, master.tail()));
            }
        }
        Ok(Remote {
            address,
            config,
            dir: dir.to_owned(),
            deadline,
            _master: master,
        })
    }

    /// What the user calls it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the machine what it is and which of `parts` it has.
    pub async fn probe(&self, parts: &[Part]) -> Result<Facts> {
        let hashes: Vec<&str> = parts.iter().map(Part::hash).collect();
        let text = self.run("look around", probe::SCRIPT, &hashes, Stdio::null());
        Facts::read(&text.await?).map_err(|why| self.error(&why, Vec::new()))
    }

    /// Brings a file there.
    pub async fn bring(&self, part: &Part, facts: &Facts) -> Result<()> {
        let place = facts.place_of(part).display().to_string();
        let file = part.open()?;
        let what = format!("receive {}", part.name());
        let arguments = [place.as_str(), part.hash()];
        self.run(&what, RECEIVE, &arguments, Stdio::from(file))
            .await
            .map(drop)
    }

    /// The command that runs the agent there.
    pub fn agent(&self, binary: &Path, agents: &Path) -> Command {
        self.command(
            "exec \"$1\" --below \"$2\"",
            &[&shown(binary), &shown(agents)],
        )
    }

    /// Clears away what an agent left that was killed.
    pub async fn sweep(&self, binary: &Path, agents: &Path) -> Result<()> {
        let script = "exec \"$1\" --sweep \"$2\"";
        let arguments = [shown(binary), shown(agents)];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let sweep = self.run("clear up", script, &arguments, Stdio::null());
        match tokio::time::timeout(SWEEP, sweep).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(self.error("cannot be reached to clear up there", Vec::new())),
        }
    }

    /// A command for `sh` there, whatever the user's shell is.
    fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut words = vec!["sh".to_owned(), "-c".to_owned(), quoted(script)];
        words.push("sh".to_owned());
        words.extend(arguments.iter().map(|word| quoted(word)));
        let mut command = ssh(self.config.as_deref(), &self.dir);
        command.args(["-o", "ControlMaster=no", "--", &self.address]);
        command.arg(words.join(" "));
        command
    }

    /// Runs a script to its end and returns what it printed.
    async fn run(
        &self,
        what: &str,
        script: &str,
        arguments: &[&str],
        input: Stdio,
    ) -> Result<String> {
        let mut command = self.command(script, arguments);
        command.stdin(input);
        die_with_parent(&mut command, Signal::KILL);
        let answer = tokio::time::timeout(self.deadline, Answer::of(command)).await;
        let seconds = self.deadline.as_secs_f64();
        let answer = answer
            .map_err(|_| self.error(&format!("did not {what} within {seconds} s"), Vec::new()))?
            .map_err(|error| {
                let cure = "apt-get install openssh-client";
                not_started::error(Path::new(SSH), "reaches the host", cure, error)
            })?;
        if answer.status.success() {
            return Ok(answer.stdout);
        }
        let said: Vec<&str> = answer.stderr.lines().collect();
        let last = &said[said.len().saturating_sub(TAIL)..];
        let said = last.iter().map(|line| shortened(line, SHOWN)).collect();
        Err(self.error(&format!("did not {what} ({})", answer.status), said))
    }

    fn error(&self, what: &str, tail: Vec<String>) -> Error {
        words::error(&self.address, what, tail)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `ssh` that never asks, notices a connection that is dead, and opens nothing beside what
/// it is told.
fn ssh(config: Option<&Path>, dir: &Path) -> Command {
    let mut command = Command::new(SSH);
    if let Some(config) = config {
        command.arg("-F").arg(config);
    }
    let options = [
        "BatchMode=yes",
        "ConnectTimeout=20",
        "ServerAliveInterval=10",
        "ServerAliveCountMax=3",
        "ControlPersist=no",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
    ];
    command.args(["-o", &format!("ControlPath={CONTROL}")]);
    command.args(options.iter().flat_map(|option| ["-o", option]));
    command.current_dir(dir);
    command
}
