//! The states of alerts: pending, firing, resolved; one alert a rule.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::alert::{Rule, Severity};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It is bad, but not yet for long enough.
    Pending,
    /// It is bad.
    Firing,
    /// It is bad and somebody knows.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Alert {
    /// The rule that raised it.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlertState,
    /// The condition of the rule.
    pub condition: String,
    /// The latest value that was bad.
    pub value: f64,
    /// Since when it is bad, in milliseconds since 1970-01-01 UTC.
    pub since_ms: u64,
    /// Since when it fires; `None` while it is pending.
    pub fired_ms: Option<u64>,
    /// When it was over.
    pub resolved_ms: Option<u64>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
}

/// An acknowledgement of what does not fire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no alert of rule {rule:?} fires (firing: {firing}): there is nothing to acknowledge")]
pub struct AcknowledgeError {
    /// The rule.
    pub rule: String,
    /// The rules whose alerts fire.
    pub firing: String,
}

/// What people are to be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    pub(crate) rule: String,
    pub(crate) text: String,
    pub(crate) fired: bool,
}

#[derive(Debug)]
struct Watched {
    rule: Rule,
    /// What is active, with the instant since which it is bad.
    active: Option<(Alert, Instant)>,
    told_at: Option<Instant>,
    /// Whether people know of the alert that is active.
    told: bool,
}

/// All alerts, one a rule.
#[derive(Debug)]
pub(crate) struct AlertBook {
    watched: Vec<Watched>,
    resolved: VecDeque<Alert>,
    resolved_max: usize,
    withheld: u64,
}

impl AlertBook {
    pub(crate) fn new(rules: Vec<Rule>, resolved_max: usize) -> Self {
        let watched = rules.into_iter().map(|rule| Watched {
            rule,
            active: None,
            told_at: None,
            told: false,
        });
        Self {
            watched: watched.collect(),
            resolved: VecDeque::new(),
            resolved_max,
            withheld: 0,
        }
    }

    /// Other rules. Alerts of rules that stay as they are go on; those of others are dropped.
    pub(crate) fn replace_rules(&mut self, rules: Vec<Rule>, resolved_max: usize) {
        let mut old = std::mem::take(&mut self.watched);
        *self = Self {
            resolved: std::mem::take(&mut self.resolved),
            withheld: self.withheld,
            ..Self::new(rules, resolved_max)
        };
        for watched in &mut self.watched {
            if let Some(at) = old.iter().position(|one| one.rule == watched.rule) {
                *watched = old.swap_remove(at);
            }
        }
        self.resolved.truncate(resolved_max);
    }

    /// Looks at the value of every rule; returns what is to be told.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        now_ms: u64,
        value_of: impl Fn(&Rule) -> Option<f64>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for watched in &mut self.watched {
            let value = value_of(&watched.rule);
            if let Some(over) = watched.look(value, now, now_ms, &mut notices, &mut self.withheld) {
                if self.resolved.len() >= self.resolved_max {
                    self.resolved.pop_front();
                }
                if self.resolved_max > 0 {
                    self.resolved.push_back(over);
                }
            }
        }
        notices
    }

    /// Somebody knows: the alert counts no longer among those that need somebody.
    pub(crate) fn acknowledge(&mut self, rule: &str, by: &str) -> Result<(), AcknowledgeError> {
        let found = self
            .watched
            .iter_mut()
            .filter_map(|w| w.active.as_mut())
            .map(|(alert, _)| alert)
            .find(|alert| alert.rule == rule && alert.state != AlertState::Pending);
        if let Some(alert) = found {
            alert.state = AlertState::Acknowledged;
            alert.acknowledged_by = Some(by.to_owned());
            return Ok(());
        }
        let firing: Vec<&str> = self.firing().map(|alert| alert.rule.as_str()).collect();
        Err(AcknowledgeError {
            rule: rule.to_owned(),
            firing: match firing.is_empty() {
                true => "none".to_owned(),
                false => firing.join(", "),
            },
        })
    }

    /// Alerts that are pending or fire.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Alert> {
        self.watched
            .iter()
            .filter_map(|w| w.active.as_ref().map(|(alert, _)| alert))
    }

    /// Alerts that fire, acknowledged or not.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.active()
            .filter(|alert| alert.state != AlertState::Pending)
    }

    /// Those that are over, the latest last.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = &Alert> {
        self.resolved.iter()
    }

    /// Notices that were held back by a cooldown.
    pub(crate) const fn withheld(&self) -> u64 {
        self.withheld
    }
}

