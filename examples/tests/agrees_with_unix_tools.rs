//! The audit's counts against `find`, `wc`, `grep` and `b3sum`, run as subprocesses.
//!
//! A tool that is not installed is skipped with a line that says so.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails it, and a skipped tool is said"
)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use universal_orchestrator_examples::audit::{
    AuditError, Capability, Done, HashScan, Job, LineScan, Report, ReportBuilder, TodoScan, Tree,
    WalkOptions, first_wave, roster, scan_file, second_wave, walk,
};

/// A tree with what trips counters up: odd names, odd bytes, odd files.
fn awkward_tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let write = |name: &[u8], content: &[u8]| {
        let path = root.join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write(b"empty", b"");
    write(b"no-newline", b"one two\nthree");
    write(b"spaces in name/a\nb'c", b"x\ty\x0bz\x0c\r\n");
    write(b"caf\xe9.txt", "→ lone arrow, größe\n".as_bytes());
    write(
        b"binary",
        &(0..=255).cycle().take(700_001).collect::<Vec<u8>>(),
    );
    write(b"one-long-line", &b"word ".repeat(200_000));
    write(
        b"src/main.rs",
        b"fn main() {}\n// TODO: more\n// no TODOS, but TODO and XXX\n",
    );
    write(
        b"src/copy.rs",
        b"fn main() {}\n// TODO: more\n// no TODOS, but TODO and XXX\n",
    );
    write(b".hidden/file", b"seen\n");
    write(b".git/config", b"not seen\n");
    write(b"deep/target/debug/out", b"not seen\n");
    write(b"deep/not-target/out", b"seen too\n");
    // Only directories of these names are left out.
    write(b"worktree/.git", b"gitdir: elsewhere\n");
    write(b"worktree/target", b"a file\n");
    std::os::unix::fs::symlink("main.rs", root.join("src/link.rs")).unwrap();
    std::os::unix::fs::symlink("/", root.join("root-link")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("broken-link")).unwrap();
    fs::hard_link(root.join("src/main.rs"), root.join("src/hard.rs")).unwrap();
    directory
}

/// What a shell prints, or `None` with a printed line when one of the tools is missing.
fn shell(tools: &[&str], script: &str) -> Option<String> {
    for tool in tools {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output()
            .unwrap();
        if !found.status.success() {
            eprintln!("skipped: {tool} is not installed");
            return None;
        }
    }
    let output = Command::new("bash")
        .args(["-c", script])
        .env("LC_ALL", "C")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}");
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether this `wc` counts a word without printable ASCII, as POSIX has it and newer GNU ones do.
fn wc_counts_any_word() -> bool {
    shell(&["wc"], r"printf '\001' | wc -w").is_some_and(|words| words == "1")
}

/// The whole audit, one job after the other and without an orchestrator.
fn audit(tree: Tree) -> Report {
    let tree = Arc::new(tree);
    let mut builder = ReportBuilder::new(Arc::clone(&tree), roster(60));
    let run = |builder: &mut ReportBuilder, job: Job| {
        let result = job.run(&tree).map_err(|error| error.to_string());
        builder.record(Done {
            job: &job,
            agent: None,
            busy: Duration::ZERO,
            attempts: 1,
            result,
        });
    };
    for job in first_wave(&tree) {
        run(&mut builder, job);
    }
    let hashed: Vec<_> = builder.hashed_files().collect();
    for job in second_wave(hashed) {
        run(&mut builder, job);
    }
    builder.finish(Duration::from_secs(1), 10)
}

fn check_totals(root: &Path, include_ignored: bool) {
    let tree = walk(root, WalkOptions { include_ignored }).unwrap();
    let report = audit(tree.clone());
    assert!(report.is_complete(), "{:?}", report.findings.unreadable);
    let totals = &report.totals;
    let files = format!("{}0", tree.find_command());
    if let Some(count) = shell(
        &["find", "tr", "wc"],
        &format!(r"{files} | tr -cd '\0' | wc -c"),
    ) {
        assert_eq!(totals.files.to_string(), count);
    }
    if let Some(counts) = shell(
        &["find", "xargs", "cat", "wc"],
        &format!("{files} | xargs -0 cat | wc -lc"),
    ) {
        let counts: Vec<u64> = counts
            .split_whitespace()
            .map(|count| count.parse().unwrap())
            .collect();
        assert_eq!([totals.lines, totals.bytes], *counts);
    }
    // Words must be counted file by file: a last word without a newline would grow into the next file.
    if let Some(words) = shell(
        &["find", "xargs", "wc"],
        &format!("{files} | xargs -0 -n 1 wc -w"),
    ) {
        let words: u64 = words
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .sum();
        let expected = if wc_counts_any_word() {
            totals.words
        } else {
            totals.printable_words
        };
        assert_eq!(expected, words);
    }
    if let Some(digest) = shell(
        &["b3sum"],
        &format!("{files} | xargs -0 b3sum --no-names | LC_ALL=C sort | b3sum --no-names"),
    ) {
        assert_eq!(totals.content_digest, digest);
    }
}

#[test]
fn an_awkward_tree_adds_up() {
    let directory = awkward_tree();
    check_totals(directory.path(), false);
    check_totals(directory.path(), true);
}

