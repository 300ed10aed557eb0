//! No key without a test: a walk over the schema, and the list of the tests that see an effect.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use universal_orchestrator::config::json_schema;

const HERE_TOP: &str = "config_effects/top.rs";
const HERE_TASKS: &str = "config_effects/tasks.rs";
const HERE_AGENTS: &str = "config_effects/agents.rs";
const HERE_HOST: &str = "config_effects/host.rs";
const HERE_RETRIES: &str = "config_effects/retries.rs";
const HERE_BUDGETS: &str = "config_effects/budgets.rs";
const KEPT: &str = "lifecycle/kept.rs";
const TOLD: &str = "lifecycle/told.rs";
const GUARDS: &str = "hooks_fire/guards.rs";
const MISDEEDS: &str = "hooks_fire/misdeeds.rs";
const COMMANDS: &str = "hooks_fire/commands.rs";
const ENDINGS: &str = "endings.rs";
const ORDER: &str = "queue_and_routing/order.rs";
const LIMITS: &str = "queue_and_routing/limits.rs";
const INTAKE: &str = "queue_and_routing/intake.rs";
const ROUTING: &str = "queue_and_routing/routing.rs";

/// File, test, and the keys whose effect it sees.
type Row = (&'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const SEEN_HERE: &[Row] = &[
    (HERE_TOP, "a_mode_is_told_in_the_status_and_brings_its_defaults", &["mode"]),
    (HERE_TOP, "max_agents_refuses_one_more_until_one_leaves", &["max_agents"]),
    (HERE_TOP, "targets_of_calls_are_counted_and_refuse_nothing", &["max_agent_registration_ms", "max_task_delegation_ms"]),
    (HERE_TOP, "a_slow_start_exceeds_max_system_initialization_ms", &["max_system_initialization_ms"]),
    (HERE_TOP, "memory_targets_are_looked_at_in_the_health_check", &["max_memory_mb", "max_memory_percent"]),
    (HERE_TOP, "max_cpu_percent_is_looked_at_in_the_health_check", &["max_cpu_percent"]),
    (HERE_TOP, "a_high_error_rate_is_an_alert_and_unhealthy", &["max_error_rate_percent"]),
    (HERE_TOP, "periodic_hooks_come_as_often_as_configured_or_not_at_all", &["tick_interval_ms", "health_check_interval_ms"]),
    (HERE_TOP, "the_clean_up_drops_what_is_past_its_time", &["cleanup_interval_ms"]),
    (HERE_TOP, "the_four_switches_require_a_plugin_keep_it_out_or_leave_it", &["enable_performance_plugin", "enable_security_plugin", "enable_context_plugin", "enable_automation_plugin"]),
    (HERE_TOP, "a_seed_repeats_the_jitter", &["seed"]),
    (HERE_TASKS, "sizes_of_a_task_are_limited_at_every_door_to_the_last_byte", &["tasks.payload_bytes_max", "tasks.payload_depth_max", "tasks.labels_max", "tasks.id_bytes_max", "agents.capabilities_max"]),
    (HERE_TASKS, "dependencies_are_limited", &["tasks.dependencies_max"]),
    (HERE_TASKS, "a_batch_that_is_too_large_is_refused_as_a_whole", &["tasks.batch_max"]),
    (HERE_TASKS, "a_result_that_is_too_large_fails_its_task_or_is_refused", &["tasks.result_bytes_max"]),
    (HERE_TASKS, "an_attempt_has_the_configured_time_unless_it_asks_for_less", &["tasks.attempt_timeout_ms"]),
    (HERE_TASKS, "a_deadline_is_cut_to_the_longest_that_may_be", &["tasks.deadline_max_ms"]),
    (HERE_TASKS, "a_cancelled_attempt_has_its_grace_and_no_more", &["tasks.cancel_grace_ms"]),
    (HERE_TASKS, "children_may_be_switched_off_by_depth_or_number", &["tasks.child_depth_max", "tasks.children_max"]),
    (HERE_TASKS, "dead_letters_may_be_switched_off", &["tasks.dead_letters_max"]),
    (HERE_TASKS, "a_slow_reader_of_progress_finds_the_newest_reports", &["tasks.progress_buffer"]),
    (HERE_AGENTS, "what_an_agent_says_of_itself_is_limited", &["agents.concurrency_max", "agents.metadata_bytes_max"]),
    (HERE_AGENTS, "so_many_missed_heartbeats_make_an_agent_unreachable", &["agents.heartbeat_timeout_factor"]),
    (HERE_AGENTS, "a_lease_lasts_as_long_as_configured", &["agents.lease_ms"]),
    (HERE_AGENTS, "a_breaker_opens_as_its_keys_say", &["breaker.enabled", "breaker.window_ms", "breaker.minimum_calls", "breaker.failure_rate_percent", "breaker.slow_call_ms", "breaker.slow_rate_percent"]),
    (HERE_AGENTS, "a_breaker_stays_open_and_probes_as_its_keys_say", &["breaker.open_ms", "breaker.half_open_probes"]),
    (HERE_AGENTS, "so_many_other_agents_are_tried_when_hooks_overtake_the_choice", &["routing.reroutes_max"]),
    (HERE_HOST, "a_required_plugin_must_be_there_and_a_disabled_one_is_not", &["plugins.required", "plugins.<name>.enabled"]),
    (HERE_HOST, "lists_of_the_status_are_as_long_as_configured", &["status.list_max"]),
    (HERE_HOST, "rates_look_back_as_far_as_configured", &["status.window_ms"]),
    (HERE_HOST, "shutdown_lets_work_finish_for_so_long", &["shutdown.drain_ms"]),
    (HERE_HOST, "each_key_of_concurrency_keys_limits_its_tasks", &["concurrency_keys.default_max_in_flight", "concurrency_keys.keys.<name>.max_in_flight", "concurrency_keys.keys.<name>.rate_per_second", "concurrency_keys.keys.<name>.burst"]),
    (HERE_RETRIES, "each_key_of_retry_shapes_the_delays", &["retry.max_attempts", "retry.base_delay_ms", "retry.max_delay_ms", "retry.multiplier"]),
    (HERE_RETRIES, "a_task_s_own_policy_asks_for_no_more_attempts_than_configured", &["retry.attempts_max"]),
    (HERE_RETRIES, "jitter_is_the_share_of_a_delay_that_is_random", &["retry.jitter"]),
    (HERE_BUDGETS, "each_unit_of_each_section_refuses_what_is_beyond_it", &[
        "budget.global.money", "budget.global.tokens", "budget.global.calls", "budget.global.busy_ms",
        "budget.tenant_per_day.money", "budget.tenant_per_day.tokens", "budget.tenant_per_day.calls", "budget.tenant_per_day.busy_ms",
        "budget.tenants.<name>.money", "budget.tenants.<name>.tokens", "budget.tenants.<name>.calls", "budget.tenants.<name>.busy_ms",
    ]),
];

