//! Runs a workflow: each step as soon as what it depends on is over.

mod at_gate;
mod entry;
mod input;
mod items;
mod one;
mod repeat;
mod timed;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, SkipReason, StepFailure, StepOutcome, StepResult};
use crate::strategy::{OnFailure, StopReason, may_begin, overdrawn, stops};
use crate::workflow::compiled::{Compiled, CompiledStep, Condition, Place, Source, Work};
use crate::workflow::expression::Readings;
use crate::workflow::gate::Gates;
use crate::workflow::progress::{Progress, ProgressEvent, ProgressKind};
use crate::workflow::reference::at_path;
use crate::workflow::report::WorkflowReport;
use crate::workflow::spec::{Join, StepOnFailure};

use input::{Prepared, taken};
pub(super) use one::is_true;
use one::{Ended, Job};
use repeat::LoopReads;
pub(super) use timed::Timed;

async fn drive(
    workflow: &Compiled,
    context: &OrchestrationContext,
    input: Value,
) -> WorkflowReport {
    let started = Instant::now();
    // A failure that ends the run cancels what runs, and not the caller's context.
    let cancels = workflow.fail_fast
        || workflow
            .steps
            .iter()
            .any(|step| step.on_failure == StepOnFailure::Stop);
    let own = cancels.then(|| context.branch());
    let within = own.as_ref().unwrap_or(context);
    let mut run = Run::new(workflow, context, &input);
    run.tell(ProgressKind::Began);
    if let Err(misfit) = workflow.takes.check(&input) {
        run.refuse(&misfit.to_string());
    }
    let mut running = FuturesUnordered::new();
    let mut at_work = 0;
    loop {
        while at_work < workflow.at_most {
            let Some(Reverse(step)) = run.ready.pop() else {
                break;
            };
            match run.begin(step) {
                Err(result) => run.settle(Ended {
                    step,
                    result: *result,
                    items: Vec::new(),
                    was_gate: true,
                }),
                Ok(job) => {
                    at_work += usize::from(!matches!(job, Job::Gate { .. }));
                    running.push(one::run(workflow, within, step, job));
                }
            }
            consume_budget().await;
        }
        let Some(ended) = running.next().await else {
            break;
        };
        at_work -= usize::from(!ended.was_gate);
        run.settle(ended);
        if matches!(run.stopped, Some(StopReason::FailedFast { .. })) {
            within.cancel_branch(context);
        }
        consume_budget().await;
    }
    drop(running);
    run.finished(started)
}

/// A run as it is.
struct Run<'a> {
    workflow: &'a Compiled,
    context: &'a OrchestrationContext,
    input: &'a Value,
    progress: Option<&'a Progress>,
    gates: &'a Gates,
    /// How many of the steps that each one depends on are not over.
    open: Vec<usize>,
    /// The first declared comes first.
    ready: BinaryHeap<Reverse<usize>>,
    results: Vec<Option<StepResult>>,
    items: BTreeMap<String, Vec<StepResult>>,
    done: usize,
    stopped: Option<StopReason>,
}

impl<'a> Run<'a> {
    fn new(workflow: &'a Compiled, context: &'a OrchestrationContext, input: &'a Value) -> Self {
        let open: Vec<usize> = workflow.steps.iter().map(|step| step.needs.len()).collect();
        let ready = open.iter().enumerate().filter(|(_, open)| **open == 0);
        let mut results = Vec::new();
        results.resize_with(open.len(), || None);
        Self {
            workflow,
            context,
            input,
            progress: context.get(),
            gates: context.get().unwrap_or(&workflow.gates),
            ready: ready.map(|(step, _)| Reverse(step)).collect(),
            open,
            results,
            items: BTreeMap::new(),
            done: 0,
            stopped: None,
        }
    }

    fn tell(&self, kind: ProgressKind) {
        if let Some(progress) = self.progress {
            progress.tell(ProgressEvent {
                workflow: self.workflow.name.clone(),
                request: self.context.request().as_str().to_owned(),
                done: self.done,
                total: self.results.len(),
                kind,
            });
        }
    }

    /// Nothing runs on an input that does not fit: the steps that wait for nothing fail, and so the rest is skipped.
    fn refuse(&mut self, misfit: &str) {
        let text = format!(
            "the input of workflow {} does not fit: {misfit}",
            self.workflow.name
        );
        while let Some(Reverse(step)) = self.ready.pop() {
            let failure = StepFailure::new(ErrorCategory::Invalid, text.clone());
            let result = StepResult::failed(failure).with_attempts(0);
            self.results[step] = Some(result);
            self.done += 1;
            self.stopped = Some(StopReason::FailedFast {
                step: self.workflow.steps[step].name.clone(),
            });
        }
        for step in 0..self.results.len() {
            if self.results[step].is_none() {
                let reason = self
                    .stopped
                    .as_ref()
                    .map_or(SkipReason::NotNeeded, StopReason::skips);
                self.results[step] = Some(reason.into());
                self.done += 1;
            }
        }
    }

