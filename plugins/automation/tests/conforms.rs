//! What every plugin must keep.

use universal_orchestrator_automation::AUTOMATION;
use universal_orchestrator_testkit::conformance::Suite;

#[tokio::test(start_paused = true)]
async fn it_keeps_what_every_plugin_must_keep() {
    let report = Suite::of(&AUTOMATION)
        .linked()
        .hook_limit(std::time::Duration::from_secs(5)) // tests share the machine
        .run()
        .await;
    report.assert_conforms();
    assert_eq!(report.not_called(), []);
}