#[rustfmt::skip]
const COVERED_ELSEWHERE: &[Row] = &[
    (KEPT, "results_are_retained_as_long_and_as_many_as_configured", &["tasks.retained_results_max", "tasks.result_retention_ms"]),
    (TOLD, "events_tell_a_task_from_beginning_to_end_and_lag_is_counted", &["events.capacity"]),
    (GUARDS, "a_guard_that_answers_too_late_without_waiting_refuses_too", &["hooks.timeout_ms"]),
    (MISDEEDS, "shape_and_observe_are_switched_off_after_so_many_faults", &["hooks.faults_max"]),
    (COMMANDS, "the_queue_of_commands_is_bounded_and_ends_with_the_orchestrator", &["hooks.control_depth_max"]),
    (ENDINGS, "a_plugin_that_does_not_start_in_time_is_named_and_those_before_it_are_stopped", &["hooks.start_timeout_ms"]),
    (LIMITS, "max_concurrent_tasks_holds_over_all_agents", &["max_concurrent_tasks"]),
    (ORDER, "ageing_lifts_what_has_waited", &["queue.ageing_ms"]),
    (INTAKE, "a_full_queue_refuses_and_those_who_wait_get_room_in_their_order", &["queue.max_tasks"]),
    (ORDER, "earliest_deadline_first_is_an_option", &["queue.order"]),
    (ORDER, "tenants_share_fairly_and_by_weight", &["queue.tenant_weights"]),
    (INTAKE, "what_nobody_can_do_is_refused_or_queued_and_expires_after_its_time", &["queue.queue_unroutable", "queue.unroutable_ttl_ms"]),
    (ROUTING, "each_policy_chooses_as_it_says", &["routing.policy"]),
    (ROUTING, "fastest_follows_the_recent_past_and_forgets_it", &["routing.window_ms"]),
];