    /// What is read from a step; `None` when it gave nothing.
    fn output(&self, step: usize) -> Option<&Value> {
        let result = self.results[step].as_ref()?;
        match result.outcome() {
            StepOutcome::Success { data } => Some(data),
            StepOutcome::Failure { .. } => self.workflow.steps[step].fallback.as_ref(),
            StepOutcome::Skipped { .. } => None,
        }
    }

    fn root(&self, place: Place) -> Option<&Value> {
        match place {
            Place::Input => Some(self.input),
            Place::Step(step) => self.output(step),
            Place::Item | Place::Index | Place::Last | Place::Iteration => None,
        }
    }

    fn read(&self, source: &Source) -> Option<&Value> {
        at_path(self.root(source.place)?, &source.fields)
    }

    /// Whether those who depend on the step may take it as done.
    fn counts(&self, step: usize) -> bool {
        let of = &self.workflow.steps[step];
        let result = self.results[step].as_ref();
        result.is_some_and(|r| r.is_success() || (r.failure().is_some() && of.tolerates()))
    }

    /// Why a step whose dependencies are over does not run because of them.
    fn held_back(&self, of: &CompiledStep) -> Option<SkipReason> {
        let missing = match of.join {
            Join::Done => None,
            Join::All => of.needs.iter().find(|need| !self.counts(**need)),
            Join::Any if of.needs.iter().any(|need| self.counts(*need)) => None,
            Join::Any => of.needs.first(),
        };
        let need = *missing?;
        let step = self.workflow.steps[need].name.clone();
        let result = self.results[need].as_ref()?;
        Some(match result.skip_reason() {
            None => SkipReason::DependencyFailed { step },
            // What ended the run is why everything behind did not run.
            Some(
                reason @ (SkipReason::BudgetExhausted { .. }
                | SkipReason::DeadlinePassed
                | SkipReason::Cancelled
                | SkipReason::FailedFast { .. }),
            ) => reason.clone(),
            Some(_) => SkipReason::DependencySkipped { step },
        })
    }

    /// What a step has to do, or what became of it without doing anything.
    fn begin(&mut self, step: usize) -> Result<Job, Box<StepResult>> {
        let of = &self.workflow.steps[step];
        let skipped = |reason: SkipReason| Box::new(StepResult::skipped(reason));
        let failed = |failure| Box::new(StepResult::failed(failure).with_attempts(0));
        if let Some(reason) = self.held_back(of) {
            return Err(skipped(reason));
        }
        may_begin(self.context, 0, &mut self.stopped).map_err(skipped)?;
        if let Some(when) = &of.when {
            match self.holds(when) {
                Ok(true) => {}
                Ok(false) => return Err(skipped(SkipReason::ConditionFalse)),
                Err(failure) => return Err(failed(failure)),
            }
        }
        let job = self.job(of).map_err(failed)?;
        self.tell(ProgressKind::Started {
            step: of.name.clone(),
        });
        match job {
            Ready::Job(job) => {
                if let Job::Gate { open, .. } = &job {
                    self.tell(ProgressKind::Waiting {
                        step: of.name.clone(),
                        gate: open.id,
                    });
                }
                Ok(job)
            }
            Ready::Given(value) => Err(Box::new(StepResult::success(value))),
        }
    }

    fn job(&self, of: &CompiledStep) -> Result<Ready, StepFailure> {
        let input = Prepared::of(&of.input, |place| self.root(place));
        let work = match &of.work {
            Work::Step(work) => Some(work.clone()),
            _ => None,
        };
        if let Some(each) = &of.each {
            let items = items::items(of, self.read(&each.list))?;
            return Ok(Ready::Job(Job::Each { work, input, items }));
        }
        if let Some(repeat) = &of.repeat {
            let reads = self.loop_reads(&repeat.condition);
            return Ok(Ready::Job(Job::Repeat { work, input, reads }));
        }
        let input = input.whole();
        taken(of, &input)?;
        Ok(match (&of.work, work) {
            (Work::Gate(plan), _) => {
                let (open, deadline) =
                    at_gate::opened(self.gates, self.workflow, self.context, of, plan, input)?;
                Ready::Job(Job::Gate {
                    open,
                    plan: plan.clone(),
                    deadline,
                })
            }
            (_, Some(work)) => Ready::Job(Job::Once { work, input }),
            (_, None) => Ready::Given(input),
        })
    }

