//! The plugin keeps what every plugin must keep.

use universal_orchestrator::plugin::{HookPoint, Stage};
use universal_orchestrator_security::SECURITY;
use universal_orchestrator_testkit::conformance::Suite;

#[tokio::test(start_paused = true)]
async fn it_keeps_what_every_plugin_must_keep() {
    let report = Suite::of(&SECURITY)
        .linked()
        .hook_limit(std::time::Duration::from_secs(5)) // tests share the machine
        .run()
        .await;
    report.assert_conforms();
    let missed: Vec<(Stage, HookPoint)> = report.not_called().to_vec();
    assert_eq!(missed, [], "the example lets the flow reach every hook");
}
