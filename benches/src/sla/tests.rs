use super::*;

fn parse(text: &str) -> Result<Limits, LimitsError> {
    Limits::parse(Path::new("some.toml"), text)
}

/// Exactly at every limit of the design card.
fn at_the_limits() -> Measurements {
    Measurements {
        registration: Duration::from_millis(100),
        delegation: Duration::from_millis(500),
        initialization: Duration::from_secs(2),
        base_memory_bytes: 50 << 20,
        concurrent_agents: 50,
    }
}

#[test]
fn the_file_beside_the_package_states_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sla.toml");
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert_eq!(
        Limits::read(&path).expect("the file is valid"),
        Limits::default()
    );
    assert_eq!(
        text.lines().filter(|line| line.contains(" = ")).count(),
        5,
        "every key is stated"
    );
}

#[test]
fn a_file_may_override_some_of_the_limits() {
    let limits = parse("delegation_ms_max = 0.05\nconcurrent_agents_min = 1000\n").expect("valid");
    let expected = Limits {
        delegation_ms_max: 0.05,
        concurrent_agents_min: 1000.0,
        ..Limits::default()
    };
    assert_eq!(limits, expected);
}

#[test]
fn what_is_no_limit_is_refused_with_its_name() {
    for (text, named) in [
        ("delegation_ms = 1", "delegation_ms"),
        ("delegation_ms_max = \"fast\"", "delegation_ms_max"),
        ("delegation_ms_max = 0", "delegation_ms_max = 0"),
        ("base_memory_mib_max = -1.0", "base_memory_mib_max = -1"),
        ("registration_ms_max = nan", "registration_ms_max = NaN"),
        ("initialization_ms_max = inf", "initialization_ms_max = inf"),
        ("not toml", "some.toml"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(
            error.contains(named) && error.contains("some.toml"),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Limits::read(Path::new("/nowhere/sla.toml")).expect_err("there is no such file");
    assert!(error.to_string().contains("/nowhere/sla.toml"), "{error}");
}

#[test]
fn a_limit_that_is_just_met_passes() {
    let report = Report::new(&Limits::default(), &at_the_limits());
    assert!(report.passed(), "{report}");
    assert_eq!(report.exit_code(), ExitCode::SUCCESS);
}

#[test]
fn each_limit_can_be_missed_alone() {
    let nano = Duration::from_nanos(1);
    let limit = at_the_limits();
    for (name, measured) in [
        (
            "registration",
            Measurements {
                registration: limit.registration + nano,
                ..limit
            },
        ),
        (
            "delegation",
            Measurements {
                delegation: limit.delegation + nano,
                ..limit
            },
        ),
        (
            "initialization",
            Measurements {
                initialization: limit.initialization + nano,
                ..limit
            },
        ),
        (
            "base memory",
            Measurements {
                base_memory_bytes: limit.base_memory_bytes + 1,
                ..limit
            },
        ),
        (
            "concurrent agents",
            Measurements {
                concurrent_agents: 49,
                ..limit
            },
        ),
    ] {
        let report = Report::new(&Limits::default(), &measured);
        assert_eq!(report.exit_code(), ExitCode::FAILURE, "{name}");
        let table = report.to_string();
        let missed: Vec<_> = table
            .lines()
            .filter(|line| line.ends_with("MISS"))
            .collect();
        assert!(
            matches!(missed[..], [line] if line.starts_with(name)),
            "{name}:\n{table}"
        );
    }
}

#[test]
fn the_table_shows_measured_target_factor_and_verdict() {
    let measured = Measurements {
        registration: Duration::from_micros(2),
        delegation: Duration::from_millis(1000),
        concurrent_agents: 100,
        ..at_the_limits()
    };
    let table = Report::new(&Limits::default(), &measured).to_string();
    let words: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        words[0],
        ["name", "measured", "target", "factor", "verdict"]
    );
    assert_eq!(
        words[1],
        [
            "registration",
            "(p99)",
            "0.0020",
            "ms",
            "≤",
            "100",
            "ms",
            "50000.0x",
            "PASS"
        ]
    );
    assert_eq!(
        words[2],
        [
            "delegation",
            "(p99)",
            "1000.0000",
            "ms",
            "≤",
            "500",
            "ms",
            "0.5x",
            "MISS"
        ]
    );
    assert_eq!(
        words[5],
        ["concurrent", "agents", "100.0", "≥", "50", "2.0x", "PASS"]
    );
}
