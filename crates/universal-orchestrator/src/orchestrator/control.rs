//! Runs the commands of plugins, one after the other.

use std::sync::{Arc, Weak};

use crate::agent::Intent;
use crate::engine::{Door, Doorway};
use crate::id::shortened;
use crate::orchestrator::shared::{Commands, Shared};
use crate::plugin::Command;
use crate::task::FailureKind;

/// Runs commands until the orchestrator stops.
pub(crate) async fn run(
    shared: Weak<Shared>,
    stop: tokio_util::sync::CancellationToken,
    mut commands: Commands,
) {
    loop {
        let command = tokio::select! {
            () = stop.cancelled() => return,
            command = commands.recv() => command,
        };
        let (Some(command), Some(shared)) = (command, shared.upgrade()) else {
            return;
        };
        shared.run_command(command).await;
    }
}

impl Shared {
    async fn run_command(self: &Arc<Self>, command: Command) {
        let result = match command {
            Command::Sleep(agent) => {
                self.with_engine(|e, now| e.set_intent(&agent, Intent::Sleeping, now))
            }
            Command::Wake(agent) => {
                self.with_engine(|e, now| e.set_intent(&agent, Intent::Active, now))
            }
            Command::Drain(agent) => {
                self.with_engine(|e, now| e.set_intent(&agent, Intent::Draining, now))
            }
            Command::Quarantine(agent, reason) => {
                // Not to be in quarantine would be worse than to be there for half a reason.
                let reason = shortened(&reason, self.config.agents.metadata_bytes_max);
                self.with_engine(|e, now| e.set_quarantine(&agent, Some(reason), now))
            }
            Command::Release(agent) => {
                self.with_engine(|e, now| e.set_quarantine(&agent, None, now))
            }
            Command::Cancel(task) => {
                self.with_engine(|e, now| {
                    e.task_key(&task).map(|key| {
                        e.cancel(key, "cancelled by a plugin", FailureKind::Cancelled, now)
                    })
                });
                Ok(())
            }
            Command::Update(agent, change) => self.update(&agent, *change),
            Command::Register(agent, principal) => {
                if let Err(refused) = self.register(*agent, &principal).await {
                    tracing::warn!(reason = %refused, "agent of a plugin was refused");
                }
                Ok(())
            }
            Command::Deregister(agent, principal) => {
                self.with_engine(|e, now| e.deregister(&agent, &principal, now))
            }
            Command::Notify { source, text } => {
                self.alert(&source, &text);
                Ok(())
            }
            Command::Submit(task, principal) => {
                let way = Doorway {
                    door: Door::Submit,
                    parent: None,
                };
                match self.enter(*task, &principal).await {
                    Ok((record, commands)) => match self.submit_record(&record, way) {
                        Ok(_) => commands.release(),
                        Err(refusal) => {
                            tracing::warn!(reason = %self.refused(refusal, record), "task of a plugin was refused");
                        }
                    },
                    Err(refused) => {
                        tracing::warn!(reason = %refused, "task of a plugin was refused")
                    }
                }
                Ok(())
            }
        };
        if let Err(error) = result {
            tracing::warn!(%error, "command of a plugin did nothing");
        }
    }
}
