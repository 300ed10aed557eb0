//! The figures as a table of text.

use std::fmt;

use universal_orchestrator::{Amount, Limits, Unit};

use crate::cost::{CostRow, CostTable};

const UNITS: [Unit; 4] = [Unit::Money, Unit::Tokens, Unit::Calls, Unit::Busy];

impl CostTable {
    fn text_of(&self, unit: Unit, amount: &Amount) -> String {
        match unit {
            Unit::Money => format!("{}{:.4}", self.currency, amount.money),
            Unit::Tokens => amount.tokens.to_string(),
            Unit::Calls => amount.calls.to_string(),
            Unit::Busy => format!("{:.3} s", amount.busy.as_secs_f64()),
        }
    }

    fn text_of_limit(&self, unit: Unit, limits: &Limits) -> String {
        let limit = match unit {
            Unit::Money => limits.money.map(Amount::money),
            Unit::Tokens => limits.tokens.map(Amount::tokens),
            Unit::Calls => limits.calls.map(Amount::calls),
            Unit::Busy => limits.busy.map(Amount::busy),
        };
        limit.map_or_else(
            || "unlimited".to_owned(),
            |limit| self.text_of(unit, &limit),
        )
    }

    /// The units that play a part.
    fn units(&self) -> Vec<Unit> {
        let all = self
            .actual
            .plus(&self.estimate)
            .plus(&self.spent.unwrap_or_default());
        let is_used = |unit: &Unit| match unit {
            Unit::Money => !all.money.is_zero(),
            Unit::Tokens => all.tokens > 0,
            Unit::Calls => all.calls > 0,
            Unit::Busy => !all.busy.is_zero(),
        };
        let is_limited = |unit: &Unit| self.utilisation.iter().any(|u| u.unit == *unit);
        let units = UNITS.into_iter();
        units
            .filter(|unit| is_used(unit) || is_limited(unit))
            .collect()
    }

    fn line(
        &self,
        name: &str,
        agent: &str,
        status: &str,
        units: &[Unit],
        row: &CostRow,
    ) -> Vec<String> {
        let mut cells = vec![name.to_owned(), agent.to_owned(), status.to_owned()];
        for unit in units {
            cells.push(self.text_of(*unit, &row.estimate));
            cells.push(self.text_of(*unit, &row.actual));
        }
        cells
    }

    fn lines(&self, units: &[Unit]) -> Vec<Vec<String>> {
        let mut header = vec!["step".to_owned(), "agent".to_owned(), "status".to_owned()];
        for unit in units {
            header.push(format!("{unit} est."));
            header.push(unit.to_string());
        }
        let mut lines = vec![header];
        for row in &self.steps {
            let agent = row.agent.as_deref().unwrap_or("-");
            lines.push(self.line(&row.name, agent, &row.status, units, row));
        }
        let total = CostRow {
            name: String::new(),
            agent: None,
            status: String::new(),
            estimate: self.estimate,
            actual: self.actual,
        };
        lines.push(self.line("total", "", "", units, &total));
        for row in &self.agents {
            lines.push(self.line("by agent", &row.name, &row.status, units, row));
        }
        lines
    }
}

/// Columns as wide as their widest cell: names to the left, figures to the right.
fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Vec<String>]) -> fmt::Result {
    const LEFT: usize = 3;
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for line in lines {
        let mut text = String::new();
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            text.push_str(&if at < LEFT {
                format!("{gap}{cell:<width$}")
            } else {
                format!("{gap}{cell:>width$}")
            });
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

impl fmt::Display for CostTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.units();
        write_lines(f, &self.lines(&units))?;
        if let (Some(limits), Some(spent)) = (&self.limits, &self.spent) {
            for used in &self.utilisation {
                let (spent, limit) = (
                    self.text_of(used.unit, spent),
                    self.text_of_limit(used.unit, limits),
                );
                let percent = match used.percent {
                    Some(percent) => format!("{percent:.1} %"),
                    None => "a limit of zero".to_owned(),
                };
                writeln!(
                    f,
                    "run: {} {spent} of {limit}, utilisation {percent}",
                    used.unit
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::result::{SkipReason, StepResult};
    use crate::strategy::{NamedStep, RunReport};
    use universal_orchestrator::Decimal;

    use super::*;

    fn step(name: &str, cents: i64, agent: Option<&str>) -> NamedStep<()> {
        let result = match cents {
            0 => StepResult::skipped(SkipReason::NotNeeded),
            _ => StepResult::success(()).with_cost(Amount::money(Decimal::new(cents, 2))),
        };
        NamedStep {
            name: name.to_owned(),
            estimate: Amount::money(Decimal::new(150, 2)),
            result: match agent {
                Some(agent) => result.with_agent(agent.parse().expect("it is an id")),
                None => result,
            },
        }
    }

    #[test]
    fn it_reads_as_people_expect_and_says_the_same_as_json() {
        let report = RunReport {
            steps: vec![
                step("application", 125, Some("app-1")),
                step("database", 235, Some("db-1")),
                step("network", 85, Some("app-1")),
                step("storage", 0, None),
            ],
            stopped: None,
            decisions: Vec::new(),
            duration: std::time::Duration::ZERO,
        };
        let mut table = CostTable::of(&report).currency("$");
        table.limits = Some(Limits::unlimited().with_money(Decimal::from(10)));
        table.spent = Some(table.actual);
        table.utilisation = vec![crate::cost::Utilisation {
            unit: Unit::Money,
            percent: Some(Decimal::new(445, 1)),
        }];
        let expected = "\
step         agent  status   money est.    money
application  app-1  success     $1.5000  $1.2500
database     db-1   success     $1.5000  $2.3500
network      app-1  success     $1.5000  $0.8500
storage      -      skipped     $1.5000  $0.0000
total                           $6.0000  $4.4500
by agent     app-1  2 steps     $3.0000  $2.1000
by agent     db-1   1 step      $1.5000  $2.3500
run: money $4.4500 of $10.0000, utilisation 44.5 %
";
        assert_eq!(table.to_string(), expected);
        let json = serde_json::to_value(&table).expect("it is JSON");
        assert_eq!(json["steps"][1]["actual"]["money"], "2.35");
        assert_eq!(json["agents"][0]["actual"]["money"], "2.10");
        assert_eq!(json["utilisation"][0]["percent"], "44.5");
    }
}
