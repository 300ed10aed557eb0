//! A workflow as a Mermaid flowchart.

use std::fmt::Write;

use crate::result::StepOutcome;
use crate::workflow::compiled::{CompiledStep, Work, Workflow};
use crate::workflow::report::WorkflowReport;

/// So much of a text is shown.
const CHARS_MAX: usize = 80;

impl Workflow {
    /// Draws it as a [Mermaid](https://mermaid.js.org) flowchart: an arrow from each step to those that depend on it, with condition, loop and fan-out in the boxes.
    ///
    /// Gates are hexagons, fan-outs have double sides. A chart of more than some hundred steps is text that few programs draw.
    ///
    /// ```
    /// use universal_orchestrator_patterns::{Workflow, WorkflowStep};
    /// let workflow = Workflow::builder("w")
    ///     .step(WorkflowStep::collect("a"))
    ///     .step(WorkflowStep::collect("b").needs(["a"]))
    ///     .build()?;
    /// assert_eq!(workflow.mermaid(), "flowchart TD\n    s0[\"a\"]\n    s1[\"b\"]\n    s0 --> s1\n");
    /// # Ok::<_, universal_orchestrator_patterns::WorkflowErrors>(())
    /// ```
    #[must_use]
    pub fn mermaid(&self) -> String {
        self.drawn(None)
    }

    /// The same, with each box coloured by what became of the step in a run.
    #[must_use]
    pub fn mermaid_of(&self, report: &WorkflowReport) -> String {
        self.drawn(Some(report))
    }

    fn drawn(&self, report: Option<&WorkflowReport>) -> String {
        let mut text = String::from("flowchart TD\n");
        for (number, step) in self.0.steps.iter().enumerate() {
            let (open, close) = match (&step.work, &step.each) {
                (Work::Gate(_), _) => ("{{", "}}"),
                (_, Some(_)) => ("[[", "]]"),
                _ => ("[", "]"),
            };
            let class = report.and_then(|report| class(report, number));
            let class = class.map(|class| format!(":::{class}"));
            // Writing into a string never fails.
            let _ = writeln!(
                text,
                "    s{number}{open}\"{}\"{close}{}",
                label(step),
                class.unwrap_or_default()
            );
        }
        for (number, step) in self.0.steps.iter().enumerate() {
            for need in &step.needs {
                let _ = writeln!(text, "    s{need} --> s{number}");
            }
        }
        if report.is_some() {
            text.push_str("    classDef success fill:#d4edda,stroke:#2e7d32\n");
            text.push_str("    classDef failure fill:#f8d7da,stroke:#c62828\n");
            text.push_str("    classDef skipped fill:#eeeeee,stroke:#9e9e9e,stroke-dasharray:4\n");
        }
        text
    }
}

fn class(report: &WorkflowReport, step: usize) -> Option<&'static str> {
    let result = report.run().steps().get(step)?.result();
    Some(match result.outcome() {
        StepOutcome::Success { .. } => "success",
        StepOutcome::Failure { .. } => "failure",
        StepOutcome::Skipped { .. } => "skipped",
    })
}

fn label(step: &CompiledStep) -> String {
    let mut label = escaped(&step.title);
    if let Work::Gate(gate) = &step.work {
        let _ = write!(label, "<br/>{}", escaped(&gate.question));
    }
    if let Some(when) = &step.when {
        let _ = write!(label, "<br/>when {}", escaped(&when.text));
    }
    if let Some(repeat) = &step.repeat {
        let word = if repeat.until { "until" } else { "while" };
        let _ = write!(label, "<br/>{word} {}", escaped(&repeat.condition.text));
    }
    if step.each.is_some() {
        label.push_str("<br/>for each item");
    }
    label
}

/// Text that neither ends the quotes it stands in nor is read as markup: what is not a letter, digit or plain sign becomes an entity.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (number, c) in text.chars().enumerate() {
        if number == CHARS_MAX {
            safe.push('…');
            break;
        }
        match c {
            ' ' | '.' | ',' | '_' | '-' | '?' => safe.push(c),
            c if c.is_alphanumeric() => safe.push(c),
            c if c.is_control() => safe.push(' '),
            c => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_titles_stay_within_their_quotes() {
        assert_eq!(escaped("a\"]; <b>"), "a#34;#93;#59; #60;b#62;");
        assert_eq!(escaped("#quot;\n`x`"), "#35;quot#59; #96;x#96;");
        assert_eq!(escaped(&"x".repeat(200)).chars().count(), CHARS_MAX + 1);
    }
}
