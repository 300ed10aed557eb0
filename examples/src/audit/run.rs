//! The audit on the orchestrator: agents, tasks, retries, interruption.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use universal_orchestrator::{
    Agent, AgentError, AgentRole, AgentSpec, NotRetained, OrchestratorConfig, Priority, Refusal,
    Refused, RegisterRefused, StartError, Task, TaskContext, TaskHandle, TaskId, TaskOutcome,
    TaskState, UniversalOrchestrator, agent_fn,
};

use super::{
    AuditError, Books, Capability, Done, Job, Outcome, PriorityClass, Report, ReportBuilder, Tree,
    first_wave, roster, second_wave,
};

/// Tasks that may wait in the orchestrator's queue; whoever submits waits for room.
const QUEUED_MAX: usize = 2_000;

/// Handles that may wait to be read, in the order of submission.
const HANDLES_MAX: usize = 4_000;

/// Outcomes that the orchestrator has to retain so that each can be read in its turn.
///
/// A handle does not hold its outcome, and one that was read goes on being retained. While a task waits to
/// be read, those before it in the line and as many behind it may end; to each line comes the handle of
/// whoever submits and the one of whoever reads.
const OUTCOMES_MAX: usize = 2 * (HANDLES_MAX + 2);

/// What one file of a comparison takes up in a payload, with room to spare.
const PAYLOAD_BYTES_PER_FILE: usize = 256;

type Analyse = dyn Fn(&Job, &Tree) -> Result<Outcome, AuditError> + Send + Sync;

/// An audit that is ready to run.
pub struct Audit {
    tree: Arc<Tree>,
    agents: usize,
    at_once: usize,
    analyse: Arc<Analyse>,
}

/// Why an audit could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The orchestrator did not start.
    #[error("failed to start the orchestrator")]
    Start(#[from] StartError),
    /// An agent was not registered.
    #[error(transparent)]
    Register(#[from] Box<RegisterRefused>),
    /// A task was not accepted.
    #[error(transparent)]
    Submit(#[from] Box<Refused>),
    /// A task ended and its outcome was forgotten.
    #[error(transparent)]
    Lost(#[from] NotRetained),
    /// A job is not JSON.
    #[error("failed to write a job as JSON")]
    Payload(#[from] serde_json::Error),
}

/// What came of an audit. It serialises to what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What the agents found and how long it took them.
    #[serde(flatten)]
    pub report: Report,
    /// The orchestrator's own counts.
    pub orchestrator: Books,
    /// Tasks that an interrupt cancelled; the report leaves them out.
    pub cancelled: u64,
    /// Tasks that an interrupt kept from being submitted; more would have followed from their results.
    pub not_submitted: u64,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// Tasks that could be at work at the same time.
    pub at_once: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        if self.interrupted {
            writeln!(
                f,
                "\nInterrupted: {} tasks were done, {} were cancelled and {} not submitted any more.\n\
                 The report covers what was done, so its sums are not those of the whole tree.",
                HumanCount(self.report.tasks),
                HumanCount(self.cancelled),
                HumanCount(self.not_submitted),
            )?;
        } else {
            self.report.write_checks(f)?;
        }
        writeln!(
            f,
            "\nThe orchestrator's own books:\n  {}",
            self.orchestrator
        )
    }
}

/// What an agent returns: the outcome, and how long it really worked for it.
#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    busy: Duration,
    outcome: Outcome,
}

/// Working time of attempts that failed: an error has no room for it.
#[derive(Debug, Default)]
struct FailedAttempts(Mutex<HashMap<TaskId, Duration>>);

impl FailedAttempts {
    fn add(&self, task: &TaskId, busy: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(task.clone()).or_default() += busy;
    }

    fn take(&self, task: &TaskId) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(task).unwrap_or_default()
    }
}

impl Audit {
    /// An audit of `tree` by `agents` agents, of which `at_once` may be at work at the same time.
    #[must_use]
    pub fn new(tree: Arc<Tree>, agents: usize, at_once: usize) -> Self {
        Self {
            tree,
            agents,
            at_once: at_once.max(1),
            analyse: Arc::new(Job::run),
        }
    }