    fn status(&self, step: usize) -> &'static str {
        match self.results[step].as_ref().map(StepResult::outcome) {
            Some(StepOutcome::Success { .. }) => "success",
            Some(StepOutcome::Failure { .. }) => "failure",
            Some(StepOutcome::Skipped { .. }) => "skipped",
            None => "waiting",
        }
    }

    fn loop_reads(&self, condition: &Condition) -> LoopReads {
        let steps = condition.steps.iter();
        let status = condition.status.iter();
        LoopReads {
            input: match condition.parsed.uses().input {
                true => self.input.clone(),
                false => Value::Null,
            },
            steps: steps
                .filter_map(|step| Some((*step, self.output(*step)?.clone())))
                .collect(),
            status: status.map(|step| (*step, self.status(*step))).collect(),
        }
    }

    fn holds(&self, condition: &Condition) -> Result<bool, StepFailure> {
        let steps = condition.steps.iter().filter_map(|step| {
            let of = &self.workflow.steps[*step];
            Some((of.name.as_str(), &of.seen, self.output(*step)?))
        });
        let status = condition.status.iter();
        let status = status.map(|s| (self.workflow.steps[*s].name.as_str(), self.status(*s)));
        let readings = Readings {
            input: (&self.workflow.takes, self.input),
            steps: steps.collect(),
            status: status.collect(),
            iteration: None,
        };
        is_true(self.workflow, &condition.parsed, &readings)
    }

    /// Keeps what became of a step, and makes ready what waited for it only.
    fn settle(&mut self, ended: Ended) {
        let of = &self.workflow.steps[ended.step];
        self.done += 1;
        if self.progress.is_some() {
            let (step, duration) = (of.name.clone(), ended.result.duration());
            self.tell(match ended.result.outcome() {
                StepOutcome::Success { .. } => ProgressKind::Succeeded { step, duration },
                StepOutcome::Failure { failure } => {
                    let failure = failure.to_string();
                    ProgressKind::Failed {
                        step,
                        duration,
                        failure,
                    }
                }
                StepOutcome::Skipped { skipped } => {
                    let reason = skipped.clone();
                    ProgressKind::Skipped { step, reason }
                }
            });
        }
        if self.stopped.is_none() && !matches!(ended.result.skip_reason(), Some(r) if is_of_step(r))
        {
            let fast = self.workflow.fail_fast && !of.tolerates();
            let on_failure =
                match fast || of.on_failure == StepOnFailure::Stop && of.fallback.is_none() {
                    true => OnFailure::FailFast,
                    false => OnFailure::GoOn,
                };
            self.stopped = stops(self.context, on_failure, &of.name, &ended.result);
        }
        if of.each.is_some() {
            self.items.insert(of.name.clone(), ended.items);
        }
        self.results[ended.step] = Some(ended.result);
        for dependent in &of.dependents {
            self.open[*dependent] -= 1;
            if self.open[*dependent] == 0 {
                self.ready.push(Reverse(*dependent));
            }
        }
    }

    fn finished(self, started: Instant) -> WorkflowReport {
        let outputs = self.workflow.outputs.iter();
        let outputs = outputs.map(|(name, source)| {
            (
                name.clone(),
                self.read(source).cloned().unwrap_or(Value::Null),
            )
        });
        let outputs = outputs.collect();
        let stopped = self.stopped.clone().or_else(|| overdrawn(self.context));
        let progress = self.progress;
        let end = ProgressEvent {
            workflow: self.workflow.name.clone(),
            request: self.context.request().as_str().to_owned(),
            done: self.done,
            total: self.results.len(),
            kind: ProgressKind::Began,
        };
        let results = self.results.into_iter().flatten();
        let report = WorkflowReport::new(
            self.workflow,
            results.collect(),
            self.items,
            outputs,
            stopped,
            started.elapsed(),
        );
        if let Some(progress) = progress {
            let kind = ProgressKind::Ended {
                success: report.is_success(),
            };
            progress.tell(ProgressEvent { kind, ..end });
        }
        report
    }
}

/// A job, or what a step gives at once.
enum Ready {
    Job(Job),
    Given(Value),
}

/// Whether a reason is about this step, and says nothing about the run.
const fn is_of_step(reason: &SkipReason) -> bool {
    matches!(
        reason,
        SkipReason::ConditionFalse
            | SkipReason::DependencyFailed { .. }
            | SkipReason::DependencySkipped { .. }
            | SkipReason::NotNeeded
            | SkipReason::Declined { .. }
    )
}
