//! The SSH login to the guest. The server's key is known before the guest exists, and
//! verified.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{Channel, ChannelMsg, client};
use tokio::net::TcpStream;

use crate::error::FailureKind;
use crate::image::keys::GuestKeys;

use super::failure::Failure;
use super::order::Order;
use super::qemu::SSH_PORT;
use super::vigil::Vigil;

/// How long a server may take from accepting a connection to its first bytes. QEMU's
/// user network accepts before the guest listens, so silence means "not yet".
const GREETING: Duration = Duration::from_secs(1);

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Most output of a command that is kept, bytes.
const MOST_OUTPUT: usize = 1 << 20;

/// A login to the guest as root.
pub struct Login {
    session: client::Handle<ExpectKey>,
}

/// What a command in the guest printed and how it ended.
pub struct Output {
    /// Exit status.
    pub exit: u32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
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

impl Login {
    /// Waits until the guest's SSH server lets us in.
    pub async fn wait(order: &Order, vigil: &Vigil) -> Result<Login, Failure> {
        let keys = GuestKeys::derive(&order.guest.seed);
        let private = keys
            .client_private()
            .map_err(|e| vigil.failure(FailureKind::Protocol, format!("bad login key: {e}")))?;
        let expected = keys.server_public();
        vigil
            .wait("SSH login", async {
                let stream = greeted(SSH_PORT).await;
                log_in(stream, expected, private).await
            })
            .await
    }

    /// Runs a command and collects what it prints.
    pub async fn exec(&self, command: &str, vigil: &Vigil) -> Result<Output, Failure> {
        vigil
            .wait(&format!("end of '{command}'"), async {
                let channel = self.open(command).await?;
                collect(channel).await
            })
            .await
    }

    /// Starts a command; its standard input and output are the channel's.
    pub async fn open(&self, command: &str) -> Result<Channel<client::Msg>, String> {
        let refused = |e: russh::Error| format!("the guest refused to run '{command}': {e}");
        let channel = self.session.channel_open_session().await.map_err(refused)?;
        channel.exec(true, command).await.map_err(refused)?;
        Ok(channel)
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

async fn log_in(
    stream: TcpStream,
    expected: PublicKey,
    private: PrivateKey,
) -> Result<Login, String> {
    let config = client::Config {
        preferred: russh::Preferred {
            // One choice for each, so that a new default of either side changes no count.
            kex: Cow::Borrowed(&[russh::kex::CURVE25519]),
            cipher: Cow::Borrowed(&[russh::cipher::CHACHA20_POLY1305]),
            ..russh::Preferred::DEFAULT
        },
        ..client::Config::default()
    };
    let mut session = client::connect_stream(Arc::new(config), stream, ExpectKey(expected))
        .await
        .map_err(|e| match e {
            russh::Error::UnknownKey => "the guest's SSH server showed another host key than \
                                         the one made for it"
                .to_owned(),
            e => format!("failed to open the SSH session: {e}"),
        })?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(private), None);
    let answer = session
        .authenticate_publickey("root", key)
        .await
        .map_err(|e| format!("failed to log in: {e}"))?;
    if !answer.success() {
        return Err("the guest's SSH server refused our key".to_owned());
    }
    Ok(Login { session })
}

async fn collect(mut channel: Channel<client::Msg>) -> Result<Output, String> {
    let (mut stdout, mut stderr, mut exit) = (Vec::new(), Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => exit = Some(exit_status),
            _ => {}
        }
        if stdout.len() + stderr.len() > MOST_OUTPUT {
            return Err(format!("the command printed more than {MOST_OUTPUT} bytes"));
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let exit = exit.ok_or("the command ended without an exit status")?;
    Ok(Output {
        exit,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}
