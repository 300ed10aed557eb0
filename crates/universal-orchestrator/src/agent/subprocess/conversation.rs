//! One process, from its start to its end.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until};

use crate::agent::subprocess::SubprocessAgent;
use crate::agent::subprocess::fault::SubprocessFault;
use crate::agent::subprocess::pipes::{Heard, LineReader, RequestPipe, StderrTail};
use crate::agent::subprocess::protocol::{Answer, quote};
use crate::agent::{AgentError, TaskContext};

/// How long a process may go on without its stdout, and the pipes of one that is gone are read.
///
/// The latter stay open when the process left others behind. The time is only there to get out of the way of a busy machine.
const PIPE_GRACE: Duration = Duration::from_millis(500);

/// One process at work on one attempt.
pub(super) struct Conversation<'a> {
    agent: &'a SubprocessAgent,
    context: &'a TaskContext,
    child: Child,
    request: RequestPipe<ChildStdin>,
    stdout: LineReader<ChildStdout>,
    stderr: StderrTail<ChildStderr>,
    outcome: Option<Result<Value, AgentError>>,
    status: Option<ExitStatus>,
    is_cancelled: bool,
    /// When the process is killed.
    kill_at: Option<Instant>,
    /// When the pipes of a process that is gone are given up.
    leave_at: Option<Instant>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        agent: &'a SubprocessAgent,
        context: &'a TaskContext,
        mut child: Child,
        request: Vec<u8>,
    ) -> Self {
        Self {
            request: RequestPipe::new(child.stdin.take(), request),
            stdout: LineReader::new(child.stdout.take(), agent.line_bytes_max),
            stderr: StderrTail::new(child.stderr.take()),
            agent,
            context,
            child,
            outcome: None,
            status: None,
            is_cancelled: false,
            kill_at: None,
            leave_at: None,
        }
    }

    /// Serves the pipes until the process is gone; kills it when its time is over.
    pub(super) async fn hold(mut self) -> Result<Value, AgentError> {
        while !self.is_over() {
            // A process that prints without end can starve what stands below stdout, so what ends it stands above.
            tokio::select! {
                biased;
                () = reached(self.kill_at) => break,
                () = self.context.cancellation().cancelled(), if !self.is_cancelled => self.cancel(),
                heard = self.stdout.next(), if self.stdout.is_open() => self.hear(heard),
                () = self.stderr.read(), if self.stderr.is_open() => {}
                () = self.request.write(), if self.request.is_open() => {}
                status = self.child.wait(), if self.status.is_none() => self.exited(status),
                () = reached(self.leave_at) => break,
            }
        }
        if self.status.is_none() {
            self.stop().await;
        }
        match self.outcome.take() {
            Some(outcome) => outcome,
            None => Err(self.agent.error(self.fault())),
        }
    }

    /// Whether the process is gone and nothing that it printed matters any more.
    const fn is_over(&self) -> bool {
        let is_heard = !self.stdout.is_open() && !self.stderr.is_open();
        self.status.is_some() && (self.outcome.is_some() || is_heard)
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        self.request.close();
        self.kill_within(self.agent.kill_after);
    }

    fn hear(&mut self, heard: Heard) {
        let fault = match heard {
            Heard::Line(line) => match serde_json::from_slice(&line) {
                Ok(answer) => return self.answer(answer),
                Err(source) => SubprocessFault::ForeignLine {
                    quote: quote(&line),
                    source,
                },
            },
            Heard::TooLong => SubprocessFault::LineTooLong {
                max: self.agent.line_bytes_max,
            },
            Heard::Failed(source) => SubprocessFault::Unobservable {
                what: "stdout",
                source,
            },
            Heard::Closed if self.status.is_none() => {
                return self.kill_within(self.agent.kill_after.max(PIPE_GRACE));
            }
            Heard::Closed => return,
        };
        self.break_off(self.agent.error(fault));
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Progress(value) => self.context.progress(value),
            Answer::Charge(amount) => {
                if let Err(refusal) = self.context.charge(amount) {
                    self.break_off(refusal.into());
                }
            }
            Answer::Result(value) => self.end(Ok(value)),
            Answer::Error(error) if error.retryable => {
                self.end(Err(AgentError::retryable(error.message)));
            }
            Answer::Error(error) => self.end(Err(AgentError::permanent(error.message))),
        }
    }

    /// The process said how it ended; it may put its things in order.
    fn end(&mut self, outcome: Result<Value, AgentError>) {
        self.outcome = Some(outcome);
        self.request.close();
        self.stdout.discard_rest();
        self.kill_within(self.agent.kill_after);
    }

    /// The process must not go on.
    fn break_off(&mut self, error: AgentError) {
        self.end(Err(error));
        self.kill_within(Duration::ZERO);
    }

    fn exited(&mut self, status: io::Result<ExitStatus>) {
        match status {
            Ok(status) => {
                self.status = Some(status);
                self.kill_at = None;
                self.leave_at = Some(Instant::now() + PIPE_GRACE);
            }
            Err(source) => self.break_off(self.agent.error(SubprocessFault::Unobservable {
                what: "end",
                source,
            })),
        }
    }

    fn kill_within(&mut self, time: Duration) {
        // A time that the clock cannot hold is no limit.
        if let Some(at) = Instant::now().checked_add(time) {
            self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
        }
    }

    /// Kills the process unless it ended this moment, and waits until it is gone.
    async fn stop(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.status = Some(status);
            return;
        }
        if let Err(error) = self.child.kill().await {
            tracing::error!(program = %self.agent.program.display(), %error, "process could not be killed");
        }
    }

    fn fault(&self) -> SubprocessFault {
        let stderr = self.stderr.text();
        match self.status {
            _ if self.is_cancelled => SubprocessFault::Cancelled,
            Some(status) if status.success() => SubprocessFault::Silent { stderr },
            Some(status) => SubprocessFault::Exit { status, stderr },
            None => SubprocessFault::WentOn {
                waited: self.agent.kill_after.max(PIPE_GRACE),
                stderr,
            },
        }
    }
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
