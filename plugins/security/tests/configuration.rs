//! What each key may be, where the key comes from, and what is counted.

mod common;

use std::fs;
use std::process::Command;
use std::time::Duration;

use common::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use universal_orchestrator::Mode;
use universal_orchestrator_security::{SECURITY, SecurityConfig, SecurityPlugin, issue_offline};
use universal_orchestrator_testkit::{quiet_config, test_builder};

#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_fit_is_refused_with_its_key_and_the_remedy() {
    let identity = "[[identities]]\nname = \"ci\"\n";
    let token = |id: &str, hash: &str, rest: &str| {
        format!("{identity}[[identities.tokens]]\nid = {id:?}\nhash = {hash:?}\n{rest}")
    };
    let hash = "ab".repeat(32);
    let rule = "[[rules]]\nname = \"r\"\n";
    for (section, told) in [
        (
            "tokens_max = 0".to_owned(),
            "tokens_max = 0: write 1 to 1000000",
        ),
        (
            "token_lifetime_max_s = 0".to_owned(),
            "token_lifetime_max_s = 0",
        ),
        (
            "payload_depth_max = 129".to_owned(),
            "payload_depth_max = 129: write 0 to 128",
        ),
        ("payload_keys_max = 10000001".to_owned(), "payload_keys_max"),
        ("blocks_max = 0".to_owned(), "blocks_max = 0"),
        (
            "rule_principals_max = 0".to_owned(),
            "rule_principals_max = 0",
        ),
        (format!("{KEY}key_env = \"X\""), "keep one"),
        ("key_inline = \"short\"".to_owned(), "at least 32"),
        (
            "unauthenticated_roles = [\"x\"]".to_owned(),
            "no role \"x\" (there are: none)",
        ),
        (
            "[[identities]]\nname = \"anonymous\"".to_owned(),
            "choose another",
        ),
        ("[[identities]]\nname = \"\"".to_owned(), "identities.name"),
        (
            format!("{identity}roles = [\"x\"]"),
            "add [plugins.security.roles.x]",
        ),
        (format!("{identity}{identity}"), "\"ci\" is there twice"),
        (token("a.b", &hash, ""), "token id \"a.b\""),
        (token("a", "xyz", ""), "64 lower-case"),
        (
            token("a", &hash, "expires_at = \"soon\""),
            "write it as 2027-01-31T00:00:00Z",
        ),
        (
            format!(
                "{}{}",
                token("a", &hash, ""),
                "[[identities.tokens]]\nid = \"a\"\nhash = \"ab\""
            ),
            "64 lower-case",
        ),
        (
            "[roles.r]\nsubmit_types = [\"a*b\"]".to_owned(),
            "roles.r.submit_types: \"a*b\" is no pattern",
        ),
        (
            "[roles.r]\nregister_roles = [\"boss\"]".to_owned(),
            "coordinator, specialist",
        ),
        (
            "[rate_limits]\nburst = 3".to_owned(),
            "rate_limits.burst = 3",
        ),
        (
            "[rate_limits]\nprincipals_max = 0".to_owned(),
            "rate_limits.principals_max",
        ),
        (
            "[[rate_limits.task_types]]\npattern = \"\"".to_owned(),
            "is no pattern",
        ),
        (
            "[[rate_limits.task_types]]\npattern = \"a\"".to_owned(),
            "per_minute = 0",
        ),
        ("[[rules]]\ncount = 1".to_owned(), "rules.name"),
        (format!("{rule}{rule}"), "rule \"r\" is there twice"),
        (format!("{rule}count = 0"), "rule \"r\", count = 0"),
        (format!("{rule}window_s = 0"), "window_s = 0"),
        (format!("{rule}block_s = 0"), "block_s = 0"),
        (format!("{rule}action = \"block\""), "lock out its owner"),
        ("redact_patterns = [\"(\"]".to_owned(), "redact_patterns"),
        (
            "[audit]\nqueue_max = 1".to_owned(),
            "audit.queue_max = 1: write 16 to 1000000",
        ),
        (
            "[audit]\nfile_bytes_max = 1".to_owned(),
            "audit.file_bytes_max",
        ),
        ("[audit]\nfiles_max = 1".to_owned(), "audit.files_max"),
        (
            "[audit]\nfsync_interval_ms = 0".to_owned(),
            "audit.fsync_interval_ms",
        ),
        (
            "[audit]\ntext_bytes_max = 1".to_owned(),
            "audit.text_bytes_max",
        ),
        ("[audit]\nfsync = \"sometimes\"".to_owned(), "sometimes"),
        ("unknown = 1".to_owned(), "unknown"),
    ] {
        let Err(error) = try_start(Mode::Testing, &section).await else {
            panic!("started with {section}");
        };
        assert!(error.to_string().contains(told), "{section}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn identities_need_a_key_that_outlives_the_process() {
    let Err(error) = try_start(Mode::Production, FLEET).await else {
        panic!("started");
    };
    let text = error.to_string();
    assert!(
        text.contains("key_file = \"/path/to/key\"") && text.contains("key_env"),
        "{text}"
    );
    // Elsewhere a key of the process will do, until there is a hash that it cannot check.
    start(Mode::Testing, FLEET)
        .await
        .orchestrator
        .shutdown()
        .await;
    let hash = "ab".repeat(32);
    let token = format!(
        "[[identities]]\nname = \"ci\"\n[[identities.tokens]]\nid = \"a\"\nhash = \"{hash}\"\n"
    );
    assert!(try_start(Mode::Testing, &token).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_empty_section_in_production_lets_nobody_in_and_says_so() {
    let f = start(Mode::Production, "").await;
    assert_eq!(
        submit_code(&f.orchestrator, build()).await,
        "unauthenticated"
    );
    let forger = f.with_text("ci", "a.b");
    for caller in [&f.orchestrator, &forger] {
        let refused = caller.submit_task(build()).await.unwrap_err().to_string();
        let says_what_to_write = refused.contains("write [[plugins.security.identities]]");
        assert!(says_what_to_write, "{refused}");
    }
    let health = f.orchestrator.plugins()[0].health.clone();
    assert!(
        health
            .detail
            .unwrap()
            .contains("[[plugins.security.identities]]")
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_file_holds_the_key_that_tokens_were_issued_with_offline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
    let (token, hash) = issue_offline(&path, "ci-1").unwrap();
    assert!(token.expose().starts_with("ci-1."));
    assert!(issue_offline(&path, "a.b").is_err());
    let key = format!("key_file = {:?}\n", path.display().to_string());
    let tokens = format!(
        "[[identities.tokens]]\nid = \"ci-1\"\nhash = \"{hash}\"\n\n[[identities]]\nname = \"pool\""
    );
    let fleet = FLEET.replace("[[identities]]\nname = \"pool\"", &tokens);
    let f = start(Mode::Production, &format!("{key}{fleet}")).await;
    f.register_pool_agent().await;
    let ci = f.with_text("ci", token.expose());
    assert_eq!(submit_code(&ci, build()).await, "ok");
    f.orchestrator.shutdown().await;
    for (content, told) in [(&b"short"[..], "5 bytes"), (&[b'x'; 70_000], "70000 bytes")] {
        fs::write(&path, content).unwrap();
        let Err(error) = try_start(Mode::Production, &format!("{key}{fleet}")).await else {
            panic!("started");
        };
        assert!(error.to_string().contains(told), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let Err(error) = try_start(Mode::Production, &format!("{key}{fleet}")).await else {
        panic!("started");
    };
    assert!(
        error.to_string().contains("head -c 48 /dev/urandom"),
        "{error}"
    );
}

const KEY_VARIABLE: &str = "UO_SECURITY_TEST_KEY";

/// Runs itself once more in a process that has the variable: a test must not change the environment of others.
#[tokio::test(start_paused = true)]
async fn an_environment_variable_holds_the_key() {
    let section = format!("key_env = \"{KEY_VARIABLE}\"\n{FLEET}");
    if std::env::var_os(KEY_VARIABLE).is_some() {
        let f = start(Mode::Production, &section).await;
        f.register_pool_agent().await;
        assert_eq!(submit_code(&f.as_identity("ci"), build()).await, "ok");
        f.orchestrator.shutdown().await;
        return;
    }
    let Err(error) = try_start(Mode::Production, &section).await else {
        panic!("started without the variable");
    };
    assert!(error.to_string().contains(KEY_VARIABLE), "{error}");
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_environment_variable_holds_the_key"])
        .env(KEY_VARIABLE, "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn reconfiguring_the_log_takes_a_restart_and_the_rest_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let section = format!("{KEY}{FLEET}{}", audit_in(folder.path()));
    let f = start(Mode::Production, &section).await;
    f.register_pool_agent().await;
    let without = format!("{KEY}{FLEET}");
    let error = f
        .orchestrator
        .reconfigure_plugin("security", &without)
        .unwrap_err();
    assert!(
        error.to_string().contains("audit") && error.to_string().contains("restart"),
        "{error}"
    );
    let limited = format!(
        "{KEY}payload_keys_max = 0\nredact_patterns = [\"CASE\"]\n{FLEET}{}",
        audit_in(folder.path())
    );
    f.orchestrator
        .reconfigure_plugin("security", &limited)
        .unwrap();
    let ci = f.as_identity("ci");
    let keyed = build().payload(universal_orchestrator::json!({"a": 1}));
    assert_eq!(submit_code(&ci, keyed).await, "payload_too_many_keys");
    assert_eq!(f.service.redact_text("CASE"), "[redacted]");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn decisions_are_counted_by_code_and_never_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut config = quiet_config();
    config.hooks.timeout_ms = 10_000;
    let section = format!("{KEY}{FLEET}{}", audit_in(folder.path()));
    let table = section.parse().unwrap();
    config.plugins.sections.insert("security".to_owned(), table);
    let orchestrator = test_builder(config)
        .metrics_recorder(recorder)
        .plugin_descriptor(&SECURITY)
        .start()
        .await
        .unwrap();
    for _ in 0..3 {
        submit_code(&orchestrator, build()).await;
    }
    orchestrator.shutdown().await;
    let mut counts = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        if !key.name().starts_with("orchestrator_security_") {
            continue;
        }
        let labels: Vec<_> = key
            .labels()
            .map(|l| format!("{}={}", l.key(), l.value()))
            .collect();
        for label in key.labels() {
            assert!(["code", "severity"].contains(&label.key()), "{key:?}");
        }
        if let DebugValue::Counter(n) = value
            && n > 0
        {
            counts.push(format!("{} {} {n}", key.name(), labels.join(",")));
        }
    }
    counts.sort();
    assert_eq!(
        counts,
        [
            "orchestrator_security_audit_entries_total  4",
            "orchestrator_security_decisions_total code=unauthenticated 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_plugin_can_be_handed_to_the_builder() {
    let mut config = SecurityConfig::default();
    config.payload_depth_max = 1_000;
    assert!(SecurityPlugin::new(config).is_err());
    let mut config = SecurityConfig::default();
    config.require_authentication = Some(true);
    let plugin = SecurityPlugin::new(config).unwrap();
    let orchestrator = test_builder(quiet_config())
        .plugin(SecurityPlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap();
    assert_eq!(submit_code(&orchestrator, build()).await, "unauthenticated");
}

#[tokio::test(start_paused = true)]
async fn the_tick_forgets_what_is_over() {
    let mut config = quiet_config();
    config.hooks.timeout_ms = 10_000;
    config.tick_interval_ms = 1_000;
    config.mode = Mode::Testing;
    let clock =
        universal_orchestrator_testkit::TestWallClock::at(Duration::from_secs(1_800_000_000));
    let table = format!("{KEY}{FLEET}").parse().unwrap();
    config.plugins.sections.insert("security".to_owned(), table);
    let orchestrator = test_builder(config)
        .wall_clock(clock.clone())
        .plugin_descriptor(&SECURITY)
        .start()
        .await
        .unwrap();
    let service = orchestrator
        .service::<dyn universal_orchestrator_security::SecurityService>()
        .unwrap();
    let issued = service.issue("ci", HOUR).unwrap();
    service.block("ann", Duration::from_secs(5), "").unwrap();
    let blocked = || orchestrator.plugins()[0].health.details["blocked"].clone();
    assert_eq!(blocked(), 1);
    clock.advance(HOUR * 2);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(blocked(), 0);
    // An expired one is told apart for a day.
    assert_eq!(service.tokens().len(), 1, "{}", issued.id);
    clock.advance(HOUR * 24);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(service.tokens().is_empty());
}
