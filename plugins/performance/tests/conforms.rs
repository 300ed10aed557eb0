//! The plugin keeps what every plugin must keep.

use universal_orchestrator_performance::PERFORMANCE;
use universal_orchestrator_testkit::conformance::Suite;

#[tokio::test(start_paused = true)]
async fn it_keeps_what_every_plugin_must_keep() {
    let report = Suite::of(&PERFORMANCE)
        .linked()
        .hook_limit(std::time::Duration::from_secs(5)) // tests share the machine
        .run()
        .await;
    report.assert_conforms();
    assert!(report.not_called().is_empty(), "{:?}", report.not_called());
}
