//! The functions and the agent that `workflows/log_triage.toml` names.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, RegisterRefused, TaskContext, UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_patterns::{Specialist, StepContext, StepFailure, StepLibrary};

/// The workflow.
pub const WORKFLOW: &str = include_str!("../workflows/log_triage.toml");

/// A made-up log of twenty minutes: `MINUTE SERVICE LEVEL TEXT`.
pub const LOG: &str = "\
0 cart INFO ready
1 checkout INFO ready
2 payment INFO ready
4 cart INFO added 3 items
6 payment ERROR card refused
9 checkout INFO order 17
12 cart WARN slow answer of 900 ms
15 payment ERROR no connection to the bank
15 payment ERROR no connection to the bank
16 checkout ERROR payment did not answer
16 payment ERROR no connection to the bank
17 payment ERROR no connection to the bank
18 payment ERROR no connection to the bank
19 cart INFO added 1 item
";

/// One line of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    minute: u64,
    service: String,
    level: String,
}

impl Line {
    fn is_error_of(&self, service: &str) -> bool {
        self.level == "ERROR" && self.service == service
    }
}

#[derive(Deserialize)]
struct Log {
    log: String,
}

#[derive(Serialize)]
struct Parsed {
    services: BTreeSet<String>,
    lines: Vec<Line>,
}

async fn parse(input: Log, _: StepContext) -> Result<Parsed, StepFailure> {
    let mut lines = Vec::new();
    for (number, text) in input.log.lines().enumerate() {
        let mut words = text.split(' ');
        let minute = words.next().and_then(|word| word.parse().ok());
        let (Some(minute), Some(service), Some(level)) = (minute, words.next(), words.next())
        else {
            let text = format!("line {} is not MINUTE SERVICE LEVEL TEXT", number + 1);
            return Err(StepFailure::permanent(text));
        };
        lines.push(Line {
            minute,
            service: service.to_owned(),
            level: level.to_owned(),
        });
    }
    let services = lines.iter().map(|line| line.service.clone()).collect();
    Ok(Parsed { services, lines })
}

#[derive(Deserialize)]
struct Asked {
    service: String,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    service: String,
    errors: u64,
    lines: u64,
}

async fn count(asked: Asked, _: TaskContext) -> Result<Counted, AgentError> {
    let all = asked.lines.iter();
    let errors = all.clone().filter(|line| line.is_error_of(&asked.service));
    let lines = all.filter(|line| line.service == asked.service);
    Ok(Counted {
        errors: errors.count() as u64,
        lines: lines.count() as u64,
        service: asked.service,
    })
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Worst {
    service: String,
    errors: u64,
    /// Of all errors.
    share: f64,
}

async fn worst(counted: Vec<Counted>, _: StepContext) -> Result<Worst, StepFailure> {
    let all: u64 = counted.iter().map(|one| one.errors).sum();
    // Of equals, the first by name.
    let most = counted.into_iter().rev().max_by_key(|one| one.errors);
    let most = most.ok_or_else(|| StepFailure::permanent("the log is empty"))?;
    Ok(Worst {
        share: most.errors as f64 / all.max(1) as f64,
        service: most.service,
        errors: most.errors,
    })
}

#[derive(Deserialize)]
struct Halve {
    /// The window before; none in the first iteration.
    minutes: Option<u64>,
    service: String,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Window {
    minutes: u64,
    errors: u64,
}

async fn halve(input: Halve, _: StepContext) -> Result<Window, StepFailure> {
    let errors = input
        .lines
        .iter()
        .filter(|line| line.is_error_of(&input.service));
    let errors: Vec<u64> = errors.map(|line| line.minute).collect();
    let last = errors.iter().max().copied().unwrap_or(0);
    let minutes = input
        .minutes
        .map_or(last + 1, |minutes| minutes.div_ceil(2));
    let inside = |from: &u64| {
        errors
            .iter()
            .filter(|at| (*from..*from + minutes).contains(at))
            .count()
    };
    let most = errors.iter().map(inside).max().unwrap_or(0);
    Ok(Window {
        minutes,
        errors: most as u64,
    })
}

#[derive(Deserialize)]
struct Restart {
    service: String,
    by: String,
}

async fn restart(input: Restart, _: StepContext) -> Result<String, StepFailure> {
    Ok(format!("{} restarted for {}", input.service, input.by))
}

#[derive(Deserialize)]
struct Facts {
    worst: Worst,
    window: Option<Window>,
    decision: Option<String>,
    restarted: Option<String>,
}

async fn summarise(facts: Facts, _: StepContext) -> Result<String, StepFailure> {
    let Worst {
        service,
        errors,
        share,
    } = facts.worst;
    let percent = share * 100.0;
    let mut text = format!("{service} has {errors} errors, {percent:.0} % of all");
    if let Some(window) = facts.window {
        text.push_str(&format!(
            "; {} of them within {} min",
            window.errors, window.minutes
        ));
    }
    match (facts.restarted, facts.decision) {
        (Some(done), _) => text.push_str(&format!("; {done}")),
        (None, Some(decision)) => text.push_str(&format!("; decided: {decision}")),
        (None, None) => text.push_str("; nothing to decide"),
    }
    Ok(text)
}

/// The functions that the workflow may name.
pub fn library() -> StepLibrary {
    StepLibrary::new()
        .step("parse_log", Specialist::function("parse_log", parse))
        .step(
            "worst_service",
            Specialist::function("worst_service", worst),
        )
        .step("halve_window", Specialist::function("halve_window", halve))
        .step("restart", Specialist::function("restart", restart))
        .step("summarise", Specialist::function("summarise", summarise))
}

/// Registers the agent that counts errors, with room for two at a time.
///
/// # Errors
/// [`RegisterRefused`] when there is one of its name.
pub async fn register(orchestrator: &UniversalOrchestrator) -> Result<(), RegisterRefused> {
    let spec = AgentSpec::new("error-counter", AgentRole::Specialist)
        .capabilities(["count_errors"])
        .concurrency(2)
        .in_process(agent_fn(count));
    orchestrator.register_agent(spec).await.map(|_| ())
}