impl Watched {
    /// Returns the alert when it is over.
    fn look(
        &mut self,
        value: Option<f64>,
        now: Instant,
        now_ms: u64,
        notices: &mut Vec<Notice>,
        withheld: &mut u64,
    ) -> Option<Alert> {
        let rule = &self.rule;
        let firing = self
            .active
            .as_ref()
            .is_some_and(|(alert, _)| alert.state != AlertState::Pending);
        let bad = value.filter(|value| match firing {
            true => rule.stays_bad(*value),
            false => rule.is_bad(*value),
        });
        let Some(value) = bad else {
            return self.over(value, now_ms, notices);
        };
        let (alert, since) = self.active.get_or_insert_with(|| {
            let alert = Alert {
                rule: rule.name.clone(),
                severity: rule.severity,
                state: AlertState::Pending,
                condition: rule.condition(),
                value,
                since_ms: now_ms,
                fired_ms: None,
                resolved_ms: None,
                acknowledged_by: None,
            };
            (alert, now)
        });
        alert.value = value;
        if now.duration_since(*since) < Duration::from_millis(rule.for_ms) {
            return None;
        }
        let begins = alert.state == AlertState::Pending;
        if begins {
            alert.state = AlertState::Firing;
            alert.fired_ms = Some(now_ms);
            self.told = false;
        }
        let cooldown = Duration::from_millis(rule.cooldown_ms);
        let cool = self
            .told_at
            .is_none_or(|told| now.duration_since(told) >= cooldown);
        match (cool, alert.state) {
            (true, AlertState::Firing) => {
                self.told_at = Some(now);
                self.told = true;
                notices.push(Notice {
                    rule: rule.name.clone(),
                    text: format!(
                        "{} {} fires: {} (it is {value:.2})",
                        rule.severity.as_str(),
                        rule.name,
                        alert.condition
                    ),
                    fired: true,
                });
            }
            (false, _) if begins => *withheld += 1,
            _ => {}
        }
        None
    }