    /// Does the jobs in another way: what tests of failing files want.
    #[must_use]
    pub fn analyse_with(
        mut self,
        analyse: impl Fn(&Job, &Tree) -> Result<Outcome, AuditError> + Send + Sync + 'static,
    ) -> Self {
        self.analyse = Arc::new(analyse);
        self
    }

    /// Starts an orchestrator, registers the agents, sends every file through all of them, and sums up.
    ///
    /// When `interrupt` completes, what is queued or at work is cancelled, and the report covers the rest.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the orchestrator refuses what it should take. A file that cannot be read is in the
    /// report instead.
    pub async fn run(
        self,
        bar: &ProgressBar,
        top: usize,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Summary, RunError> {
        let orchestrator = UniversalOrchestrator::start(self.config()).await?;
        let roster = roster(self.agents);
        let failed_attempts = Arc::new(FailedAttempts::default());
        let agent: Arc<dyn Agent> = Arc::new(self.agent(Arc::clone(&failed_attempts)));
        for one in &roster {
            let capabilities = one.capabilities.iter().map(|one| one.as_str());
            let spec = AgentSpec::new(&one.id, AgentRole::Specialist)
                .capabilities(capabilities)
                .in_process_shared(Arc::clone(&agent));
            orchestrator.register_agent(spec).await.map_err(Box::new)?;
        }

        let begun = Instant::now();
        let mut wave = Wave {
            orchestrator: &orchestrator,
            failed_attempts: &failed_attempts,
            bar,
            builder: ReportBuilder::new(Arc::clone(&self.tree), roster),
            cancelled: 0,
            interrupted: false,
        };
        let mut interrupt = std::pin::pin!(interrupt);
        let mut planned = first_wave(&self.tree).len() as u64;
        wave.run(first_wave(&self.tree), interrupt.as_mut()).await?;
        if !wave.interrupted {
            let jobs = second_wave(wave.builder.hashed_files());
            bar.inc_length(jobs.len() as u64);
            planned += jobs.len() as u64;
            wave.run(jobs.into_iter(), interrupt).await?;
        }
        bar.finish_and_clear();
        let orchestrator_books = Books::of(&orchestrator.status());
        let summary = Summary {
            cancelled: wave.cancelled,
            not_submitted: planned.saturating_sub(orchestrator_books.accepted),
            interrupted: wave.interrupted,
            report: wave.builder.finish(begun.elapsed(), top),
            orchestrator: orchestrator_books,
            at_once: self.at_once,
        };
        orchestrator.shutdown().await;
        Ok(summary)
    }

    fn config(&self) -> OrchestratorConfig {
        let mut config = OrchestratorConfig::default();
        config.max_agents = config.max_agents.max(self.agents);
        config.max_concurrent_tasks = self.at_once;
        config.queue.max_tasks = QUEUED_MAX;
        config.tasks.retained_results_max = OUTCOMES_MAX;
        let comparison = self.tree.files().len() * PAYLOAD_BYTES_PER_FILE;
        config.tasks.payload_bytes_max = config.tasks.payload_bytes_max.max(comparison);
        config.tasks.result_bytes_max = config.tasks.result_bytes_max.max(comparison);
        config
    }

    /// The agent that all of the roster share: what it does depends on the task.
    fn agent(&self, failed_attempts: Arc<FailedAttempts>) -> impl Agent + use<> {
        let (tree, analyse) = (Arc::clone(&self.tree), Arc::clone(&self.analyse));
        agent_fn(move |job: Job, context: TaskContext| {
            let (tree, analyse) = (Arc::clone(&tree), Arc::clone(&analyse));
            let failed_attempts = Arc::clone(&failed_attempts);
            async move {
                let work = move || {
                    let begun = Instant::now();
                    let result = analyse(&job, &tree);
                    (result, begun.elapsed())
                };
                let (result, busy) = unblocked(work).await?;
                match result {
                    Ok(outcome) => Ok(Finding { busy, outcome }),
                    Err(error) => {
                        failed_attempts.add(context.task_id(), busy);
                        Err(agent_error(&error))
                    }
                }
            }
        })
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("tree", &self.tree.root())
            .field("agents", &self.agents)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

/// Runs work that blocks on a thread made for that, so that the orchestrator's own tasks go on.
///
/// Over the 23,600 files of a cargo registry, four at once on two processors that others used too, this
/// took 14 s, `block_in_place` 19 s (though less processor time), and blocking the workers 21 s.
async fn unblocked<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AgentError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => AgentError::permanent("the runtime is going down").with_source(error),
    })
}

