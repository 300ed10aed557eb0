//! The records of the seven sources, and how each is read.

use serde::{Deserialize, Serialize};

use crate::feedback::{Component, Signal, SignalError, Target};

/// Where feedback comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The steps of whole conversations.
    Trajectory,
    /// Which of the passages that were found was used.
    RagRetrieval,
    /// Calls of tools.
    ToolExecution,
    /// Work that agents were given.
    AgentTask,
    /// What reviewers made of what was flagged.
    Governance,
    /// What calls of models took and cost.
    CostBudget,
    /// Stars that users gave.
    UserExplicit,
}

/// Why a line is no record of its source.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not written as records of this source are.
    #[error("{line:?} is no record of this source: write it as {example:?}")]
    Form {
        /// The line.
        line: String,
        /// A good one.
        example: &'static str,
    },
    /// It says something that is no signal.
    #[error(transparent)]
    Signal(#[from] SignalError),
}

impl Source {
    /// All sources.
    pub const ALL: [Self; 7] = [
        Self::Trajectory,
        Self::RagRetrieval,
        Self::ToolExecution,
        Self::AgentTask,
        Self::Governance,
        Self::CostBudget,
        Self::UserExplicit,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trajectory => "trajectory",
            Self::RagRetrieval => "rag_retrieval",
            Self::ToolExecution => "tool_execution",
            Self::AgentTask => "agent_task",
            Self::Governance => "governance",
            Self::CostBudget => "cost_budget",
            Self::UserExplicit => "user_explicit",
        }
    }

    /// The records of an evening.
    #[must_use]
    pub const fn records(self) -> &'static str {
        match self {
            Self::Trajectory => {
                "brief plan+ search+ read+ answer+\nbrief plan+ search+ read- answer+\nverbose plan+ search- answer-\n"
            }
            Self::RagRetrieval => "handbook rank 1\nhandbook rank 2\nwiki unused\nwiki rank 4\n",
            Self::ToolExecution => {
                "search exit 0 in 120 ms\nsearch exit 0 in 800 ms\nscrape exit 1 in 9000 ms\nscrape exit 1 in 40 ms\nscrape exited\n"
            }
            Self::AgentTask => {
                "planner done after 1\nplanner done after 2\ncritic gave up after 3\ncritic done after 1\n"
            }
            Self::Governance => {
                "spam overturned\nspam overturned\nspam overturned\nspam upheld\nabuse upheld\n"
            }
            Self::CostBudget => "large 2300 ms 0.0040\nsmall 400 ms 0.0003\nlarge 4000 ms 0.0100\n",
            Self::UserExplicit => "model/small 5 stars\nmodel/large 2 stars\ntool/scrape 1 stars\n",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Trajectory => "brief plan+ answer-",
            Self::RagRetrieval => "handbook rank 2",
            Self::ToolExecution => "search exit 0 in 120 ms",
            Self::AgentTask => "planner done after 2",
            Self::Governance => "spam upheld",
            Self::CostBudget => "large 2300 ms 0.0040",
            Self::UserExplicit => "model/small 5 stars",
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`RecordError`] shows how a record of this source is written.
    pub fn read(self, line: &str) -> Result<Signal, RecordError> {
        let words: Vec<_> = line.split_whitespace().collect();
        let form = || RecordError::Form {
            line: line.to_owned(),
            example: self.example(),
        };
        let (target, reward, confidence) = self.weigh(&words).ok_or_else(form)?;
        let target = match target {
            Ok((component, name)) => Target::new(component, name),
            Err(text) => text.parse()?,
        };
        Ok(Signal::new(self, target, reward, confidence)?)
    }

    /// What a record of these words says; `None` when it is none of this source.
    fn weigh<'a>(self, words: &[&'a str]) -> Option<Weighed<'a>> {
        Some(match (self, words) {
            (Self::Trajectory, [name, steps @ ..]) if !steps.is_empty() => {
                let good = steps.iter().filter(|step| step.ends_with('+')).count() as f64;
                let bad = steps.iter().filter(|step| step.ends_with('-')).count() as f64;
                let all = steps.len() as f64;
                // A short conversation says little.
                let weight = (good + bad == all).then_some((all / 4.0).min(1.0))?;
                (Ok((Component::Prompt, name)), good / all, weight)
            }
            // The reciprocal rank of what was used.
            (Self::RagRetrieval, [name, "unused"]) => (Ok((Component::Memory, name)), 0.0, 0.8),
            (Self::RagRetrieval, [name, "rank", rank]) => {
                let rank: u32 = rank.parse().ok().filter(|rank| *rank > 0)?;
                (Ok((Component::Memory, name)), 1.0 / f64::from(rank), 0.8)
            }
            (Self::ToolExecution, [name, "exit", code, "in", ms, "ms"]) => {
                let (code, ms): (i32, f64) = (code.parse().ok()?, amount(ms)?);
                let reward = if code == 0 {
                    1.0 - (ms / 10_000.0).min(0.3)
                } else {
                    0.0
                };
                (Ok((Component::Tool, name)), reward, 1.0)
            }
            (Self::AgentTask, [name, "done", "after", attempts]) => {
                let attempts: u32 = attempts.parse().ok().filter(|attempts| *attempts > 0)?;
                (Ok((Component::Agent, name)), 1.0 / f64::from(attempts), 0.9)
            }
            (Self::AgentTask, [name, "gave", "up", "after", _]) => {
                (Ok((Component::Agent, name)), 0.0, 0.9)
            }
            (Self::Governance, [name, "upheld"]) => (Ok((Component::Threshold, name)), 1.0, 1.0),
            (Self::Governance, [name, "overturned"]) => {
                (Ok((Component::Threshold, name)), 0.0, 1.0)
            }
            (Self::CostBudget, [name, ms, "ms", cost]) => {
                let (ms, cost) = (amount(ms)?, amount(cost)?);
                let reward = 1.0 - (ms / 10_000.0).min(0.3) - (cost * 100.0).min(0.2);
                (Ok((Component::Model, name)), reward, 0.7)
            }
            (Self::UserExplicit, [target, stars, "stars"]) => {
                let stars: f64 = stars.parse().ok()?;
                (Err(target), (stars - 1.0) / 4.0, 1.0)
            }
            _ => return None,
        })
    }
}

