//! The SSH login to the guest. The server's key is known before the guest exists, and
//! verified.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{Channel, ChannelMsg, client};
use tokio::net::TcpStream;

use crate::conversation::OverSsh;
use crate::failure::Failure;
use crate::keys::GuestKeys;
use crate::shell::{Conversation, End, Pending, Printed, Shell};
use crate::signals::number_of;
use crate::watchdog::Watchdog;

use exitlab_model::order::Order;

/// How long a server may take from accepting a connection to its first bytes. QEMU's
/// user network accepts before the guest listens, so silence means "not yet".
const GREETING: Duration = Duration::from_secs(1);

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// A login to the guest as root.
pub struct Login {
    session: client::Handle<ExpectKey>,
}

/// Accepts one server key.
struct ExpectKey(PublicKey);

impl client::Handler for ExpectKey {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(match shown {
            russh::keys::PublicKeyOrCertificate::PublicKey { key, .. } => {
                key.key_data() == self.0.key_data()
            }
            _ => false,
        })
    }
}

/// Where to log in, as whom, and who must answer.
pub struct SshTarget {
    port: u16,
    user: String,
    key: PrivateKey,
    server: PublicKey,
}

impl SshTarget {
    /// The guest's SSH server, behind that port of the host's loopback interface.
    pub fn of(order: &Order, port: u16) -> Result<SshTarget, String> {
        let keys = GuestKeys::derive(&order.guest.seed);
        let key = keys
            .client_private()
            .map_err(|e| format!("bad login key: {e}"))?;
        Ok(SshTarget {
            port,
            user: "root".to_owned(),
            key,
            server: keys.server_public(),
        })
    }
}

impl Login {
    /// Waits until the guest's SSH server lets us in.
    pub async fn wait(target: SshTarget, watchdog: &Watchdog) -> Result<Login, Failure> {
        watchdog
            .wait("SSH login", async {
                let stream = greeted(target.port).await;
                log_in(stream, target).await
            })
            .await
    }

    /// Starts a command; its standard input and output are the channel's.
    async fn open(&self, command: &str) -> Result<Channel<client::Msg>, String> {
        let refused = |e: russh::Error| format!("the guest refused to run '{command}': {e}");
        let channel = self.session.channel_open_session().await.map_err(refused)?;
        channel.exec(true, command).await.map_err(refused)?;
        Ok(channel)
    }
}

impl Shell for Login {
    fn exec<'a>(&'a self, command: &'a str, printed: &'a Printed) -> Pending<'a, End> {
        Box::pin(async { collect(self.open(command).await?, printed).await })
    }

    fn converse<'a>(&'a self, command: &'a str) -> Pending<'a, Box<dyn Conversation>> {
        Box::pin(async {
            let channel = self.open(command).await?;
            Ok(Box::new(OverSsh::new(channel)) as Box<dyn Conversation>)
        })
    }
}

