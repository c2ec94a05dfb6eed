//! The conductor's end of an agent's standard input, on a machine that exitlab did not
//! boot: the task, then a sign of life every few seconds (`agent/leash.rs`).

use std::io::{PipeWriter, Write};
use std::time::Instant;

use exitlab_base::error::{Error, Result};
use exitlab_model::order::{BEAT, END, Task};

/// Holds an agent; letting go of it ends the agent.
#[derive(Debug)]
pub struct Leash {
    pipe: PipeWriter,
    beaten: Instant,
}

impl Leash {
    /// Gives the agent its task.
    pub fn hold(mut pipe: PipeWriter, task: &Task) -> Result<Leash> {
        let mut line =
            serde_json::to_vec(task).map_err(Error::json("write", "the agent's task"))?;
        line.push(b'\n');
        // An agent that is gone already is noticed by its end, which has better words.
        let _ = pipe.write_all(&line);
        Ok(Leash {
            pipe,
            beaten: Instant::now(),
        })
    }

    /// Asks the agent for its good end.
    pub fn end(&mut self) {
        let _ = self.pipe.write_all(format!("{END}\n").as_bytes());
    }

    /// Gives a sign of life when it is time.
    pub fn tend(&mut self) {
        if self.beaten.elapsed() >= BEAT {
            self.beaten = Instant::now();
            let _ = self.pipe.write_all(b"\n");
        }
    }
}
