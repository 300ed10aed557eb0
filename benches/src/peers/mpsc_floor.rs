//! An agent that is a task with a mailbox, by hand: what every actor library builds on.

use tokio::sync::{mpsc, oneshot};

use crate::RoundTrip;

/// Room for every call in flight in each mailbox, so that no caller ever waits for room.
const MAILBOX: usize = 256;

type Call = (u64, oneshot::Sender<u64>);

/// Sends each call to the next of the agents in turn, without regard to load, capability or priority.
#[derive(Debug, Clone)]
pub struct MpscFloor {
    agents: Vec<mpsc::Sender<Call>>,
    next: usize,
}

impl MpscFloor {
    /// Starts the agents. Runs inside the runtime.
    #[must_use]
    pub fn setup(agents: usize) -> Self {
        Self {
            agents: (0..agents).map(|_| start_agent()).collect(),
            next: 0,
        }
    }
}

fn start_agent() -> mpsc::Sender<Call> {
    let (sender, mut mailbox) = mpsc::channel::<Call>(MAILBOX);
    tokio::spawn(async move {
        while let Some((input, reply)) = mailbox.recv().await {
            // A caller that no longer waits needs no answer.
            let _ = reply.send(input);
        }
    });
    sender
}

impl RoundTrip for MpscFloor {
    async fn call(&mut self, input: u64) -> u64 {
        self.next = (self.next + 1) % self.agents.len();
        let (reply, answer) = oneshot::channel();
        self.agents[self.next]
            .send((input, reply))
            .await
            .expect("the agents live as long as the runtime");
        answer.await.expect("an agent answers")
    }
}
