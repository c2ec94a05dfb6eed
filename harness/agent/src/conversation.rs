//! A conversation with `exit-sampler` over one SSH channel: one line a request, one line an
//! answer.

use russh::{Channel, ChannelMsg, client};

use exitlab_base::bounded::Kept;

use crate::shell::{Conversation, End, Pending};
use crate::signals::number_of;

/// Longest line the sampler may send, bytes.
const LONGEST: usize = 64 * 1024;

/// Bytes of its complaints that are kept, of their beginning and of their end.
const COMPLAINT: usize = 1000;

/// The conversation.
pub struct OverSsh {
    channel: Channel<client::Msg>,
    /// What arrived after the last whole line.
    pending: Vec<u8>,
    /// What the sampler printed on standard error.
    complaint: Kept,
}

impl OverSsh {
    /// With the command that runs in `channel`.
    pub fn new(channel: Channel<client::Msg>) -> OverSsh {
        OverSsh {
            channel,
            pending: Vec::new(),
            complaint: Kept::new(COMPLAINT, COMPLAINT),
        }
    }

    fn ended(&self, end: End) -> String {
        let complaint = self.complaint.text();
        match complaint.trim() {
            "" => format!("exit-sampler ended without an answer ({end})"),
            complaint => format!("exit-sampler ended without an answer ({end}): {complaint}"),
        }
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
                    self.complaint.feed(&data);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    return Err(self.ended(End::Exit(exit_status)));
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    return Err(self.ended(End::Signal(number_of(&signal_name))));
                }
                Some(_) => {}
                None => return Err("the guest's SSH server went away".to_owned()),
            }
            if self.pending.len() > LONGEST {
                return Err(format!(
                    "exit-sampler sent more than {LONGEST} bytes without a line"
                ));
            }
        }
    }
}

impl Conversation for OverSsh {
    fn ask<'a>(&'a mut self, request: &'a str) -> Pending<'a, String> {
        Box::pin(async move {
            let line = format!("{request}\n").into_bytes();
            self.channel
                .data_bytes(line)
                .await
                .map_err(|e| format!("failed to ask exit-sampler '{request}': {e}"))?;
            self.line().await
        })
    }
}
