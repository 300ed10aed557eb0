//! An agent made of any program: one process per attempt, JSON lines over its pipes.

mod conversation;
mod fault;
mod pipes;
mod protocol;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::agent::subprocess::conversation::Conversation;
use crate::agent::subprocess::fault::{SubprocessFault, shell_code};
use crate::agent::subprocess::protocol::request_line;
use crate::agent::{Agent, AgentError, TaskContext};

const LINE_BYTES_MAX: usize = 1_048_576;
const KILL_AFTER: Duration = Duration::from_millis(500);
/// `EX_TEMPFAIL` of sysexits.h: "temporary failure, user is invited to retry".
const TEMPORARY_FAILURE: i32 = 75;

/// Makes an agent of a program: each attempt starts a process, writes one line of JSON to its stdin, and reads lines of JSON from its stdout.
///
/// The request is `{"task", "type", "attempt", "payload", "deadline_ms", "metadata"}`; stdin is closed after it.
/// The program answers with any number of `{"progress": …}` and `{"charge": {…}}`, then with `{"result": …}` or `{"error": {"message": "…", "retryable": true}}`.
/// Any other line on stdout is a permanent error, so what is meant for people goes to stderr, of which errors quote the end.
/// `docs/subprocess-agents.md` describes the protocol.
///
/// A result counts whatever the exit code. Without a result, the exit code decides: see [`retry_exit_codes`](Self::retry_exit_codes).
///
/// The process is in a process group of its own, so that Ctrl-C in a terminal reaches the orchestrator alone.
/// It inherits the environment, secrets included, unless [`env_clear`](Self::env_clear) is called.
/// Only the process itself is ever killed: one that starts others has to end them, for example by `exec` in a shell.
///
/// # Cancel safety
/// The process is killed when the attempt's future is dropped, and reaped by tokio some time later.
///
/// # Examples
/// ```
/// use universal_orchestrator::{AgentRole, AgentSpec, SubprocessAgent, Task, UniversalOrchestrator};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = r#"
///     bytes=$(wc -c)
///     echo '{"progress": "request was read"}'
///     echo "{\"result\": {\"more_than_nothing\": $((bytes > 0))}}"
/// "#;
/// let counter = SubprocessAgent::new("sh").args(["-c", script]);
/// let orchestrator = UniversalOrchestrator::builder().without_linked_plugins().start().await?;
/// orchestrator
///     .register_agent(AgentSpec::new("counter", AgentRole::Worker).capabilities(["count"]).in_process(counter))
///     .await?;
/// let outcome = orchestrator.execute(Task::new("counting").requires(["count"]).payload("text")).await?;
/// assert_eq!(outcome.into_result()?, serde_json::json!({"more_than_nothing": 1}));
/// # Ok(())
/// # }
/// ```
#[must_use = "an agent does nothing until it is registered"]
#[derive(Clone)]
pub struct SubprocessAgent {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    env_clear: bool,
    current_dir: Option<PathBuf>,
    line_bytes_max: usize,
    retry_exit_codes: Vec<i32>,
    kill_after: Duration,
}

impl SubprocessAgent {
    /// An agent that runs a program, named by its path or looked up in `PATH`, without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_clear: false,
            current_dir: None,
            line_bytes_max: LINE_BYTES_MAX,
            retry_exit_codes: vec![TEMPORARY_FAILURE],
            kill_after: KILL_AFTER,
        }
    }

    /// With one more argument. No shell reads it.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With an environment variable. `Debug` shows its name only.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Without the orchestrator's own environment; what [`env`](Self::env) gives stays, whichever is called first.
    ///
    /// `PATH` is gone too, so name the program by its full path or give a `PATH`.
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self
    }

    /// The directory in which the program runs; unset: the orchestrator's own.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(directory.into());
        self
    }

    /// The longest line that the program may print, in bytes without the newline; 1 MiB unless said. A longer one kills the process and is a permanent error.
    pub const fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.line_bytes_max = bytes;
        self
    }

    /// The exit codes after which another attempt may succeed, instead of the default `[75]` (`EX_TEMPFAIL`).
    ///
    /// They matter only when the program ended without `result` and `error`. Every other exit code is permanent, and so is 0.
    /// A process killed by signal N counts as exit code 128 + N, as in a shell: permanent unless listed, 137 for `SIGKILL`.
    pub fn retry_exit_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.retry_exit_codes = codes.into_iter().collect();
        self
    }

    /// How long the process may go on after the task was cancelled or timed out, and after it gave its result or error, before it is killed; 500 ms unless said, 0 kills at once.
    ///
    /// Keep it below `tasks.cancel_grace_ms`: the future is dropped then, which kills the process too, but does not wait until it is gone.
    pub const fn kill_after(mut self, time: Duration) -> Self {
        self.kill_after = time;
        self
    }

    fn spawn(&self) -> Result<Child, SubprocessFault> {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        if self.env_clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.current_dir {
            command.current_dir(directory);
        }
        #[cfg(unix)]
        command.process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| SubprocessFault::of_spawn(error, self.current_dir.as_deref()))
    }

    /// Names the program; the fault itself is the error's source.
    fn error(&self, fault: SubprocessFault) -> AgentError {
        let message = format!("program `{}` failed", self.program.display());
        let is_retryable = match &fault {
            SubprocessFault::Exit { status, .. } => {
                shell_code(*status).is_some_and(|code| self.retry_exit_codes.contains(&code))
            }
            SubprocessFault::Exhausted(_) => true,
            _ => false,
        };
        if is_retryable {
            AgentError::retryable(message).with_source(fault)
        } else {
            AgentError::permanent(message).with_source(fault)
        }
    }
}

#[async_trait]
impl Agent for SubprocessAgent {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let request =
            request_line(&context).map_err(|error| self.error(SubprocessFault::Request(error)))?;
        let child = self.spawn().map_err(|fault| self.error(fault))?;
        Conversation::new(self, &context, child, request)
            .hold()
            .await
    }
}

impl fmt::Debug for SubprocessAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("SubprocessAgent")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env_names", &names)
            .field("env_clear", &self.env_clear)
            .field("current_dir", &self.current_dir)
            .field("line_bytes_max", &self.line_bytes_max)
            .field("retry_exit_codes", &self.retry_exit_codes)
            .field("kill_after", &self.kill_after)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_of_variables_and_no_values() {
        let agent = SubprocessAgent::new("sh").env("API_KEY", "hunter2");
        let text = format!("{agent:?}");
        assert!(
            text.contains("API_KEY") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