/// Every key that holds a value; `<name>` stands for the keys of a free table.
fn keys() -> BTreeSet<String> {
    let schema = json_schema();
    let mut found = BTreeSet::new();
    walk(&schema, &schema["$defs"], "", &mut found);
    assert!(found.len() > 80, "{found:?}");
    found
}

fn walk(schema: &Value, defs: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return walk(&defs[name], defs, path, found);
    }
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    let named = schema["properties"].as_object();
    let free = &schema["additionalProperties"];
    // A free table of plain values is one key.
    let is_table = free["$ref"].is_string() || free["properties"].is_object();
    if named.is_none() && !is_table {
        found.insert(path.to_owned());
        return;
    }
    for (key, schema) in named.into_iter().flatten() {
        walk(schema, defs, &below(key), found);
    }
    if is_table {
        walk(free, defs, &below("<name>"), found);
    }
}

#[test]
fn the_walk_finds_what_the_configuration_has() {
    let found = keys();
    for key in [
        "mode",
        "queue.tenant_weights",
        "budget.global.money",
        "budget.tenants.<name>.tokens",
        "concurrency_keys.keys.<name>.burst",
        "plugins.required",
        "plugins.<name>.enabled",
    ] {
        assert!(found.contains(key), "{key}: {found:?}");
    }
    let page = include_str!("../../../../docs/configuration.md");
    let rows = page.lines().filter(|line| line.contains("| `UO_"));
    assert_eq!(found.len(), rows.count(), "as many as the reference lists");
}

#[test]
fn every_key_has_a_test_that_sees_its_effect() {
    let mut listed = BTreeSet::new();
    for (file, test, paths) in SEEN_HERE.iter().chain(COVERED_ELSEWHERE) {
        let text = source(file);
        let body = body_of(&text, test);
        let body = body.unwrap_or_else(|| unreachable!("tests/{file} has no test `{test}`"));
        for path in *paths {
            assert!(listed.insert((*path).to_owned()), "{path} is listed twice");
            // The last part of the path, as the code sets it or as TOML writes it.
            let key = path.rsplit('.').next().unwrap_or(path);
            let set = [format!("{key} ="), format!("{key}:"), format!(".{key}")];
            let near = |text: &str| set.iter().any(|set| text.contains(set.as_str()));
            assert!(
                near(body) || near_in_helper(&text, key),
                "{test} does not set {path}"
            );
        }
    }
    let keys = keys();
    let missing: Vec<_> = keys.difference(&listed).collect();
    assert!(missing.is_empty(), "keys without a test: {missing:?}");
    let unknown: Vec<_> = listed.difference(&keys).collect();
    assert!(unknown.is_empty(), "no such keys: {unknown:?}");
}

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| unreachable!("{path:?}: {error}"))
}

/// A test function from its name to the closing brace; `None` when there is no test of this name.
fn body_of<'a>(text: &'a str, test: &str) -> Option<&'a str> {
    let at = text.find(&format!("fn {test}()"))?;
    let is_test = text[..at]
        .trim_end_matches("async ")
        .trim_end()
        .ends_with(']');
    let end = text[at..].find("\n}\n")?;
    is_test.then(|| &text[at..at + end])
}

/// Some tests set a key through a helper of their file.
fn near_in_helper(text: &str, key: &str) -> bool {
    text.contains(&format!("c.{key} =")) || text.contains(&format!(".{key} = policy"))
}