/// About what a record is (a part of a known kind, or the text that names one), how well it did, and how much that counts.
type Weighed<'a> = (Result<(Component, &'a str), &'a str>, f64, f64);

/// A time or a price: a number, and not below zero.
fn amount(text: &str) -> Option<f64> {
    let amount: f64 = text.parse().ok()?;
    (amount.is_finite() && amount >= 0.0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_reads_its_example_and_refuses_that_of_the_others() {
        for source in Source::ALL {
            let signal = source.read(source.example());
            assert!(signal.is_ok(), "{source:?}: {signal:?}");
            for other in Source::ALL.into_iter().filter(|other| *other != source) {
                let text = other.example();
                assert!(source.read(text).is_err(), "{source:?} reads {text:?}");
            }
        }
    }

    #[test]
    fn a_bad_record_says_what_a_good_one_looks_like() {
        let error = Source::RagRetrieval.read("wiki rank 0");
        assert_eq!(
            error.map_err(|e| e.to_string()),
            Err(
                "\"wiki rank 0\" is no record of this source: write it as \"handbook rank 2\""
                    .to_owned()
            )
        );
        let error = Source::UserExplicit.read("model/large 7 stars");
        assert_eq!(
            error.map_err(|e| e.to_string()),
            Err("reward is 1.5: it lies from 0 to 1".to_owned())
        );
        assert!(Source::UserExplicit.read("moon/large 3 stars").is_err());
        assert!(Source::CostBudget.read("large NaN ms 1").is_err());
    }
}
