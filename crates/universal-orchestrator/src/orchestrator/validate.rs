//! Bounds of what comes in, checked before any lock is taken.

use crate::agent::{AgentFault, AgentSpec};
use crate::capability::{CapabilitySet, Labels};
use crate::config::OrchestratorConfig;
use crate::id::{self, AgentId, ID_BYTES_MAX, IdError, TaskId};
use crate::task::{BoundsExceeded, Refusal, Task, TaskFault, json_bounds};

/// Checks a task against the limits of `[tasks]`.
pub(crate) fn check_task(config: &OrchestratorConfig, task: &Task) -> Result<(), Refusal> {
    let limits = &config.tasks;
    if let Some(fault) = &task.fault {
        return Err(match **fault {
            TaskFault::PayloadTooDeep { .. } => TaskFault::PayloadTooDeep {
                max: limits.payload_depth_max,
            },
            ref fault => fault.clone(),
        }
        .into());
    }
    // The id types hold no longer text than this, so a limit at or above it needs no look.
    if limits.id_bytes_max < ID_BYTES_MAX {
        check_ids(limits.id_bytes_max, task)?;
    }
    let count = |what, count: usize, limit, max: usize| {
        if count > max {
            return Err(TaskFault::TooMany {
                what,
                count,
                limit,
                max,
            });
        }
        Ok(())
    };
    count(
        "required capabilities",
        task.required.len(),
        "agents.capabilities_max",
        config.agents.capabilities_max,
    )?;
    if let Some(options) = task.options.as_deref() {
        count(
            "required labels",
            options.labels.len(),
            "tasks.labels_max",
            limits.labels_max,
        )?;
        count(
            "metadata",
            options.metadata.len(),
            "tasks.labels_max",
            limits.labels_max,
        )?;
        count(
            "tasks to come after",
            options.after.len(),
            "tasks.dependencies_max",
            limits.dependencies_max,
        )?;
        let (attempts, max) = (
            options.retry.map_or(1, |r| r.max_attempts),
            config.retry.attempts_max,
        );
        if attempts > max {
            return Err(TaskFault::TooManyAttempts { attempts, max }.into());
        }
        check_labels(&options.labels).map_err(TaskFault::Id)?;
        check_notes(&options.metadata, limits.payload_bytes_max).map_err(TaskFault::Id)?;
    }
    check_payload(config, task)
}

/// Labels are names, as capabilities are; only a value may be empty.
fn check_labels(labels: &Labels) -> Result<(), IdError> {
    labels.iter().try_for_each(|(name, value)| {
        id::check("label name", name)?;
        if value.is_empty() {
            return Ok(());
        }
        id::check("label value", value)
    })
}

/// Notes of a task are texts of any kind, together no longer than a payload.
fn check_notes(notes: &Labels, max: usize) -> Result<(), IdError> {
    let mut bytes = 0;
    for (name, value) in notes.iter() {
        id::check("metadata name", name)?;
        bytes += name.len() + value.len();
    }
    if bytes > max {
        let kind = "metadata";
        return Err(IdError::TooLong { kind, bytes, max });
    }
    Ok(())
}

fn check_ids(max: usize, task: &Task) -> Result<(), TaskFault> {
    let id = task.id.as_ref().map_or(0, TaskId::text_bytes);
    let task_type = task.task_type.as_ref().map_or(0, |t| t.as_str().len());
    let capabilities = task.required.iter().map(|c| c.as_str().len());
    let bytes = capabilities.chain([id, task_type]).max().unwrap_or(0);
    if bytes > max {
        return Err(TaskFault::IdTooLong { bytes, max });
    }
    Ok(())
}

fn check_payload(config: &OrchestratorConfig, task: &Task) -> Result<(), Refusal> {
    let limits = &config.tasks;
    json_bounds(
        &task.payload,
        limits.payload_bytes_max,
        limits.payload_depth_max,
    )
    .map_err(|exceeded| {
        Refusal::Invalid(match exceeded {
            BoundsExceeded::Bytes(bytes) => TaskFault::PayloadTooLarge {
                bytes,
                max: limits.payload_bytes_max,
            },
            BoundsExceeded::Depth => TaskFault::PayloadTooDeep {
                max: limits.payload_depth_max,
            },
        })
    })
}

/// Checks an agent's description; returns its id.
pub(crate) fn check_agent(
    config: &OrchestratorConfig,
    spec: &AgentSpec,
) -> Result<AgentId, AgentFault> {
    if let Some(fault) = &spec.fault {
        return Err(match **fault {
            AgentFault::MetadataTooDeep { .. } => AgentFault::MetadataTooDeep {
                max: config.tasks.payload_depth_max,
            },
            ref fault => fault.clone(),
        });
    }
    let Some(id) = spec.id.clone() else {
        return Err(IdError::Empty { kind: "agent id" }.into());
    };
    let (bytes, max) = (id.as_str().len(), config.tasks.id_bytes_max);
    if bytes > max {
        return Err(AgentFault::IdTooLong { bytes, max });
    }
    check_concurrency(config, spec.concurrency)?;
    check_lists(config, &spec.capabilities, &spec.labels)?;
    check_metadata(config, &spec.metadata)?;
    if spec.heartbeat.is_some_and(|h| h.is_zero()) {
        return Err(AgentFault::ZeroHeartbeat);
    }
    Ok(id)
}

pub(crate) fn check_concurrency(
    config: &OrchestratorConfig,
    concurrency: u32,
) -> Result<(), AgentFault> {
    let max = config.agents.concurrency_max;
    if concurrency == 0 || concurrency > max {
        return Err(AgentFault::Concurrency { concurrency, max });
    }
    Ok(())
}

pub(crate) fn check_lists(
    config: &OrchestratorConfig,
    capabilities: &CapabilitySet,
    labels: &Labels,
) -> Result<(), AgentFault> {
    let lists = [
        (
            "capabilities",
            capabilities.len(),
            "agents.capabilities_max",
            config.agents.capabilities_max,
        ),
        (
            "labels",
            labels.len(),
            "tasks.labels_max",
            config.tasks.labels_max,
        ),
    ];
    if let Some((what, count, limit, max)) = lists.into_iter().find(|(_, n, _, max)| n > max) {
        return Err(AgentFault::TooMany {
            what,
            count,
            limit,
            max,
        });
    }
    let max = config.tasks.id_bytes_max;
    if let Some(capability) = capabilities.iter().find(|c| c.as_str().len() > max) {
        return Err(AgentFault::CapabilityTooLong {
            capability: capability.clone(),
            bytes: capability.as_str().len(),
            max,
        });
    }
    Ok(check_labels(labels)?)
}

/// A reason is kept with the agent and shown in its view.
pub(crate) fn check_reason(config: &OrchestratorConfig, reason: &str) -> Result<(), AgentFault> {
    let (bytes, max) = (reason.len(), config.agents.metadata_bytes_max);
    if bytes > max {
        let kind = "reason of a quarantine";
        return Err(IdError::TooLong { kind, bytes, max }.into());
    }
    Ok(())
}

pub(crate) fn check_metadata(
    config: &OrchestratorConfig,
    metadata: &serde_json::Value,
) -> Result<(), AgentFault> {
    let max = config.agents.metadata_bytes_max;
    if metadata.is_null() {
        return Ok(());
    }
    let depth_max = config.tasks.payload_depth_max;
    json_bounds(metadata, max, depth_max).map_err(|exceeded| match exceeded {
        BoundsExceeded::Bytes(bytes) => AgentFault::MetadataTooLarge { bytes, max },
        BoundsExceeded::Depth => AgentFault::MetadataTooDeep { max: depth_max },
    })
}