    fn over(
        &mut self,
        value: Option<f64>,
        now_ms: u64,
        notices: &mut Vec<Notice>,
    ) -> Option<Alert> {
        let (mut alert, _) = self.active.take()?;
        if alert.state == AlertState::Pending {
            return None;
        }
        alert.state = AlertState::Resolved;
        alert.resolved_ms = Some(now_ms);
        if std::mem::take(&mut self.told) {
            let now = match value {
                Some(value) => format!("it is {value:.2} now"),
                None => "it is no longer measured".to_owned(),
            };
            notices.push(Notice {
                rule: alert.rule.clone(),
                text: format!(
                    "{} {} resolved: {} ({now})",
                    alert.severity.as_str(),
                    alert.rule,
                    alert.condition
                ),
                fired: false,
            });
        }
        Some(alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Operator;
    use crate::signal::Signal;

    fn rule() -> Rule {
        Rule::new(
            "hot",
            Signal::CpuPercent,
            Operator::Above,
            80.0,
            Severity::Critical,
        )
        .lasting_ms(2_000)
        .resolving_at(70.0)
    }

    /// Shows one value a second to the rule; returns the state and the notices of each second.
    fn run(rule: Rule, values: &[Option<f64>]) -> (Vec<Option<AlertState>>, Vec<(usize, bool)>) {
        let mut book = AlertBook::new(vec![rule], 10);
        let start = Instant::now();
        let (mut states, mut told) = (Vec::new(), Vec::new());
        for (at, value) in values.iter().enumerate() {
            let now = start + Duration::from_secs(at as u64);
            let notices = book.look(now, at as u64 * 1_000, |_| *value);
            told.extend(notices.iter().map(|n| (at, n.fired)));
            states.push(book.active().next().map(|alert| alert.state));
        }
        (states, told)
    }

    #[test]
    fn it_is_pending_then_fires_then_resolves_with_hysteresis() {
        use AlertState::{Firing, Pending};
        let values = [81.0, 81.0, 81.0, 75.0, 70.0, 75.0].map(Some);
        let (states, told) = run(rule(), &values);
        let expected = [
            Some(Pending),
            Some(Pending),
            Some(Firing),
            Some(Firing),
            None,
            None,
        ];
        assert_eq!(states, expected);
        assert_eq!(told, [(2, true), (4, false)]);
    }

    #[test]
    fn a_good_moment_begins_the_wait_anew() {
        let values = [Some(81.0), Some(79.0), Some(81.0), Some(81.0), None];
        let (states, told) = run(rule(), &values);
        assert!(!states.contains(&Some(AlertState::Firing)), "{states:?}");
        assert!(told.is_empty());
    }

    #[test]
    fn a_flapping_alert_is_told_once_within_its_cooldown() {
        let mut rule = rule();
        (rule.for_ms, rule.cooldown_ms) = (0, 4_000);
        let values = [90.0, 0.0, 90.0, 0.0, 90.0, 90.0].map(Some);
        let (_, told) = run(rule, &values);
        assert_eq!(told, [(0, true), (1, false), (4, true)]);
    }

    #[test]
    fn one_that_goes_on_is_told_again_after_the_cooldown_unless_acknowledged() {
        let mut rule = rule();
        (rule.for_ms, rule.cooldown_ms) = (0, 2_000);
        let mut book = AlertBook::new(vec![rule], 10);
        let start = Instant::now();
        let mut told = Vec::new();
        for second in 0..7 {
            if second == 3 {
                book.acknowledge("hot", "ann").unwrap();
            }
            let now = start + Duration::from_secs(second);
            if !book.look(now, 0, |_| Some(99.0)).is_empty() {
                told.push(second);
            }
        }
        assert_eq!(told, [0, 2]);
    }

    #[test]
    fn only_what_fires_is_acknowledged_and_the_refusal_names_what_does() {
        let mut book = AlertBook::new(vec![rule()], 10);
        let now = Instant::now();
        book.look(now, 0, |_| Some(99.0));
        let text = book.acknowledge("hot", "ann").unwrap_err().to_string();
        assert!(text.contains("firing: none"), "{text}");
        book.look(now + Duration::from_secs(2), 0, |_| Some(99.0));
        let text = book.acknowledge("cold", "ann").unwrap_err().to_string();
        assert!(text.contains("firing: hot"), "{text}");
        book.acknowledge("hot", "ann").unwrap();
        let alert = book.firing().next().unwrap();
        assert_eq!(alert.acknowledged_by.as_deref(), Some("ann"));
    }

    #[test]
    fn resolved_alerts_are_kept_up_to_their_limit() {
        let mut rule = rule();
        rule.for_ms = 0;
        let mut book = AlertBook::new(vec![rule], 2);
        let now = Instant::now();
        for round in 0..5 {
            book.look(now, round, |_| Some(99.0));
            book.look(now, round, |_| Some(0.0));
        }
        let since: Vec<u64> = book.resolved().map(|alert| alert.since_ms).collect();
        assert_eq!(since, [3, 4]);
        assert_eq!(book.withheld(), 4);
    }

    #[test]
    fn rules_that_stay_keep_their_alerts() {
        let mut other = rule();
        other.name = "other".to_owned();
        let mut book = AlertBook::new(vec![rule(), other.clone()], 10);
        let now = Instant::now();
        book.look(now, 0, |_| Some(99.0));
        other.threshold = 90.0;
        book.replace_rules(vec![other, rule()], 10);
        let active: Vec<&str> = book.active().map(|alert| alert.rule.as_str()).collect();
        assert_eq!(active, ["hot"]);
    }
}