#[test]
fn the_crates_of_this_workspace_add_up() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let directory = tempfile::tempdir().unwrap();
    // A copy stands still while the tools look at it one after the other; an editor's tree may not.
    let script = format!(
        "cp -R '{}' '{}'",
        crates.display(),
        directory.path().display()
    );
    if shell(&["cp"], &script).is_some() {
        check_totals(directory.path(), false);
    }
}

#[test]
fn a_root_of_a_skipped_name_or_a_single_file_adds_up() {
    let directory = awkward_tree();
    check_totals(&directory.path().join("deep/target"), false);
    check_totals(&directory.path().join("no-newline"), false);
}

#[test]
fn each_file_of_an_awkward_tree_agrees_with_the_tools() {
    let directory = awkward_tree();
    let tree = walk(directory.path(), WalkOptions::default()).unwrap();
    let run = |tool: &str, options: &[&str], path: &Path| {
        let output = Command::new(tool)
            .args(options)
            .arg(path)
            .env("LC_ALL", "C")
            .output();
        let text = output
            .ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())?;
        text.split_whitespace().next().map(str::to_owned)
    };
    for file in 0..tree.files().len() {
        let path = tree.absolute(file).unwrap();
        let counts = scan_file(LineScan::default(), &path).unwrap();
        let words = if wc_counts_any_word() {
            counts.words
        } else {
            counts.printable_words
        };
        for (option, count) in [("-l", counts.newlines), ("-w", words), ("-c", counts.bytes)] {
            if let Some(expected) = run("wc", &[option], &path) {
                assert_eq!(
                    count.to_string(),
                    expected,
                    "wc {option} {}",
                    tree.name(file)
                );
            }
        }
        if let Some(expected) = run("b3sum", &["--no-names"], &path) {
            assert_eq!(
                scan_file(HashScan::default(), &path).unwrap().blake3,
                expected
            );
        }
        let todo = scan_file(TodoScan::default(), &path).unwrap();
        if let Some(expected) = run("grep", &["-cwE", "TODO|FIXME|XXX"], &path) {
            assert_eq!(todo.lines.to_string(), expected, "grep {}", tree.name(file));
        }
    }
}

#[test]
fn the_walk_lists_regular_files_only_and_always_in_one_order() {
    let directory = awkward_tree();
    let tree = walk(directory.path(), WalkOptions::default()).unwrap();
    let names: Vec<String> = (0..tree.files().len())
        .map(|file| tree.name(file))
        .collect();
    assert_eq!(
        names,
        [
            ".hidden/file",
            "binary",
            r"caf\xe9.txt",
            "deep/not-target/out",
            "empty",
            "no-newline",
            "one-long-line",
            r"spaces in name/a\x0ab'c",
            "src/copy.rs",
            "src/hard.rs",
            "src/main.rs",
            "worktree/.git",
            "worktree/target",
        ]
    );
    assert_eq!(tree.skipped_directories(), 2);
    assert!(tree.unreadable().is_empty());
}

#[test]
fn copies_are_grouped_and_hard_links_waste_nothing() {
    let directory = awkward_tree();
    let report = audit(walk(directory.path(), WalkOptions::default()).unwrap());
    let [group] = report.findings.duplicates.as_slice() else {
        panic!("{:?}", report.findings.duplicates)
    };
    assert_eq!(group.paths, ["src/copy.rs", "src/hard.rs", "src/main.rs"]);
    // Three names, two files on disk.
    assert_eq!(group.wasted_bytes, group.content.bytes);
    assert_eq!(report.findings.todo_lines, 6);
}

#[test]
fn a_file_that_is_gone_or_replaced_is_an_error_and_not_followed() {
    let directory = awkward_tree();
    let tree = walk(directory.path(), WalkOptions::default()).unwrap();
    let index = |name| {
        (0..tree.files().len())
            .find(|file| tree.name(*file) == name)
            .unwrap()
    };
    let (gone, replaced) = (index("empty"), index("binary"));
    fs::remove_file(directory.path().join("empty")).unwrap();
    fs::remove_file(directory.path().join("binary")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("binary")).unwrap();
    for capability in Capability::ALL
        .into_iter()
        .filter(|capability| capability.is_per_file())
    {
        let run = |file| Job::Analyse { capability, file }.run(&tree).unwrap_err();
        assert!(
            matches!(run(gone), AuditError::Permanent { .. }),
            "{capability}"
        );
        assert!(
            matches!(run(replaced), AuditError::NotRegular { .. }),
            "{capability}"
        );
        assert!(
            matches!(run(usize::MAX), AuditError::UnknownFile { .. }),
            "{capability}"
        );
    }
    let report = audit(tree);
    assert!(!report.is_complete());
    let unreadable: Vec<_> = report
        .findings
        .unreadable
        .iter()
        .map(|row| (row.place.path.as_str(), row.tasks))
        .collect();
    assert_eq!(unreadable, [("binary", 11), ("empty", 11)]);
}

#[test]
fn a_root_that_does_not_exist_is_an_error() {
    let error = walk(Path::new("/nowhere/at/all"), WalkOptions::default()).unwrap_err();
    assert!(!error.is_temporary());
    assert!(error.to_string().contains("/nowhere/at/all"));
}
