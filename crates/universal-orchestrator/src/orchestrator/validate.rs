//! Bounds of what comes in, checked before any lock is taken.

use crate::agent::{AgentFault, AgentSpec};
use crate::config::OrchestratorConfig;
use crate::id::{AgentId, ID_BYTES_MAX};
use crate::task::{BoundsExceeded, Refusal, Task, TaskFault, json_bounds};

/// Checks a task against the limits of `[tasks]`.
pub(crate) fn check_task(config: &OrchestratorConfig, task: &Task) -> Result<(), Refusal> {
    let limits = &config.tasks;
    if let Some(fault) = &task.fault {
        return Err((**fault).clone().into());
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
    }
    check_payload(config, task)
}

fn check_ids(max: usize, task: &Task) -> Result<(), TaskFault> {
    let id = task.id.as_ref().map_or(0, crate::id::TaskId::text_bytes);
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
        return Err((**fault).clone());
    }
    let Some(id) = spec.id.clone() else {
        return Err(crate::id::IdError::Empty { kind: "agent id" }.into());
    };
    let max = config.tasks.id_bytes_max;
    let longest = spec
        .capabilities
        .iter()
        .map(|c| c.as_str().len())
        .chain([id.as_str().len()])
        .max()
        .unwrap_or(0);
    if longest > max {
        return Err(AgentFault::IdTooLong {
            bytes: longest,
            max,
        });
    }
    check_concurrency(config, spec.concurrency)?;
    check_lists(config, spec.capabilities.len(), spec.labels.len())?;
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
    capabilities: usize,
    labels: usize,
) -> Result<(), AgentFault> {
    let lists = [
        (
            "capabilities",
            capabilities,
            "agents.capabilities_max",
            config.agents.capabilities_max,
        ),
        (
            "labels",
            labels,
            "tasks.labels_max",
            config.tasks.labels_max,
        ),
    ];
    match lists.into_iter().find(|(_, count, _, max)| count > max) {
        Some((what, count, limit, max)) => Err(AgentFault::TooMany {
            what,
            count,
            limit,
            max,
        }),
        None => Ok(()),
    }
}

pub(crate) fn check_metadata(
    config: &OrchestratorConfig,
    metadata: &serde_json::Value,
) -> Result<(), AgentFault> {
    let max = config.agents.metadata_bytes_max;
    if metadata.is_null() {
        return Ok(());
    }
    json_bounds(metadata, max, config.tasks.payload_depth_max).map_err(|exceeded| {
        AgentFault::MetadataTooLarge {
            bytes: match exceeded {
                BoundsExceeded::Bytes(bytes) => bytes,
                BoundsExceeded::Depth => max,
            },
            max,
        }
    })
}
