//! Builds every example and runs those that take no input.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Message, Package, PackageId};

use crate::workspace::Workspace;

const PACKAGE: &str = "universal-orchestrator-examples";
const TIME_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
const LINES_KEPT: usize = 20;

/// Built once for the workspace and run by path: `cargo run -p` would compile the dependencies again for the
/// features of one package, and the release profile again beside the profile of the step before.
const BUILD: &[&str] = &[
    "build",
    "--profile",
    "ci",
    "--workspace",
    "--examples",
    "--locked",
    "--message-format",
    "json-render-diagnostics",
];

/// Runs the examples one after the other; the first that fails ends the step.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let Some(package) = workspace.member(PACKAGE) else {
        println!("no package {PACKAGE} yet");
        return Ok(());
    };
    let names = runnable(package);
    if names.is_empty() {
        println!("no examples yet");
        return Ok(());
    }
    let programs = build(workspace, &package.id)?;
    for name in names {
        let program = programs
            .get(&name)
            .with_context(|| format!("cargo built no program for example `{name}`"))?;
        let mut command = Command::new(program);
        command.current_dir(workspace.root());
        if let Some(folder) = package.manifest_path.parent() {
            command.env("CARGO_MANIFEST_DIR", folder);
        }
        println!("-- example {name}");
        let start = Instant::now();
        let outcome = run_with_limit(&mut command, TIME_LIMIT)
            .with_context(|| format!("failed to run example `{name}`"))?;
        for line in &outcome.lines {
            println!("   {line}");
        }
        match outcome.status {
            Some(status) => ensure!(status.success(), "example `{name}` ended with {status}"),
            None => bail!(
                "example `{name}` ran longer than {} s",
                TIME_LIMIT.as_secs()
            ),
        }
        println!(
            "-- example {name}: ok in {:.1} s",
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Names the examples to run; one that needs input or a feature is named in the output instead.
fn runnable(package: &Package) -> Vec<String> {
    let needs_input: Vec<&str> = package.metadata["ci"]["needs_input"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str())
        .collect();
    let mut names = Vec::new();
    for target in package.targets.iter().filter(|target| target.is_example()) {
        if needs_input.contains(&target.name.as_str()) {
            println!("-- example {}: not run, it needs input", target.name);
        } else if !target.required_features.is_empty() {
            let features = target.required_features.join(", ");
            println!("-- example {}: not run, it needs {features}", target.name);
        } else {
            names.push(target.name.clone());
        }
    }
    names.sort();
    names
}

fn build(workspace: &Workspace, package: &PackageId) -> Result<BTreeMap<String, PathBuf>> {
    let mut child = workspace
        .cargo(BUILD)
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut programs = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message.context("failed to read cargo")?
            && artifact.package_id == *package
            && artifact.target.is_example()
            && let Some(program) = artifact.executable
        {
            programs.insert(artifact.target.name, program.into_std_path_buf());
        }
    }
    let status = child.wait()?;
    ensure!(
        status.success(),
        "building the examples ended with {status}"
    );
    Ok(programs)
}

/// How a program ended and what it said last.
#[derive(Debug)]
struct Outcome {
    /// Absent when the time limit ended it.
    status: Option<ExitStatus>,
    lines: Vec<String>,
}

type Tail = Arc<Mutex<VecDeque<String>>>;

fn run_with_limit(command: &mut Command, limit: Duration) -> Result<Outcome> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let tail = Tail::default();
    let readers = [
        child.stdout.take().map(|pipe| keep_tail(pipe, &tail)),
        child.stderr.take().map(|pipe| keep_tail(pipe, &tail)),
    ];
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
    };
    // A program's own children may hold the pipes open, so the readers get a moment, not for ever.
    let patience = Instant::now() + Duration::from_secs(1);
    for reader in readers.iter().flatten() {
        while !reader.is_finished() && Instant::now() < patience {
            thread::sleep(POLL);
        }
    }
    let lines = tail.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome {
        status,
        lines: lines.iter().cloned().collect(),
    })
}

fn keep_tail(pipe: impl Read + Send + 'static, tail: &Tail) -> JoinHandle<()> {
    let tail = Arc::clone(tail);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let mut lines = tail.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        run_with_limit(Command::new("sh").args(["-c", script]), limit).unwrap()
    }

    #[test]
    fn the_last_lines_are_kept() {
        let script = "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done";
        let outcome = shell(script, TIME_LIMIT);
        assert!(outcome.status.unwrap().success());
        assert_eq!(outcome.lines.len(), LINES_KEPT);
        assert_eq!(outcome.lines[0], "line 10");
        assert_eq!(outcome.lines[19], "line 29");
    }

    #[test]
    fn a_failure_keeps_its_status_and_its_error_output() {
        let outcome = shell("echo gone wrong >&2; exit 3", TIME_LIMIT);
        assert_eq!(outcome.status.unwrap().code(), Some(3));
        assert_eq!(outcome.lines, ["gone wrong"]);
    }

    #[test]
    fn a_program_over_its_time_is_ended() {
        let start = Instant::now();
        let outcome = shell(
            "echo begun; exec cat /dev/zero > /dev/null",
            Duration::from_millis(300),
        );
        assert!(outcome.status.is_none());
        assert_eq!(outcome.lines, ["begun"]);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
