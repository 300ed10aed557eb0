//! The conformance suite.

use universal_orchestrator_context::CONTEXT;
use universal_orchestrator_testkit::conformance::Suite;

#[tokio::test(start_paused = true)]
async fn it_keeps_what_every_plugin_must_keep() {
    let report = Suite::of(&CONTEXT)
        .linked()
        .hook_limit(std::time::Duration::from_secs(5)) // tests share the machine
        .run()
        .await;
    assert!(report.not_called().is_empty(), "{report:?}");
    report.assert_conforms();
}
