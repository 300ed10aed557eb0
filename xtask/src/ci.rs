//! `cargo xtask ci`: every check, one after the other.

mod examples;

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;
use crate::{check_deps, generate};

const TEST_COMMAND: &str = "cargo test --workspace";

/// Which steps to run.
#[derive(Debug, Args)]
pub(crate) struct CiArguments {
    /// Prints the steps and runs none.
    #[arg(long)]
    list: bool,
    /// Runs this step only; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Leaves this step out; may be given several times.
    #[arg(long, value_name = "STEP")]
    skip: Vec<Step>,
}

/// The steps in the order in which they run.
///
/// What compiles comes in three families, and each compiles the dependencies once: clippy and rustdoc share
/// check builds, the tests use the dev profile, and the benches, the examples and the SLA bench share the profile
/// `ci`, which optimises without the link-time optimisation of `bench`. All name the whole workspace, because cargo builds a dependency again for another set of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    Fmt,
    Clippy,
    Recorder,
    Readme,
    Test,
    Doc,
    Benches,
    Examples,
    CheckDeps,
    Gen,
    Instructions,
    Sla,
}

/// What a step does.
enum Action {
    /// Calls cargo with these arguments, none of which holds a space, and this environment.
    Cargo(&'static str, &'static [(&'static str, &'static str)]),
    /// Calls a function; the text says what it does.
    Function(&'static str, fn(&Workspace) -> Result<()>),
}

impl Step {
    fn action(self) -> Action {
        match self {
            Self::Fmt => Action::Cargo("fmt --all --check", &[]),
            Self::Clippy => Action::Cargo(
                "clippy --workspace --all-targets --locked -- -D warnings",
                &[],
            ),
            Self::Recorder => Action::Function(
                "fmt and clippy of the recorder of incidents, a workspace of its own",
                check_recorder,
            ),
            Self::Readme => Action::Function("README.md names the test command", check_readme),
            Self::Test => Action::Cargo("test --workspace --locked", &[]),
            Self::Doc => Action::Cargo(
                "doc --workspace --no-deps --locked",
                &[("RUSTDOCFLAGS", "-D warnings")],
            ),
            Self::Benches => Action::Cargo("bench --profile ci --workspace --no-run --locked", &[]),
            Self::Examples => Action::Function("every example that takes no input", examples::run),
            Self::CheckDeps => Action::Function("cargo xtask check-deps", check_deps::run),
            Self::Gen => Action::Function("cargo xtask gen --check", |workspace| {
                generate::run(workspace.root(), generate::DOCUMENTS, true)
            }),
            Self::Instructions => {
                Action::Cargo("bench --profile ci --bench instructions --locked", &[])
            }
            Self::Sla => Action::Cargo("bench --profile ci --bench sla --locked", &[]),
        }
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn describe(self) -> String {
        match self.action() {
            Action::Cargo(arguments, environment) => {
                let environment: String = environment
                    .iter()
                    .map(|(name, value)| format!("{name}=\"{value}\" "))
                    .collect();
                format!("{environment}cargo {arguments}")
            }
            Action::Function(text, _) => text.to_owned(),
        }
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        match self.action() {
            Action::Cargo(arguments, environment) => {
                let arguments: Vec<&str> = arguments.split(' ').collect();
                let mut command = workspace.cargo(&arguments);
                command.envs(environment.iter().copied());
                succeed(&mut command)
            }
            Action::Function(_, function) => function(workspace),
        }
    }
}

/// Runs the chosen steps and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace, arguments: &CiArguments) -> Result<()> {
    let steps = choose(arguments);
    if arguments.list {
        for step in steps {
            println!("{:<12}{}", step.name(), step.describe());
        }
        return Ok(());
    }
    let mut times = Vec::new();
    for step in steps {
        println!("\n== {}: {}", step.name(), step.describe());
        // The step's own output goes around our buffer.
        std::io::stdout().flush()?;
        let start = Instant::now();
        let result = step.run(workspace);
        let elapsed = start.elapsed();
        let name = step.name();
        result.with_context(|| {
            format!(
                "step `{name}` failed after {}, run it alone with `cargo xtask ci --only {name}`",
                seconds(elapsed)
            )
        })?;
        println!("== {name}: ok in {}", seconds(elapsed));
        times.push((name, elapsed));
    }
    println!("\nall steps passed");
    for (name, elapsed) in &times {
        println!("{name:<12}{:>10}", seconds(*elapsed));
    }
    let total: Duration = times.iter().map(|(_, elapsed)| *elapsed).sum();
    println!("{:<12}{:>10}", "total", seconds(total));
    Ok(())
}

fn choose(arguments: &CiArguments) -> Vec<Step> {
    Step::value_variants()
        .iter()
        .copied()
        .filter(|step| arguments.only.is_empty() || arguments.only.contains(step))
        .filter(|step| !arguments.skip.contains(step))
        .collect()
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("failed to start cargo")?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}

/// Its tests and its programs need more than a compiler: `examples/incidents/README.md` says what.
fn check_recorder(workspace: &Workspace) -> Result<()> {
    for arguments in [
        "fmt --manifest-path examples/incidents/recorder/Cargo.toml --check",
        "clippy --manifest-path examples/incidents/recorder/Cargo.toml --all-targets --locked -- -D warnings",
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        succeed(&mut workspace.cargo(&arguments))?;
    }
    Ok(())
}

fn check_readme(workspace: &Workspace) -> Result<()> {
    let path = workspace.root().join("README.md");
    let text = fs::read_to_string(&path).context("failed to read README.md")?;
    if !text.contains(TEST_COMMAND) {
        bail!("README.md does not contain `{TEST_COMMAND}`, the command that runs the tests");
    }
    Ok(())
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[Step], skip: &[Step]) -> Vec<String> {
        let arguments = CiArguments {
            list: false,
            only: only.to_vec(),
            skip: skip.to_vec(),
        };
        choose(&arguments).into_iter().map(Step::name).collect()
    }

    #[test]
    fn all_steps_run_in_order() {
        assert_eq!(
            names(&[], &[]),
            [
                "fmt",
                "clippy",
                "recorder",
                "readme",
                "test",
                "doc",
                "benches",
                "examples",
                "check-deps",
                "gen",
                "instructions",
                "sla"
            ]
        );
    }

    #[test]
    fn only_and_skip_choose() {
        assert_eq!(names(&[Step::Test, Step::Fmt], &[]), ["fmt", "test"]);
        assert_eq!(names(&[Step::Test, Step::Fmt], &[Step::Test]), ["fmt"]);
        assert_eq!(names(&[], &[Step::Sla]).len(), 11);
    }

    #[test]
    fn a_step_shows_the_command_it_runs() {
        assert_eq!(
            Step::Doc.describe(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps --locked"
        );
    }
}