/// Connects again and again until a server speaks first, as SSH servers do.
async fn greeted(port: u16) -> TcpStream {
    loop {
        let attempt = async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let mut first = [0; 4];
            let seen = stream.peek(&mut first).await?;
            std::io::Result::Ok((seen > 0).then_some(stream))
        };
        if let Ok(Ok(Some(stream))) = tokio::time::timeout(GREETING, attempt).await {
            return stream;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn log_in(stream: TcpStream, target: SshTarget) -> Result<Login, String> {
    let config = client::Config {
        preferred: russh::Preferred {
            // One choice for each, so that a new default of either side changes no count.
            kex: Cow::Borrowed(&[russh::kex::CURVE25519]),
            cipher: Cow::Borrowed(&[russh::cipher::CHACHA20_POLY1305]),
            ..russh::Preferred::DEFAULT
        },
        ..client::Config::default()
    };
    let mut session = client::connect_stream(Arc::new(config), stream, ExpectKey(target.server))
        .await
        .map_err(|e| match e {
            russh::Error::UnknownKey => "the guest's SSH server showed another host key than \
                                         the one made for it"
                .to_owned(),
            e => format!("failed to open the SSH session: {e}"),
        })?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(target.key), None);
    let answer = session
        .authenticate_publickey(target.user, key)
        .await
        .map_err(|e| format!("failed to log in: {e}"))?;
    if !answer.success() {
        return Err("the guest's SSH server refused our key".to_owned());
    }
    Ok(Login { session })
}

async fn collect(mut channel: Channel<client::Msg>, printed: &Printed) -> Result<End, String> {
    let (mut end, mut closed) = (None, false);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => printed.stdout(&data),
            ChannelMsg::ExtendedData { data, .. } => printed.stderr(&data),
            ChannelMsg::ExitStatus { exit_status } => end = Some(End::Exit(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                end = Some(End::Signal(number_of(&signal_name)));
            }
            ChannelMsg::Close => closed = true,
            _ => {}
        }
    }
    // dropbear closes without a word where it has no name for the signal.
    let end = end.or(closed.then_some(End::Signal(0)));
    end.ok_or_else(|| "the guest's SSH server went away before the command ended".to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::shell::exec;
    use crate::watchdog::test_watchdog;
    use exitlab_model::failure::FailureKind;

    /// A real sshd on the loopback interface, with a guest's keys.
    struct Sshd {
        child: Child,
        port: u16,
        _dir: tempfile::TempDir,
    }

    impl Drop for Sshd {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn sshd(keys: &GuestKeys) -> Sshd {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
            path.display().to_string()
        };
        let host_key = write("host_key", &keys.server_openssh().unwrap());
        let authorized = write("authorized_keys", &keys.authorized_keys().unwrap());
        let port = free_port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\n\
             AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPidFile none\n"
        );
        let config = write("sshd_config", &config);
        // sshd wants it where packages put it, and nobody may have started sshd here yet.
        let _ = std::fs::create_dir_all("/run/sshd");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &config])
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Sshd {
            child,
            port,
            _dir: dir,
        }
    }

    fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    }

    fn target(keys: &GuestKeys, port: u16) -> SshTarget {
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        SshTarget {
            port,
            user,
            key: keys.client_private().unwrap(),
            server: keys.server_public(),
        }
    }

    #[tokio::test]
    async fn commands_run_and_their_end_is_known() {
        let keys = GuestKeys::derive("login test");
        let sshd = sshd(&keys);
        let (_alive, watchdog) = test_watchdog(20.0);
        let login = Login::wait(target(&keys, sshd.port), &watchdog)
            .await
            .unwrap();
        let command = "echo out; echo err >&2; exit 3";
        let printed = Printed::up_to(100);
        let end = exec(&login, command, command, &printed, &watchdog).await;
        assert_eq!(end.unwrap(), End::Exit(3));
        assert_eq!(printed.texts(), ("out\n".to_owned(), "err\n".to_owned()));
        let killed = exec(&login, "kill -9 $$", "", &printed, &watchdog).await;
        assert_eq!(killed.unwrap(), End::Signal(9));
    }

    #[tokio::test]
    async fn a_flood_is_counted_and_meets_the_deadline() {
        let keys = GuestKeys::derive("login test");
        let sshd = sshd(&keys);
        let (_alive, watchdog) = test_watchdog(20.0);
        let login = Login::wait(target(&keys, sshd.port), &watchdog)
            .await
            .unwrap();
        let (_alive, hurried) = test_watchdog(3.0);
        let printed = Printed::up_to(1000);
        for flood in ["yes", "yes >&2", "tr '\\0' x </dev/zero"] {
            let started = std::time::Instant::now();
            let end = exec(&login, flood, flood, &printed, &hurried).await;
            assert_eq!(end.unwrap_err().kind, FailureKind::Deadline, "{flood}");
            assert!(started.elapsed() < Duration::from_secs(60), "{flood}");
        }
        let (stdout, stderr) = printed.texts();
        let lengths = [stdout.len(), stderr.len()];
        assert!(lengths.iter().all(|len| *len < 6000), "{lengths:?}");
        // How much of which comes in time is the machine's matter.
        let is_cut = |text: &String| text.contains("bytes left out]");
        assert!([stdout, stderr].iter().any(is_cut), "{lengths:?}");
    }

    #[tokio::test]
    async fn another_server_key_is_refused() {
        let keys = GuestKeys::derive("login test");
        let sshd = sshd(&keys);
        let mut target = target(&keys, sshd.port);
        target.server = GuestKeys::derive("somebody else").server_public();
        let (_alive, watchdog) = test_watchdog(20.0);
        let failure = Login::wait(target, &watchdog).await.err().unwrap();
        assert!(
            failure.message.contains("another host key"),
            "{}",
            failure.message
        );
    }

    #[tokio::test]
    async fn a_key_that_is_not_authorized_is_refused() {
        let keys = GuestKeys::derive("login test");
        let sshd = sshd(&keys);
        let mut target = target(&keys, sshd.port);
        target.key = GuestKeys::derive("somebody else").client_private().unwrap();
        let (_alive, watchdog) = test_watchdog(20.0);
        let failure = Login::wait(target, &watchdog).await.err().unwrap();
        assert!(
            failure.message.contains("refused our key"),
            "{}",
            failure.message
        );
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_stays_silent_meets_the_deadline() {
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let keys = GuestKeys::derive("login test");
        let (_alive, watchdog) = test_watchdog(2.5);
        let failure = Login::wait(target(&keys, port), &watchdog)
            .await
            .err()
            .unwrap();
        assert_eq!(failure.kind, FailureKind::Deadline);
        assert_eq!(failure.message, "no SSH login within 2.5 s");
    }
}