fn agent_error(error: &AuditError) -> AgentError {
    if error.is_temporary() {
        AgentError::retryable(error.to_string())
    } else {
        AgentError::permanent(error.to_string())
    }
}

fn task(job: &Job) -> Result<Task, serde_json::Error> {
    let capability: Capability = job.capability();
    let priority = match capability.priority() {
        PriorityClass::High => Priority::High,
        PriorityClass::Medium => Priority::Medium,
        PriorityClass::Low => Priority::Low,
    };
    Ok(Task::new("audit")
        .requires([capability.as_str()])
        .priority(priority)
        .payload(serde_json::to_value(job)?))
}

/// Jobs that do not depend on each other, on their way through the orchestrator.
struct Wave<'a> {
    orchestrator: &'a UniversalOrchestrator,
    failed_attempts: &'a FailedAttempts,
    bar: &'a ProgressBar,
    builder: ReportBuilder,
    cancelled: u64,
    interrupted: bool,
}

impl Wave<'_> {
    async fn run(
        &mut self,
        jobs: impl Iterator<Item = Job>,
        interrupt: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let orchestrator = self.orchestrator;
        let (handles, ends) = mpsc::channel(HANDLES_MAX);
        let work =
            async { tokio::try_join!(submit(orchestrator, jobs, handles), self.collect(ends)) };
        let mut work = Box::pin(work);
        tokio::select! {
            biased;
            done = work.as_mut() => return done.map(drop),
            () = interrupt => {}
        }
        // Cancels what is queued or at work and refuses the rest, so that both halves come to their end.
        orchestrator.shutdown_within(Duration::ZERO).await;
        work.await?;
        self.interrupted = true;
        Ok(())
    }

    async fn collect(
        &mut self,
        mut ends: mpsc::Receiver<(Job, TaskHandle)>,
    ) -> Result<(), RunError> {
        while let Some((job, handle)) = ends.recv().await {
            self.record(&job, handle.outcome().await?);
        }
        Ok(())
    }

    fn record(&mut self, job: &Job, outcome: TaskOutcome) {
        let lost = if outcome.attempts() > 1 || !outcome.is_success() {
            self.failed_attempts.take(outcome.task())
        } else {
            Duration::ZERO
        };
        if outcome.state() == TaskState::Cancelled {
            self.cancelled += 1;
            return;
        }
        self.bar.inc(1);
        let (agent, attempts) = (outcome.agent().cloned(), outcome.attempts());
        let finding = outcome
            .into_result()
            .map_err(|failure| failure.message().to_owned())
            .and_then(|value| {
                serde_json::from_value::<Finding>(value).map_err(|error| error.to_string())
            });
        let busy = finding
            .as_ref()
            .map_or(Duration::ZERO, |finding| finding.busy);
        self.builder.record(Done {
            job,
            agent: agent.as_ref().map(|agent| agent.as_str()),
            busy: busy + lost,
            attempts,
            result: finding.map(|finding| finding.outcome),
        });
    }
}

/// Queues one task for each job, waits for room in the queue, and hands the handles on.
async fn submit(
    orchestrator: &UniversalOrchestrator,
    jobs: impl Iterator<Item = Job>,
    handles: mpsc::Sender<(Job, TaskHandle)>,
) -> Result<(), RunError> {
    for job in jobs {
        let handle = match orchestrator.submit_task_wait(task(&job)?).await {
            Ok(handle) => handle,
            Err(refused) if matches!(refused.reason(), Refusal::ShuttingDown) => return Ok(()),
            Err(refused) => return Err(Box::new(refused).into()),
        };
        if handles.send((job, handle)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
